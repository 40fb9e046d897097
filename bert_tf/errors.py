"""The two errors a user can cause; every room raises them, the commands print one line."""


class InputError(ValueError):
    """Something the user handed in cannot be used; one line says what and where."""

    # Keras rewrites an error that passes through a layer into a page of arguments, unless it
    # carries this mark; ours stay one line.
    _keras_call_info_injected = True


class ConfigError(InputError):
    """A flag, a configuration key or its value is wrong; the nearest valid name is offered."""
