"""The two errors a user can cause; every room raises these and the commands print them as one line."""


class InputError(ValueError):
    """Something the user handed in cannot be used; the message is one line that says what and where."""

    # Keras rewrites an error that passes through a layer into a page of arguments, unless it
    # carries this mark; ours stay one line.
    _keras_call_info_injected = True


class ConfigError(InputError):
    """A flag, a configuration key or its value is wrong; the message offers the nearest valid name."""
