"""What cuts texts into pieces, made once for all tokenizers of the same vocabulary and settings."""

import copy
import hashlib
import weakref

_living = weakref.WeakValueDictionary()  # nothing is kept that no tokenizer uses


def pieces_of(kind, settings):
    """`kind(settings)`, with the tables and graphs of another of equal settings that is in use.

    A model that is saved, evaluated and asked in one process opens its tokenizer several times, and
    to build and trace it takes a second.

    Args:
      kind: `wordpiece.WordPiece` or `pipeline.Pipeline`.
      settings: its settings. Those that differ only in `source`, the file that errors name, count
        as equal; what is returned has its own.
    Returns:
      an object of that kind.
    """
    told = repr({**vars(settings), "source": None}).encode("utf-8", "surrogatepass")
    key = kind, hashlib.sha256(told).digest()
    known = _living.get(key)
    if known is None:
        known = _living[key] = kind(settings)
    elif known.settings.source != settings.source:
        known = copy.copy(known)
        known.__dict__["settings"] = settings  # past Tracked, whose notes the two share
    return known
