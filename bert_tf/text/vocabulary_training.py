"""Training a WordPiece vocabulary: characters, and the merges of the most frequent pairs of pieces.

Schuster and Nakajima 2012 choose the pair that raises the likelihood most; pair frequency, as in
Sennrich et al. 2016, comes as close to the published vocabularies and needs no model.
"""

import array
import collections
import dataclasses
import heapq
import time

from absl import logging

from bert_tf.errors import ConfigError, InputError
from bert_tf.text import vocabulary_files
from bert_tf.text.tokenizer import Tokenizer
from bert_tf.text.word_counts import WordCounter
from bert_tf.text.wordpiece import WordPiece

_PREFIX = "##"
# A word with a character that is no entry becomes [UNK] and says nothing any more. That is taken
# for as bad as so many further pieces, when a rare character and a merge compete for an entry.
COST_OF_UNKNOWN = 10
_SECONDS_BETWEEN_NOTES = 15


def train_vocabulary(texts, size=30000, min_frequency=2, lowercase=False, unused=0):
    """Train a WordPiece tokenizer on texts.

    Words are counted as the tokenizer splits them, so every ideograph is a word. The entries are
    the five special tokens [PAD] [UNK] [CLS] [SEP] [MASK] with ids 0 to 4, `unused` entries,
    characters, and the merges of the most frequent pairs of pieces. Ties go by spelling: the same
    texts give the same vocabulary, in any order. A merge counts for the times it occurs and a
    character for ten times that, and the best of both become entries: that bounds the alphabet.
    Memory is bounded by the number of different words, see `word_counts.WordCounter`.

    Args:
      texts: iterable of str, of any length; read once.
      size: int, the number of entries; fewer when the texts hold no more pairs.
      min_frequency: int, how often an entry must occur in the texts at least.
      lowercase: bool; lower-case the texts and strip accents.
      unused: int, entries [unused0], [unused1], ... to be given a meaning later.
    Returns:
      Tokenizer.
    Raises:
      InputError: the texts hold no word.
      ConfigError: size is too small for the special tokens, or a number is below what it may be.
    """
    settings = bare_settings(lowercase, unused)
    counter = WordCounter(settings)
    for text in texts:
        counter.add(text)
    return learn_entries(settings, counter.words(), size, min_frequency).tokenizer


@dataclasses.dataclass(frozen=True)
class Learned:
    """A grown tokenizer, and what it makes of the words it was grown on.

    tokenizer: Tokenizer. entries: int, how many are new. words: int, all occurrences.
    unknown: int, those of them that become [UNK]. pieces: int, what the others are cut into.
    """

    tokenizer: Tokenizer
    entries: int
    words: int
    unknown: int
    pieces: int


def bare_settings(lowercase, unused=0):
    """WordPieceSettings of a vocabulary that holds nothing but special and unused tokens."""
    names = dict(vocabulary_files.SPECIAL)
    return vocabulary_files.WordPieceSettings(
        vocabulary=(*names.values(), *(f"[unused{i}]" for i in range(unused))),
        lowercase=lowercase,
        strip_accents=None,
        tokenize_chinese_chars=True,
        special_tokens=tuple(names.values()),
        model_max_length=None,
        source="the vocabulary",
        **names,
    )


def learn_entries(settings, words, size, min_frequency):
    """Grow a vocabulary to a size by entries that words call for; what it holds keeps its place.

    Args:
      settings: `vocabulary_files.WordPieceSettings` to start from.
      words: dict of str -> int, as `WordCounter.words` gives it.
      size: int, the number of entries to reach.
      min_frequency: int, how often a new entry must occur at least.
    Returns:
      Learned.
    Raises:
      InputError, ConfigError: as `train_vocabulary`.
    """
    held = settings.vocabulary
    if min_frequency < 1:
        raise ConfigError(f"min_frequency: {min_frequency}, wanted 1 or more")
    if size <= len(held):
        raise ConfigError(f"size: {size}, wanted more than the {len(held)} entries there are")
    if not words:
        raise InputError("the texts hold no word to learn a vocabulary from")
    alphabet = Alphabet(words, held, min_frequency)
    alphabet.shrink(size - len(held))
    lettered = (*held, *alphabet.entries())
    merges = Merges(*_cut(lettered, words), lettered, min_frequency)
    merged = _compete(alphabet, merges, size - len(held))
    entries = (*alphabet.entries(), *merged)
    grown = dataclasses.replace(settings, vocabulary=(*held, *entries))
    cut, counts = _cut(grown.vocabulary, words)
    pieces = sum(count * len(word) for word, count in zip(cut, counts, strict=True))
    total = sum(words.values())
    if len(grown.vocabulary) < size:
        logging.warning(
            "the vocabulary has %d entries, not %d: the texts hold no more that occur %d times",
            len(grown.vocabulary),
            size,
            min_frequency,
        )
    return Learned(Tokenizer(WordPiece(grown)), len(entries), total, total - sum(counts), pieces)


class Alphabet:
    """The characters that words are made of, and the entries each of them takes.

    One that is only ever a word by itself, as an ideograph is, takes one entry; others take two,
    with and without "##".

    Args:
      words: dict of str -> int.
      held: tuple of str, entries that are there already.
      min_frequency: int; rarer characters are left out.
    """

    def __init__(self, words, held, min_frequency):
        seen, joined = collections.Counter(), set()
        for word, count in words.items():
            for character in word:
                seen[character] += count
            if len(word) > 1:
                joined.update(word)
        held = set(held)
        self._ranked = []  # (worth, character, its new entries), the worthiest first
        for character, count in seen.items():
            forms = [character] + [_PREFIX + character] * (character in joined)
            forms = [form for form in forms if form not in held]
            if forms and count >= min_frequency:
                self._ranked.append((COST_OF_UNKNOWN * count // len(forms), character, forms))
        self._ranked.sort(key=lambda item: (-item[0], item[1]))
        self.size = sum(len(forms) for _, _, forms in self._ranked)

    def shrink(self, size):
        """Give the least worthy characters up until at most `size` entries are taken."""
        while self.size > size:
            self.give_up()

    def least_worth(self):
        """int, what the least worthy character's entry is worth in pieces saved; None if none."""
        return self._ranked[-1][0] if self._ranked else None

    def give_up(self):
        """Leave the least worthy character out."""
        self.size -= len(self._ranked.pop()[2])

    def entries(self):
        """list of str: characters by code point, then the same with "##"."""
        forms = sorted(form for _, _, forms in self._ranked for form in forms)
        whole = [form for form in forms if len(form) == 1]
        return whole + [form for form in forms if len(form) > 1]


def _cut(vocabulary, words):
    """Words cut by a vocabulary, those that become [UNK] left out: lists of ids, and counts."""
    ids = {entry: i for i, entry in enumerate(vocabulary)}
    longest = max(map(len, vocabulary))
    cut, counts = [], []
    for word, count in words.items():
        if pieces := pieces_of(word, ids, longest):
            cut.append(pieces)
            counts.append(count)
    return cut, counts


def pieces_of(entry, ids, longest=100):
    """What a vocabulary cuts an entry or a word into, the longest piece first, as the tokenizer.

    Args:
      entry: str, with "##" if it continues a word.
      ids: dict of str -> int, the vocabulary.
      longest: int, no entry is longer.
    Returns:
      list of int; empty when it cannot be cut.
    """
    prefix = _PREFIX if entry.startswith(_PREFIX) else ""
    found, start, end = [], len(prefix), len(entry)
    while start < end:
        for stop in range(min(end, start + longest), start, -1):
            piece = ids.get(prefix + entry[start:stop])
            if piece is not None:
                break
        else:
            return []
        found.append(piece)
        prefix, start = _PREFIX, stop
    return found


def _compete(alphabet, merges, room):
    """Take merges, the most frequent first, while there is room or a character worth less."""
    taken, noted = [], time.monotonic()
    while (best := merges.best()) is not None:
        count, pair, text = best
        if text in merges.ids:  # the same piece, put together in another way
            merges.apply(pair, text)
            continue
        while alphabet.size + len(taken) >= room:
            worth = alphabet.least_worth()
            if worth is None or worth >= count:
                return taken
            alphabet.give_up()
        merges.apply(pair, text)
        taken.append(text)
        if time.monotonic() - noted > _SECONDS_BETWEEN_NOTES:
            noted = time.monotonic()
            logging.info("%d of %d entries learned", alphabet.size + len(taken), room)
    return taken


class Merges:
    """Words as runs of pieces, and how often every pair of neighbours occurs.

    An index tells in which words a pair occurs, and a heap which pair is the most frequent, so a
    merge costs what the words it changes cost. A pair that falls below `min_frequency` is
    forgotten: its count cannot rise again, but for a piece that is put together in a second way.

    Args:
      words: list of lists of int, changed in place.
      counts: list of int, how often each word occurs.
      vocabulary: tuple of str, the piece of each number.
      min_frequency: int; rarer pairs are never merged.
    """

    def __init__(self, words, counts, vocabulary, min_frequency):
        self.words, self._counts = words, counts
        self.pieces = list(vocabulary)
        self.ids = {piece: i for i, piece in enumerate(self.pieces)}
        self._least = min_frequency
        self._totals = collections.defaultdict(int)
        self._places = collections.defaultdict(lambda: array.array("i"))
        for number, word in enumerate(words):
            for pair in zip(word, word[1:], strict=False):
                self._totals[pair] += counts[number]
                self._places[pair].append(number)
        self._heap = [
            (-count, self._text(pair), pair)
            for pair, count in self._totals.items()
            if count >= min_frequency
        ]
        heapq.heapify(self._heap)

    def _text(self, pair):
        """The piece that a pair makes."""
        return self.pieces[pair[0]] + self.pieces[pair[1]][len(_PREFIX) :]

    def best(self):
        """(count, pair, text) of the most frequent pair, the first by spelling among equals."""
        while self._heap:
            count, text, pair = self._heap[0]
            now = self._totals.get(pair, 0)
            if now == -count:
                return now, pair, text
            # It became rarer since it was put there.
            if now >= self._least:
                heapq.heapreplace(self._heap, (-now, text, pair))
            else:
                heapq.heappop(self._heap)
        return None

    def apply(self, pair, text):
        """Make a pair of neighbours one piece wherever it occurs."""
        piece = self.ids.setdefault(text, len(self.pieces))
        if piece == len(self.pieces):
            self.pieces.append(text)
        del self._totals[pair]
        changes = collections.defaultdict(int)
        for number in self._places.pop(pair):
            old = self.words[number]
            new = _joined(old, pair, piece)
            if len(new) == len(old):  # named twice, or changed since by another merge
                continue
            count = self._counts[number]
            for each in zip(old, old[1:], strict=False):
                changes[each] -= count
            for each in zip(new, new[1:], strict=False):
                changes[each] += count
                if piece in each:
                    self._places[each].append(number)
            self.words[number] = new
        changes.pop(pair, None)
        for each, change in changes.items():
            self._change(each, change)

    def _change(self, pair, change):
        total = self._totals.get(pair, 0) + change
        if total < self._least:
            self._totals.pop(pair, None)
            self._places.pop(pair, None)
        elif change:
            self._totals[pair] = total
            if change > 0:
                heapq.heappush(self._heap, (-total, self._text(pair), pair))


def _joined(word, pair, piece):
    """A word, list of int, with every occurrence of a pair replaced by one piece."""
    first, second = pair
    new, place, last = [], 0, len(word) - 1
    while place <= last:
        if word[place] == first and place < last and word[place + 1] == second:
            new.append(piece)
            place += 2
        else:
            new.append(word[place])
            place += 1
    return new
