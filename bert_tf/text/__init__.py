"""Text to token ids and back: tokenizers that run in the graph, with offsets."""

from bert_tf.text.tokenizer import Tokenizer

__all__ = ["Tokenizer"]
