"""How a run says that it was stopped and has saved its state; the commands exit with 3 then."""

from bert_tf.training.loop import Interrupted

__all__ = ["Interrupted"]
