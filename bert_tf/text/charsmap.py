"""SentencePiece's precompiled character map in the graph, with the alignment of the reference.

The reference (`tokenizers`, normalizers/precompiled.rs) asks the map for each cluster of characters
of less than six bytes, and takes the shortest key that begins it for all of it; else for each
character. Format: the bytes of a double array as a little-endian uint32, the array, and the
spellings, each with a zero behind it (`spm_precompiled`).
"""

import numpy as np
import tensorflow as tf

from bert_tf.errors import InputError
from bert_tf.text import unicode_tables as unicode
from bert_tf.text.characters import CodePointTable, before, behind
from bert_tf.text.key_tables import KeyTable
from bert_tf.text.spelling import Spelling, aligned
from bert_tf.text.tracked import Tracked

_LONGEST = 5  # bytes of a key that a cluster can begin with
_BITS = 21  # of a code point
_JOINS, _CONTROL, _PREPENDED, _PICTURE = 1, 2, 4, 8
_LEAD, _VOWEL, _TAIL, _OPEN, _CLOSED = (1 << i for i in range(4, 9))


def read(content, where):
    """The keys of a map.

    Args:
      content: bytes. where: str, the place that errors name.
    Returns:
      dict of str -> str.
    Raises:
      InputError: it is damaged.
    """
    size = int.from_bytes(content[:4], "little")
    if len(content) < 4 or size % 4 or size < 4 or 4 + size > len(content):
        raise InputError(
            f"{where}: the character map says that its table has {size} bytes, and has "
            f"{max(len(content) - 4, 0)}"
        )
    units = np.frombuffer(content, "<u4", size // 4, 4).astype(np.int64)
    texts = content[4 + size :]
    found, states = {}, [(_offset(int(units[0])), b"")]
    labels = np.arange(1, 256)
    while states:
        place, key = states.pop()
        at = place ^ labels
        inside = at < len(units)
        wanted = units[np.where(inside, at, 0)] & 0x800000FF
        for byte in labels[inside & (wanted == labels)].tolist():
            unit, spelled = int(units[place ^ byte]), key + bytes([byte])
            child = place ^ byte ^ _offset(unit)
            if unit >> 8 & 1:
                _add(found, spelled, child, units, texts, where)
            elif len(spelled) < _LONGEST:
                states.append((child, spelled))
        if len(found) + len(states) > len(units):
            raise InputError(f"{where}: the character map runs in circles")
    return found


def _add(found, key, place, units, texts, where):
    """Add the spelling of a key, whose unit says where among the texts it begins."""
    if place >= len(units):
        raise InputError(f"{where}: the character map points outside its table")
    start = int(units[place]) & 0x7FFFFFFF
    end = texts.find(b"\0", start)
    if start > len(texts):
        raise InputError(f"{where}: the character map points outside its texts")
    try:
        found[key.decode()] = texts[start : end if end >= 0 else None].decode()
    except UnicodeDecodeError:
        raise InputError(f"{where}: the character map is not UTF-8") from None


def _offset(unit):
    return (unit >> 10) << ((unit & (1 << 9)) >> 6)


class Charsmap(Tracked):
    """Spells texts as the map says.

    Args:
      keys: dict of str -> str, as `read` gives it.
    """

    def __init__(self, keys):
        super().__init__()
        # The spelling of a cluster hangs on a private code point, which is its name here.
        single = {ord(key): text for key, text in keys.items() if len(key) == 1}
        several = {
            key: text
            for key, text in keys.items()
            if 1 < len(key) <= 3 and ord(key[0]) not in single
        }
        free = (c for c in range(0x10FFFF, 0xF0000, -1) if c not in single)
        names = {key: next(free) for key in several}
        self._spelling = Spelling(single)
        self._clusters = Spelling({names[key]: text for key, text in several.items()})
        packed = [_pack([ord(x) for x in key]) for key in several]
        self._keys = KeyTable(np.array(packed, np.int64), np.array(list(names.values()), np.int32))
        mapped = np.zeros(0x110000, np.int32)
        mapped[list(single)] = 1
        self._mapped = CodePointTable(mapped)
        self._kinds = CodePointTable(_kinds())

    def __call__(self, characters):
        """`Characters` spelled as the map says."""
        kinds = self._kinds(characters.values)
        joins = kinds & _JOINS > 0
        joins |= (characters.values == ord("\n")) | (kinds & (_VOWEL | _TAIL) > 0)
        return tf.cond(
            tf.reduce_any(joins),
            lambda: self._by_cluster(characters, kinds),
            lambda: self._spelled(characters, tf.zeros_like(joins), tf.ones_like(kinds)),
        )

    def _by_cluster(self, characters, kinds):
        values = characters.values
        begins = characters.segments() | ~_joined(values, kinds)
        cluster = tf.cumsum(tf.cast(begins, tf.int32)) - 1
        sizes = 1 + sum(tf.cast(values >= limit, tf.int32) for limit in (0x80, 0x800, 0x10000))
        of_cluster = tf.math.segment_sum(sizes, cluster)
        count = tf.math.segment_sum(tf.ones_like(sizes), cluster)
        small = tf.gather((of_cluster <= _LONGEST) & (count > 1), cluster)
        first = begins & small & (characters.token < 0)
        within = small & ~begins
        # The shortest key counts: the first character, then the first two, then three.
        second = tf.where(behind(within, False), behind(values, 0), 0)
        there = (second > 0) & behind(behind(within, False), False)
        third = tf.where(there, behind(behind(values, 0), 0), 0)
        known = first & (self._mapped(values) > 0)
        named = values
        for parts in ([values, second], [values, second, third]):
            place, found = self._keys(_pack_tensors(parts))
            found &= first & ~known & (parts[-1] > 0)
            named = tf.where(found, tf.gather(self._keys.columns[0], place), named)
            known |= found
        taken = within & tf.gather(
            tf.math.segment_max(tf.cast(known, tf.int32), cluster) > 0, cluster
        )
        count = tf.where(known, tf.gather(count, cluster), 1)
        return self._spelled(characters._replace(values=named), taken, count, named != values)

    def _spelled(self, characters, taken, count, by_cluster=None):
        """Spell characters.

        Args:
          characters: Characters; a cluster that is spelled as one has its name in its first one.
          taken: bool [C], it belongs to the one before. count: int32 [C], how many each stands for.
          by_cluster: bool [C], whether its name is that of a cluster.
        """
        new = self._spelling.new(characters)
        sizes = self._spelling.sizes(new)
        if by_cluster is not None:
            of_cluster = self._clusters.new(characters)
            sizes = tf.where(by_cluster, self._clusters.sizes(of_cluster), sizes)
        changed = tf.reduce_any(sizes != 1) | tf.reduce_any(taken)
        if by_cluster is not None:
            changed |= tf.reduce_any(by_cluster)

        def spell_out():
            counts = tf.where(taken, 0, sizes)
            found, source, within = characters.repeated(counts)
            values = self._spelling.letters(tf.gather(new, source), within)
            if by_cluster is not None:
                others = self._clusters.letters(tf.gather(of_cluster, source), within)
                values = tf.where(tf.gather(by_cluster, source), others, values)
            segment = tf.cumsum(tf.cast(characters.segments(), tf.int32)) - 1
            # What is more than it was is added, what is less is taken with the last one before.
            changes = tf.cast(within >= tf.gather(count, source), tf.int32)
            less = tf.where(taken, 0, tf.maximum(count - counts, 0))
            last = tf.cumsum(counts) - 1
            at = tf.where(less > 0)[:, 0]
            place = tf.gather(last, at)
            of = tf.gather(segment, source)
            same = (place >= 0) & (tf.gather(of, tf.maximum(place, 0)) == tf.gather(segment, at))
            changes = tf.tensor_scatter_nd_sub(
                changes,
                tf.boolean_mask(place, same)[:, None],
                tf.boolean_mask(tf.gather(less, at), same),
            )
            return aligned(characters, found._replace(values=values), changes, of)

        return tf.cond(changed, spell_out, lambda: characters._replace(values=new))


def _kinds():
    """What each code point is to clusters, int32."""
    kinds = np.zeros(0x110000, np.int32)
    for flag, members in (
        (_JOINS, unicode.joining()),
        (_CONTROL, unicode.CLUSTER_CONTROLS),
        (_PREPENDED, unicode.PREPENDED),
        (_PICTURE, (0xA9, 0xAE)),
        (_LEAD, [*range(0x1100, 0x1160), *range(0xA960, 0xA97D)]),
        (_VOWEL, [*range(0x1160, 0x11A8), *range(0xD7B0, 0xD7C7)]),
        (_TAIL, [*range(0x11A8, 0x1200), *range(0xD7CB, 0xD7FC)]),
        (_OPEN, range(0xAC00, 0xD7A4, 28)),
        (_CLOSED, [c for c in range(0xAC00, 0xD7A4) if (c - 0xAC00) % 28]),
    ):
        kinds[sorted(members)] |= flag
    return kinds


def _joined(values, kinds):
    """bool [C], whether a character belongs to the cluster of the one before it."""
    last, last_value = before(kinds, _CONTROL), before(values, 0)

    def after(flags, now):
        return (last & flags > 0) & (kinds & now > 0)

    joined = (kinds & _JOINS > 0) | ((last & _PREPENDED > 0) & (kinds & _CONTROL == 0))
    joined &= last & _CONTROL == 0
    joined |= after(_LEAD, _LEAD | _VOWEL | _OPEN | _CLOSED)
    joined |= after(_OPEN | _VOWEL, _VOWEL | _TAIL) | after(_CLOSED | _TAIL, _TAIL)
    joined |= (last_value == ord("\r")) & (values == ord("\n"))
    picture = (before(last_value, 0) == 0xA9) | (before(last_value, 0) == 0xAE)
    return joined | (
        picture & (last_value == 0x200D) & ((kinds & _PICTURE > 0) | (values > 0x2000))
    )


def _pack(code_points):
    """An int of up to three code points."""
    number = 0
    for c in code_points:
        number = number << _BITS | c
    return number


def _pack_tensors(parts):
    number = tf.zeros_like(parts[0], tf.int64)
    for part in parts:
        number = tf.bitwise.left_shift(number, tf.constant(_BITS, tf.int64))
        number |= tf.cast(part, tf.int64)
    return number
