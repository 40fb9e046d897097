"""The pre-tokenizers of tokenizer.json in the graph: where words begin, what is put before them.

Source: `tokenizers` 0.23, pre_tokenizers/.
"""

import tensorflow as tf

from bert_tf.text.byte_level import Words


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
    if not step:
        return [], False
    kind = step.one_of("type", *_KINDS)
    if kind is None:
        raise step.fault("type", f"one of {', '.join(_KINDS)}")
    if kind != "Sequence":
        return [_KINDS[kind](step)], kind == "ByteLevel"
    found, byte_level = [], False
    inner = step.items("pretokenizers")
    for key in inner.values:
        if byte_level:
            raise inner.inner(key).fault("type", "ByteLevel at the end alone")
        more, byte_level = read(inner.inner(key))
        found += more
    return found, byte_level


class ByteLevel(tf.Module):
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


_KINDS = {"ByteLevel": ByteLevel, "Sequence": None}
