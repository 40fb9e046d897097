"""The decoder of tokenizer.json: tokens back to text, in Python.

Source: `tokenizers` 0.23, decoders/ and pre_tokenizers/.
"""

import re

from bert_tf.text.byte_level import alphabet

_SPACE_MARK = "▁"
_BYTE = "<0x[0-9A-Fa-f]{2}>"
_BYTE_OF = {letter: byte for byte, letter in enumerate(alphabet())}


def check(step):
    """Raise InputError for a decoder that is not known here; `step` is its Entries."""
    decode([], step)


def decode(tokens, step):
    """The text of tokens.

    Args:
      tokens: list of str.
      step: Entries of the decoder; without one spaces stand between tokens.
    Returns:
      str.
    Raises:
      InputError: the decoder is of another kind.
    """
    if not step:
        return " ".join(tokens)
    return "".join(_chain(list(tokens), step))


def surface(token, step):
    """What one token adds to a text, bytes; the space before the first word is there."""
    if step.get("type", str) == "ByteLevel":
        letters = [_BYTE_OF.get(letter) for letter in token]
        return token.encode() if None in letters else bytes(letters)
    if re.fullmatch(_BYTE, token):
        return bytes([int(token[3:5], 16)])
    return token.replace(_SPACE_MARK, " ").encode()


def leads_with_space(step):
    """bool, whether `decode` takes away a space before the first word."""
    if step.get("type", str) == "Metaspace":
        return _scheme(step) != "never"
    inner = step.items("decoders")
    return any(inner.inner(key).get("type", str) == "Strip" for key in inner.values)


def _chain(tokens, step):
    kind = step.one_of("type", *_DECODERS)
    if kind is None:
        raise step.fault("type", f"one of {', '.join(_DECODERS)}")
    return _DECODERS[kind](tokens, step)


def _byte_level(tokens, step):
    found = b"".join(surface(token, step) for token in tokens)
    return [found.decode("utf-8", "replace")]


def _metaspace(tokens, step):
    mark = step.get("replacement", str) or _SPACE_MARK
    texts = [token.replace(mark, " ") for token in tokens]
    if texts and _scheme(step) != "never":
        texts[0] = tokens[0].replace(mark, "")
    return texts


def _scheme(step):
    scheme = step.one_of("prepend_scheme", "always", "first", "never") or "always"
    return "never" if step.get("add_prefix_space", bool) is False else scheme


def _sequence(tokens, step):
    inner = step.items("decoders")
    for key in inner.values:
        tokens = _chain(tokens, inner.inner(key))
    return tokens


def _replace(tokens, step):
    old = step.inner("pattern").get("String", str)
    if not old:
        raise step.fault("pattern", "a String")
    return [token.replace(old, step.get("content", str) or "") for token in tokens]


def _byte_fallback(tokens, step):
    found, run = [], b""

    def end_run():
        try:
            found.append(run.decode("utf-8"))
        except UnicodeDecodeError:
            found.extend("\ufffd" * len(run))

    for token in tokens:
        if re.fullmatch(_BYTE, token):
            run += bytes([int(token[3:5], 16)])
            continue
        if run:
            end_run()
            run = b""
        found.append(token)
    if run:
        end_run()
    return found


def _fuse(tokens, step):
    return ["".join(tokens)]


def _strip(tokens, step):
    content, start, stop = step.get("content", str), step.get("start", int), step.get("stop", int)
    if not content or len(content) != 1:
        raise step.fault("content", "one character")
    found = []
    for token in tokens:
        left = len(token) - len(token.lstrip(content))
        token = token[min(left, start or 0) :]
        right = len(token) - len(token.rstrip(content))
        found.append(token[: len(token) - min(right, stop or 0)])
    return found


_DECODERS = {
    "ByteLevel": _byte_level,
    "Metaspace": _metaspace,
    "Sequence": _sequence,
    "Replace": _replace,
    "ByteFallback": _byte_fallback,
    "Fuse": _fuse,
    "Strip": _strip,
}
