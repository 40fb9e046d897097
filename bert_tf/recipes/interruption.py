"""The exception of a run that was stopped and has saved its state; commands exit with 3 then."""

from bert_tf.training.loop import Interrupted

__all__ = ["Interrupted"]
