"""Answers for people: numpy values as JSON has them."""


def plain(value):
    """A numpy value as JSON has it: str, int, float with the digits that tell it apart, lists."""
    if getattr(value, "ndim", 0):
        return [plain(each) for each in value]
    if isinstance(value, str | bytes):
        return value.decode() if isinstance(value, bytes) else str(value)
    kind = getattr(value, "dtype", None)
    if kind is not None and kind.kind == "f":
        return float(str(value))
    return value.item() if kind is not None else value
