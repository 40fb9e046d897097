"""The two errors a user can cause; every room raises these and the commands print them as one line."""


class InputError(ValueError):
    """Something the user handed in cannot be used; the message is one line that says what and where."""


class ConfigError(InputError):
    """A flag, a configuration key or its value is wrong; the message offers the nearest valid name."""
