"""Task models: an encoder, a head, and all that the task is. One file a task."""

from bert_tf.tasks.bidirectional_lm import BidirectionalLM
from bert_tf.tasks.blank_infilling import BlankInfilling
from bert_tf.tasks.causal_lm import CausalLM
from bert_tf.tasks.dependency_parsing import DependencyParser
from bert_tf.tasks.electra_pretraining import ElectraPretraining
from bert_tf.tasks.masked_lm import MaskedLM
from bert_tf.tasks.multi_task import MultiTask
from bert_tf.tasks.multiple_choice import MultipleChoice
from bert_tf.tasks.pretraining import Pretraining
from bert_tf.tasks.question_answering import ExtractiveQA
from bert_tf.tasks.reranking import Reranker
from bert_tf.tasks.sentence_encoder import SentenceEncoder
from bert_tf.tasks.seq2seq import Seq2Seq
from bert_tf.tasks.sequence_classification import SequenceClassifier
from bert_tf.tasks.skip_gram import SkipGram
from bert_tf.tasks.task_model import TaskModel
from bert_tf.tasks.token_classification import TokenClassifier

# Task name in configurations -> its model; files name it by the class.
TASKS = {
    "sequence_classification": SequenceClassifier,
    "reranking": Reranker,
    "multiple_choice": MultipleChoice,
    "dependency_parsing": DependencyParser,
    "question_answering": ExtractiveQA,
    "sentence_embedding": SentenceEncoder,
    "token_classification": TokenClassifier,
    "masked_lm": MaskedLM,
    "blank_infilling": BlankInfilling,
    "causal_lm": CausalLM,
    "seq2seq": Seq2Seq,
    "pretraining": Pretraining,
    "skip_gram": SkipGram,
    "bidirectional_lm": BidirectionalLM,
    "electra_pretraining": ElectraPretraining,
    "multi_task": MultiTask,
}

__all__ = [
    "TASKS",
    "BidirectionalLM",
    "BlankInfilling",
    "CausalLM",
    "DependencyParser",
    "ElectraPretraining",
    "ExtractiveQA",
    "MaskedLM",
    "MultiTask",
    "MultipleChoice",
    "Pretraining",
    "Reranker",
    "SentenceEncoder",
    "Seq2Seq",
    "SequenceClassifier",
    "SkipGram",
    "TaskModel",
    "TokenClassifier",
]
