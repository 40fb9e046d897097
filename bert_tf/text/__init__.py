"""Text to token ids and back: tokenizers that run in the graph, with offsets."""

from bert_tf.text.sentences import split_sentences
from bert_tf.text.tokenizer import Tokenizer
from bert_tf.text.vocabulary_training import train_vocabulary

__all__ = ["Tokenizer", "split_sentences", "train_vocabulary"]
