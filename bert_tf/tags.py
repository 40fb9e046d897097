"""The tags of words, such as B-PER, and the spans that they mean."""

import functools
import typing

OUTSIDE = "O"
# What a place without a label has for one, as in transformers.
IGNORED = -100
# What a word is in its span; the numbers stand in the arrays of a TagSet.
ROLES = {"O": 0, "B": 1, "I": 2, "E": 3, "S": 4}
# First letters of tags: those of BIOES, BILOU and BMEW mean the same things.
_LETTERS = {"B": "B", "I": "I", "E": "E", "S": "S", "L": "E", "U": "S", "M": "I", "W": "S"}
SCHEMES = ("IOB2", "BIOES")


class Tagging(typing.NamedTuple):
    """How tags of a file are taken.

    Attributes:
      scheme: str, one of SCHEMES, in which spans are learned.
      strict: bool, whether a tag that goes on with a span that nothing began is refused; else it
        begins one.
    """

    scheme: str = SCHEMES[0]
    strict: bool = False


@functools.lru_cache(maxsize=4096)
def split(tag):
    """A tag as (letter of ROLES, label of the span): B-PER -> ("B", "PER"), O -> ("O", "").

    None for a tag of no scheme, which is a label of its own.
    """
    if tag == OUTSIDE:
        return (OUTSIDE, "")
    if len(tag) > 2 and tag[1] == "-" and tag[0] in _LETTERS:
        return (_LETTERS[tag[0]], tag[2:])
    return None


def goes_on(before, now):
    """bool, whether a word is in the span of the word before; both as `split` gives them."""
    return before[0] in ("B", "I") and now[0] in ("I", "E") and before[1] == now[1]


def spans_of(tags):
    """The spans of a sentence: what conlleval and the default mode of seqeval find.

    A span begins at each word that is not outside and does not go on with the one before, whatever
    its letter, so that IOB1, IOB2, BIOES and BILOU are read alike. Source: Tjong Kim Sang and De
    Meulder 2003, the script conlleval.

    Args:
      tags: list of str.
    Returns:
      list of (first word, word behind the last, label).
    """
    spans, before = [], (OUTSIDE, "")
    for place, tag in enumerate(tags):
        now = split(tag) or (OUTSIDE, "")
        if goes_on(before, now):
            spans[-1][1] = place + 1
        elif now[0] != OUTSIDE:
            spans.append([place, place + 1, now[1]])
        before = now
    return [tuple(span) for span in spans]


def names_of(labels, scheme):
    """The tags for spans of some labels, tuple of str: O first.

    Args:
      labels: iterable of str.
      scheme: str, one of SCHEMES.
    """
    letters = {"IOB2": "BI", "BIOES": "BIES"}[scheme]
    return (OUTSIDE, *(f"{letter}-{label}" for label in labels for letter in letters))


class TagSet:
    """The tags of a model by their numbers.

    Args:
      names: sequence of str, the tags in the order of their numbers.

    Attributes:
      plain: bool, the tags are labels of words, not parts of spans: every word is a span.
      labels: tuple of str, of spans.
      roles, labels_of: tuple of int, of each tag the number of ROLES, and that of its label in
        `labels`, -1 for none.
      outside: int, the number of O; IGNORED where there is none.
    """

    def __init__(self, names):
        self.names = tuple(names)
        parts = [split(name) for name in self.names]
        self.plain = not any(part and part[1] for part in parts)
        if self.plain:
            parts = [("S", name) for name in self.names]
        parts = [part or (OUTSIDE, "") for part in parts]
        self.labels = tuple(dict.fromkeys(label for letter, label in parts if letter != OUTSIDE))
        places = {label: number for number, label in enumerate(self.labels)}
        self.roles = tuple(ROLES[letter] for letter, _ in parts)
        self.labels_of = tuple(places.get(x, -1) if y != OUTSIDE else -1 for y, x in parts)
        self._numbers = {part: number for number, part in reversed([*enumerate(parts)])}
        self.outside = IGNORED if self.plain else self._numbers.get((OUTSIDE, ""), IGNORED)

    def numbers(self, label):
        """The numbers of the tags that a span's first, inner, last and single word has.

        Where a scheme has no tag for one of them, another of its tags stands for it. Four times -1
        for a label that no tag has.
        """
        if self.plain:
            return (self._numbers.get(("S", label), -1),) * 4
        begin, inside, end, single = (self._numbers.get((letter, label)) for letter in "BIES")
        known = next((x for x in (begin, inside, end, single) if x is not None), -1)
        begin = known if begin is None else begin
        inside = begin if inside is None else inside
        return begin, inside, inside if end is None else end, begin if single is None else single

    def allowed(self):
        """What may begin a sentence, follow a tag, and end a sentence, where spans are whole.

        Returns:
          bool lists [K], [K][K] (a row a tag, a column the one behind it), [K].
        """
        count = range(len(self.names))
        begins = ROLES["B"] in self.roles
        closes = bool({ROLES["E"], ROLES["S"]} & {*self.roles}) and not self.plain
        opened, inner = (ROLES["B"], ROLES["I"]), (ROLES["I"], ROLES["E"])

        def follows(before, now):
            same = self.roles[before] in opened and self.labels_of[before] == self.labels_of[now]
            if self.roles[now] in inner:
                return same or not begins
            return not (closes and self.roles[before] in opened)

        starts = [not (begins and self.roles[tag] in inner) for tag in count]
        ends = [not (closes and self.roles[tag] in opened) for tag in count]
        return starts, [[follows(one, other) for other in count] for one in count], ends
