"""To see what goes on inside an encoder that somebody else calls, such as a task."""

import contextlib
import contextvars

_WATCHES = contextvars.ContextVar("watches", default=())


class Watch:
    """What an encoder was given and gave, call by call.

    Attributes:
      encoder: Encoder.
      calls: list of (inputs, outputs) as in `Encoder.call`, the outputs with hidden states and
        attentions.
    """

    def __init__(self, encoder):
        self.encoder, self.calls = encoder, []

    def seen(self, inputs, outputs):
        """Keeps what a call was given and gave; returns the outputs."""
        self.calls.append((inputs, outputs))
        return outputs


@contextlib.contextmanager
def watched(encoder):
    """Within it every call of an encoder, by whomever, is made whole and kept; yields the Watch.

    In a graph that is when it is traced: the Watch is to be read in the same graph. An encoder
    that nobody watches does nothing more than without this.
    """
    watch = Watch(encoder)
    token = _WATCHES.set((*_WATCHES.get(), watch))
    try:
        yield watch
    finally:
        _WATCHES.reset(token)


def watch_of(encoder):
    """The innermost Watch of an encoder, or None."""
    return next((x for x in reversed(_WATCHES.get()) if x.encoder is encoder), None)
