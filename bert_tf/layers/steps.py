"""Steps that a program which only answers does in operations of its engine.

`keras.ops` makes them of several, with which they can be trained and run anywhere.
"""

import contextlib
import contextvars
import dataclasses

from keras import ops


@dataclasses.dataclass(frozen=True)
class Steps:
    """How a step is done, by its name.

    Attributes:
      rows: function of x float [R, D] and of places int32 [...], none of them negative, to the rows
        of x that stand there, [..., D].
      layer_norm: function of x float32 [X, D], gamma and beta [D] and epsilon to float32 [X, D],
        see LayerNorm; None: as it is trained.
      linear: function of x float [X, width in], kernel, bias or None, and activation or None to
        float [X, width], see Linear; None: as it is trained.
    """

    rows: object = lambda x, places: ops.take(x, places, axis=0)
    layer_norm: object = None
    linear: object = None


_PORTABLE = Steps()
_STEPS = contextvars.ContextVar("steps", default=_PORTABLE)


@contextlib.contextmanager
def done_by(steps):
    """Within it layers do their steps as Steps say."""
    token = _STEPS.set(steps)
    try:
        yield
    finally:
        _STEPS.reset(token)


def steps():
    """The Steps that hold here."""
    return _STEPS.get()
