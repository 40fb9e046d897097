"""Task models: an encoder, a head, and what the two are trained on. One file a task."""

from bert_tf.tasks.electra_pretraining import ElectraPretraining
from bert_tf.tasks.masked_lm import MaskedLM
from bert_tf.tasks.pretraining import Pretraining
from bert_tf.tasks.sequence_classification import SequenceClassifier
from bert_tf.tasks.task_model import TaskModel

# task name in configurations and in config.json -> its model.
TASKS = {
    "sequence_classification": SequenceClassifier,
    "masked_lm": MaskedLM,
    "pretraining": Pretraining,
    "electra_pretraining": ElectraPretraining,
}

__all__ = [
    "TASKS",
    "ElectraPretraining",
    "MaskedLM",
    "Pretraining",
    "SequenceClassifier",
    "TaskModel",
]
