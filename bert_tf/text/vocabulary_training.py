"""Training a WordPiece vocabulary: characters, and the merges of the most frequent pairs of pieces.

Schuster and Nakajima 2012 choose the pair that raises the likelihood most; pair frequency, as in
Sennrich et al. 2016, comes as close to the published vocabularies and needs no model.
"""

import collections
import dataclasses
import time

from absl import logging

from bert_tf.errors import ConfigError, InputError
from bert_tf.text import vocabulary_files
from bert_tf.text.added_tokens import SPECIAL, AddedToken
from bert_tf.text.merges import PREFIX, Merges, pieces_of
from bert_tf.text.tokenizer import Tokenizer
from bert_tf.text.word_counts import WordCounter
from bert_tf.text.wordpiece import WordPiece

# A word with a character that is no entry becomes [UNK] and says nothing any more. It counts as
# so many pieces when a rare character and a merge compete for an entry.
COST_OF_UNKNOWN = 10
_SECONDS_BETWEEN_LOGS = 15


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
    check_numbers(settings, size, min_frequency)
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
    names = dict(SPECIAL)
    vocabulary = (*names.values(), *(f"[unused{i}]" for i in range(unused)))
    return vocabulary_files.WordPieceSettings(
        vocabulary=vocabulary,
        base_size=len(vocabulary),
        lowercase=lowercase,
        strip_accents=None,
        tokenize_chinese_chars=True,
        added_tokens=tuple(map(AddedToken, names.values())),
        model_max_length=None,
        source="the vocabulary",
        **names,
    )


def check_numbers(settings, size, min_frequency):
    """Raises ConfigError for a size or a frequency that `learn_entries` cannot use."""
    held = len(settings.vocabulary)
    if min_frequency < 1:
        raise ConfigError(f"min_frequency: {min_frequency}, wanted 1 or more")
    if size <= held:
        raise ConfigError(f"size: {size}, wanted more than the {held} entries there are")


def learn_entries(settings, words, size, min_frequency):
    """Grow a vocabulary to a size by the entries that cut words best; the old ones keep their ids.

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
    check_numbers(settings, size, min_frequency)
    held = settings.vocabulary
    if not words:
        raise InputError("the texts hold no word to learn a vocabulary from")
    alphabet = Alphabet(words, held, min_frequency)
    alphabet.shrink(size - len(held))
    lettered = (*held, *alphabet.entries())
    merges = Merges(*_cut(lettered, words), lettered, min_frequency)
    merged = _select_merges(alphabet, merges, size - len(held))
    entries = (*alphabet.entries(), *merged)
    # WordPiece then knows the added tokens too: new entries have the ids behind theirs.
    whole = (*held, *entries)
    grown = dataclasses.replace(settings, vocabulary=whole, base_size=len(whole))
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


def learn_words(settings, words, size, min_frequency):
    """Grow a vocabulary to a size by whole words, the most frequent first, ties by spelling; what
    is no entry is [UNK] then. Arguments and Returns as `learn_entries`."""
    check_numbers(settings, size, min_frequency)
    held = set(settings.vocabulary)
    ranked = sorted((-count, word) for word, count in words.items() if word not in held)
    taken = [word for count, word in ranked if -count >= min_frequency]
    taken = taken[: size - len(settings.vocabulary)]
    if not taken:
        raise InputError(f"the texts hold no word that occurs {min_frequency} times")
    whole = (*settings.vocabulary, *taken)
    grown = dataclasses.replace(settings, vocabulary=whole, base_size=len(whole))
    total, known = sum(words.values()), sum(words[word] for word in taken)
    return Learned(Tokenizer(WordPiece(grown)), len(taken), total, total - known, known)


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
        self._ranked = []  # (value, character, its new entries), the highest value first
        for character, count in seen.items():
            forms = [character] + [PREFIX + character] * (character in joined)
            forms = [form for form in forms if form not in held]
            if forms and count >= min_frequency:
                self._ranked.append((COST_OF_UNKNOWN * count // len(forms), character, forms))
        self._ranked.sort(key=lambda item: (-item[0], item[1]))
        self.size = sum(len(forms) for _, _, forms in self._ranked)

    def shrink(self, size):
        """Drop the characters of the lowest value until at most `size` entries are taken."""
        while self.size > size:
            self.drop_lowest()

    def lowest_value(self):
        """int, the pieces saved by an entry of the last character; None if there is none."""
        return self._ranked[-1][0] if self._ranked else None

    def drop_lowest(self):
        """Drop the character of the lowest value."""
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


def _select_merges(alphabet, merges, room):
    """Take merges, the most frequent first, while there is room or a character of lower value."""
    taken, last_log = [], time.monotonic()
    while (best := merges.best()) is not None:
        count, pair, text = best
        if text in merges.ids:  # the same piece, put together in another way
            merges.apply(pair, text)
            continue
        while alphabet.size + len(taken) >= room:
            value = alphabet.lowest_value()
            if value is None or value >= count:
                return taken
            alphabet.drop_lowest()
        merges.apply(pair, text)
        taken.append(text)
        if time.monotonic() - last_log > _SECONDS_BETWEEN_LOGS:
            last_log = time.monotonic()
            logging.info("%d of %d entries learned", alphabet.size + len(taken), room)
    return taken
