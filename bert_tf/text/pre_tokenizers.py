"""The pre-tokenizers of tokenizer.json in the graph: where words begin, what is put before them.

Source: `tokenizers` 0.23, pre_tokenizers/.
"""

import tensorflow as tf

from bert_tf.text.byte_level import Words
from bert_tf.text.characters import CodePointTable, before, flags_of
from bert_tf.text.tracked import Tracked
from bert_tf.text.unicode_tables import PUNCTUATION, WHITE_SPACE


def read(step):
    """The pre-tokenizers of a step, in their order.

    Args:
      step: Entries, empty where there is none.
    Returns:
      list of functions (Characters, begins) -> (Characters, begins), begins bool [C], where a word
      begins; and bool, whether words are cut into bytes.
    Raises:
      InputError: a pre-tokenizer is not known here.
    """
    steps = list(_flat(step)) if step else []
    kinds = [each.one_of("type", *_KINDS) for each in steps]
    for number, (each, kind) in enumerate(zip(steps, kinds, strict=True)):
        if kind is None:
            raise each.fault("type", f"one of {', '.join(_KINDS)}")
        if kind == "ByteLevel" and number < len(steps) - 1:
            raise each.fault("type", "ByteLevel at the end alone")
    return [_KINDS[kind](each) for each, kind in zip(steps, kinds, strict=True)], (
        "ByteLevel" in kinds
    )


def _flat(step):
    """The steps of a Sequence, or the one there is."""
    if step.get("type", str) != "Sequence":
        yield step
        return
    inner = step.items("pretokenizers")
    for key in inner.values:
        yield from _flat(inner.inner(key))


class ByteLevel(Tracked):
    """A space before each stretch of text that has none, if asked for, and GPT-2's words."""

    def __init__(self, step):
        super().__init__()
        self._add_prefix_space = step.get("add_prefix_space", bool) is not False
        self._words = Words() if step.get("use_regex", bool) is not False else None

    def __call__(self, characters, begins):
        if self._add_prefix_space:
            wanted = begins & (characters.values != ord(" ")) & (characters.token < 0)
            characters, begins = prepended(characters, begins, wanted, ord(" "))
        if self._words is not None:
            begins = self._words(characters, begins)
        return characters, begins


def prepended(characters, begins, wanted, code_point):
    """A character put before others, which has the place of the one it stands before.

    Args:
      characters: Characters. begins: bool [C]. wanted: bool [C], those to put it before; words
        begin there.
      code_point: int.
    Returns:
      Characters, and begins of the same words.
    """

    def put():
        new, source, within = characters.repeated(1 + tf.cast(wanted, tf.int32))
        wanted_here = tf.gather(wanted, source)
        values = tf.where(wanted_here & (within == 0), code_point, new.values)
        first = tf.gather(begins, source) & (within == 0)
        return (*new._replace(values=values), first)

    found = tf.cond(tf.reduce_any(wanted), put, lambda: (*characters, begins))
    return type(characters)(*found[:-1]), found[-1]


class Metaspace(Tracked):
    """A mark for each space, one put before a stretch, and words that begin with it."""

    def __init__(self, step):
        super().__init__()
        mark = step.get("replacement", str) or "▁"
        if len(mark) != 1:
            raise step.fault("replacement", "one character")
        self._mark = ord(mark)
        self._scheme = step.one_of("prepend_scheme", "always", "first", "never") or "always"
        if step.get("add_prefix_space", bool) is False:
            self._scheme = "never"
        self._split = step.get("split", bool) is not False

    def __call__(self, characters, begins):
        space = (characters.values == ord(" ")) & (characters.token < 0)
        characters = characters._replace(values=tf.where(space, self._mark, characters.values))
        if self._scheme != "never":
            wanted = begins & (characters.values != self._mark) & (characters.token < 0)
            if self._scheme == "first":
                starts = tf.gather(characters.splits, characters.rows())
                # The raw text of a row begins where the first character of its first word does.
                wanted &= tf.cast(starts, tf.int32) == tf.range(tf.size(begins))
            characters, begins = prepended(characters, begins, wanted, self._mark)
        if self._split:
            begins |= (characters.values == self._mark) & (characters.token < 0)
        return characters, begins


class WhitespaceSplit(Tracked):
    """Words are what stands between white space, which is dropped."""

    def __init__(self, step):
        super().__init__()
        self._spaces = CodePointTable(flags_of(WHITE_SPACE))

    def __call__(self, characters, begins):
        space = (self._spaces(characters.values) > 0) & (characters.token < 0)
        begins |= before(space, False)
        return characters.kept(~space), tf.boolean_mask(begins, ~space)


class Alone(Tracked):
    """Some characters are words of their own."""

    def __init__(self, code_points):
        super().__init__()
        self._table = CodePointTable(flags_of(code_points))

    def __call__(self, characters, begins):
        found = (self._table(characters.values) > 0) & (characters.token < 0)
        return characters, begins | found | before(found, False)


def _punctuation(step):
    if step.one_of("behavior", "Isolated", "isolated") is None:
        raise step.fault("behavior", "'Isolated'")
    return Alone(PUNCTUATION)


_KINDS = {
    "ByteLevel": ByteLevel,
    "Metaspace": Metaspace,
    "WhitespaceSplit": WhitespaceSplit,
    "Punctuation": _punctuation,
}
