"""The normalizers of tokenizer.json in the graph, each a function from Characters to Characters.

Source: `tokenizers` 0.23, normalizers/.
"""

import base64
import binascii

import tensorflow as tf

from bert_tf.text import charsmap
from bert_tf.text import unicode_tables as unicode
from bert_tf.text.characters import CodePointTable, before, behind, flags_of
from bert_tf.text.spelling import Spelling
from bert_tf.text.tracked import Tracked
from bert_tf.text.unicode_forms import UnicodeForm

_FORMS = {"NFD": (False, False), "NFC": (False, True), "NFKD": (True, False), "NFKC": (True, True)}


def read(step):
    """The normalizers of a step, in their order.

    Args:
      step: Entries, empty where there is none.
    Returns:
      list of functions.
    Raises:
      InputError: a normalizer is not known here.
    """
    if not step:
        return []
    kind = step.one_of("type", *_KINDS)
    if kind is None:
        raise step.fault("type", f"one of {', '.join(_KINDS)}")
    if kind == "Sequence":
        inner = step.items("normalizers")
        return [each for key in inner.values for each in read(inner.inner(key))]
    return [_KINDS[kind](step)]


class StripAccents(Tracked):
    """Drops combining marks."""

    def __init__(self, step):
        super().__init__()
        self._marks = CodePointTable(flags_of(unicode.marks()))

    def __call__(self, characters):
        mark = (self._marks(characters.values) > 0) & (characters.token < 0)
        return _without(characters, mark)


class Strip(Tracked):
    """Drops white space at the ends of each stretch."""

    def __init__(self, step):
        super().__init__()
        self._left = step.get("strip_left", bool) is not False
        self._right = step.get("strip_right", bool) is not False
        self._spaces = CodePointTable(flags_of(unicode.WHITE_SPACE))

    def __call__(self, characters):
        space = (self._spaces(characters.values) > 0) & (characters.token < 0)
        at_start, at_end = _at_ends(characters, space)
        dropped = tf.zeros_like(space)
        if self._left:
            dropped |= at_start
        if self._right:
            dropped |= at_end
        return _without(characters, dropped)


class Replace(Tracked):
    """Puts a text in the place of each match of a pattern."""

    def __init__(self, step):
        super().__init__()
        pattern = step.inner("pattern")
        text, expression = pattern.get("String", str), pattern.get("Regex", str)
        self._content = step.get("content", str) or ""
        if text:
            self._find = _literal(text)
            if self._find is None:
                raise pattern.fault("String", "a text that does not overlap itself")
        elif expression in _EXPRESSIONS:
            self._find = _EXPRESSIONS[expression]
        else:
            known = " or ".join(map(repr, _EXPRESSIONS))
            raise pattern.fault("Regex", f"a String, or one of the expressions known here: {known}")

    def __call__(self, characters):
        inside, last = self._find(characters)
        inside &= characters.token < 0
        content = [ord(x) for x in self._content]

        def replaced():
            counts = tf.where(inside, tf.where(last, len(content), 0), 1)
            found, source, within = characters.repeated(counts)
            if not content:
                return found
            new = tf.gather(tf.constant(content), tf.minimum(within, len(content) - 1))
            values = tf.where(tf.gather(inside, source), new, found.values)
            return found._replace(values=values)

        return tf.cond(tf.reduce_any(inside), replaced, lambda: characters)


def _without(characters, dropped):
    return tf.cond(tf.reduce_any(dropped), lambda: characters.kept(~dropped), lambda: characters)


def _runs(characters, flags):
    """Runs of a flag within stretches: int32 [C] number of each character's run, and their sizes,
    of runs of either value."""
    begins = characters.segments() | (before(flags, False) != flags)
    run = tf.cumsum(tf.cast(begins, tf.int32)) - 1
    return run, tf.math.segment_sum(tf.ones_like(run), run), begins


def _at_ends(characters, flags):
    """bool [C] twice: is it in a run of the flag that begins, that ends, its stretch?"""
    run, _, _ = _runs(characters, flags)
    starts = characters.segments()
    ends = behind(starts, True)
    first = tf.math.segment_max(tf.cast(starts, tf.int32), run)
    last = tf.math.segment_max(tf.cast(ends, tf.int32), run)
    return flags & (tf.gather(first, run) > 0), flags & (tf.gather(last, run) > 0)


def _of_values(code_points):
    def flags(characters):
        found = [characters.values == c for c in sorted(code_points)]
        return tf.reduce_any(tf.stack(found), 0) & (characters.token < 0)

    return flags


_is_space, _is_any_space = _of_values([0x20]), _of_values(unicode.WHITE_SPACE)
_is_control_space = _of_values([0x9, 0xA, 0xD])


def _several_spaces(characters):
    flags = _is_space(characters)
    run, sizes, begins = _runs(characters, flags)
    inside = flags & (tf.gather(sizes, run) > 1)
    return inside, inside & behind(begins, True)


def _one_space_for_others(characters):
    flags = _is_any_space(characters)
    run, sizes, begins = _runs(characters, flags)
    inside = flags & ((tf.gather(sizes, run) > 1) | _is_control_space(characters))
    return inside, inside & behind(begins, True)


def _any_spaces(characters):
    flags = _is_any_space(characters)
    _, _, begins = _runs(characters, flags)
    return flags, flags & behind(begins, True)


def _spaces_at_ends(characters):
    at_start, at_end = _at_ends(characters, _is_space(characters))
    return at_start | at_end, at_start & False


def _mark_at_start(characters):
    found = _of_values([0x2581])(characters) & characters.segments()
    return found, found


# How `tokenizers` and transformers write the expressions in their converters.
_EXPRESSIONS = {
    " {2,}": _several_spaces,
    r"\s{2,}|[\n\r\t]": _one_space_for_others,
    r"\s+": _any_spaces,
    r"\A +| +\z": _spaces_at_ends,
    r"\A▁": _mark_at_start,
}


def _literal(text):
    """The matches of a text, or None for one that overlaps itself otherwise than "''" does."""
    letters, size = [ord(x) for x in text], len(text)
    if len(set(letters)) > 1 and any(text[i:] == text[: size - i] for i in range(1, size)):
        return None

    def find(characters):
        same = _of_values(letters[:1])(characters)
        if size == 1:
            return same, same
        if len(set(letters)) == 1:
            run, sizes, begins = _runs(characters, same)
            starts = tf.boolean_mask(tf.range(tf.size(run)), begins)
            place = tf.range(tf.size(run)) - tf.gather(starts, run)
            inside = same & (place < tf.gather(sizes, run) // size * size)
            return inside, inside & (place % size == size - 1)
        starts, free = characters.segments(), characters.token < 0
        values, ends = characters.values, same
        for letter in letters[1:]:
            ends = before(ends, False) & ~starts & free & (values == letter)
        inside, flags = ends, ends
        for _ in range(size - 1):
            flags = behind(flags, False)
            inside |= flags
        return inside, ends

    return find


def _prepend(step):
    from bert_tf.text.pre_tokenizers import prepended

    text = step.get("prepend", str)
    if not text or len(text) != 1:
        raise step.fault("prepend", "one character")

    def put(characters):
        begins = characters.segments()
        return prepended(characters, begins, begins & (characters.token < 0), ord(text))[0]

    return put


def _precompiled(step):
    try:
        content = base64.b64decode(step.get("precompiled_charsmap", str) or "", validate=True)
    except (binascii.Error, ValueError):
        raise step.fault("precompiled_charsmap", "base64") from None
    return charsmap.Charsmap(charsmap.read(content, f"{step.file}: {step.place}"))


_KINDS = {
    "Sequence": None,
    "Lowercase": lambda step: Spelling(unicode.lowered()),
    "StripAccents": StripAccents,
    "Strip": Strip,
    "Replace": Replace,
    "Prepend": _prepend,
    "Precompiled": _precompiled,
    **{name: lambda step, form=form: UnicodeForm(*form) for name, form in _FORMS.items()},
}
