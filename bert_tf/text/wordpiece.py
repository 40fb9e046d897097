"""WordPiece (BERT, Devlin et al. 2019): texts to ids and character offsets, in the graph, and back.

Plain ASCII lines go to the fast matcher (Song et al. 2021, "Fast WordPiece Tokenization") almost as
they are; the others pass through `normalization` first. Both give the ids and offsets of the
`tokenizers` library.
"""

import functools

import numpy as np
import tensorflow as tf

from bert_tf.errors import InputError
from bert_tf.text import normalization, unicode_tables, vocabulary_files
from bert_tf.text.characters import PLACEHOLDER
from bert_tf.text.template import Template
from bert_tf.text.token_search import TokenSearch
from bert_tf.text.tracked import Tracked
from bert_tf.text.word_matcher import WordMatcher

_PREFIX = "##"
_SPLITS = r"\t\n\r -/:-@\[-`{-~"
_WORD = r"[A-Za-z0-9]"
_LIMIT = normalization.MAX_WORD_CHARACTERS
# Printable ASCII without a word that is too long: normalizing such a text is lower-casing it.
_PLAIN = rf"[{_SPLITS}]*(?:{_WORD}{{1,{_LIMIT}}}[{_SPLITS}]+)*{_WORD}{{0,{_LIMIT}}}"
_UNREACHABLE = unicode_tables.REMOVED | unicode_tables.SPACES
# The detokenizer of the reference undoes these spaces inside each piece, in this order.
_CLEANUP = (
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" do not", " don't"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
)


@functools.cache
def has_tensorflow_text():
    """bool, whether TensorFlow Text is installed, which it is not on Windows."""
    try:
        import tensorflow_text  # noqa: F401
    except ImportError:
        return False
    return True


class WordPiece(Tracked):
    """One vocabulary and the settings it was made with.

    Args:
      settings: `vocabulary_files.WordPieceSettings`.
      portable: bool; by TensorFlow's core operations alone, slower. Where there is no TensorFlow
        Text it is so in any case.
    """

    def __init__(self, settings, portable=False):
        super().__init__()
        self._portable = portable or not has_tensorflow_text()
        self.settings = settings
        # Past Tracked, which would wrap list and dict and look at each of their entries.
        self.__dict__["vocabulary"] = tuple(settings.vocabulary)
        # A token on two lines has the id of the later one, as in the reference.
        self.__dict__["ids"] = {token: i for i, token in enumerate(self.vocabulary)}
        strip = settings.lowercase if settings.strip_accents is None else settings.strip_accents
        self._normalizer = normalization.Normalizer(
            settings.lowercase, strip, settings.tokenize_chinese_chars
        )
        self._search = TokenSearch(
            self._normalizer, settings.added_tokens, self.ids, settings.source
        )
        self._matcher = self._build_matcher()

    @property
    def template(self):
        """BERT's template with this vocabulary's tokens."""
        return Template.of_ends(
            self.ids[self.settings.cls_token], self.ids[self.settings.sep_token]
        )

    def portable(self):
        """The same by TensorFlow's core operations alone."""
        return self if self._portable else WordPiece(self.settings, portable=True)

    def save(self, directory):
        """Write vocab.txt and tokenizer_config.json; errors as `vocabulary_files` says."""
        vocabulary_files.write_wordpiece(self.settings, directory)

    def _build_matcher(self):
        """The matcher over the vocabulary as it looks in a normalized text."""
        words = [token.translate(self._normalizer.substitutes) for token in self.vocabulary]
        for i, token in enumerate(self.vocabulary):
            # A token that no normalized text can hold keeps its id and the ids of the others,
            # nothing else.
            if (
                self.ids[token] != i
                or i >= self.settings.base_size
                or token in ("", _PREFIX)
                or not _UNREACHABLE.isdisjoint(map(ord, token))
            ):
                words[i] = f"{chr(normalization.UNMATCHED)}{i}"
        # The id behind the last one is put for every added token, and replaced by its own.
        words.append(chr(PLACEHOLDER))
        if self._portable:
            alone = unicode_tables.PUNCTUATION | self._normalizer.chinese | {PLACEHOLDER}
            return WordMatcher(words, self.ids[self.settings.unk_token], alone)
        import tensorflow_text as tft

        try:
            return tft.FastWordpieceTokenizer(
                words,
                suffix_indicator=_PREFIX,
                max_bytes_per_word=4 * _LIMIT,
                token_out_type=tf.int32,
                unknown_token=words[self.ids[self.settings.unk_token]],
            )
        except (RuntimeError, ValueError) as error:
            raise InputError(f"{self.settings.source}: {error}") from error

    @functools.cached_property
    def continuing(self):
        """bool [vocabulary], True for a piece that goes on with a word."""
        return np.array([token.startswith(_PREFIX) for token in self.vocabulary])

    def __call__(self, texts, special_tokens_in_text=False, return_offsets=False):
        """Cut texts into pieces.

        Args:
          texts: string [N], UTF-8.
          special_tokens_in_text: bool; "[MASK]" in a text is one token rather than plain
            characters. Added tokens that are not special are tokens in any case.
          return_offsets: bool.
        Returns:
          ids: int32 ragged [N, (pieces)]; offsets: int32 ragged [N, (pieces), 2] in characters, or
            None.
        """
        search = self._search if self._search.needed(special_tokens_in_text) else None
        plain = tf.strings.regex_full_match(texts, _PLAIN)
        ready = tf.strings.lower(texts) if self.settings.lowercase else texts
        if search is not None:
            plain &= ~search.in_ascii(texts, ready, special_tokens_in_text)
        rest = tf.where(~plain)
        normalized, locate, tokens = self._normalizer(
            tf.gather_nd(texts, rest), search, special_tokens_in_text
        )
        ready = tf.tensor_scatter_nd_update(ready, rest, normalized)
        if return_offsets:
            ids, starts, ends = self._matcher.tokenize_with_offsets(ready)
        else:
            ids = self._matcher.tokenize(ready)
        if search is not None:
            places = tf.where(ids.flat_values == len(self.vocabulary))
            ids = ids.with_flat_values(tf.tensor_scatter_nd_update(ids.flat_values, places, tokens))
        if not return_offsets:
            return ids, None
        offsets = tf.cast(tf.stack([starts.flat_values, ends.flat_values], 1), tf.int32)
        # In plain ASCII a byte is a character; the offsets of the other texts are mapped.
        rows = ids.value_rowids()
        mapped = tf.where(~tf.gather(plain, rows))
        rank = tf.cumsum(tf.cast(~plain, tf.int64), exclusive=True)
        located = locate(
            tf.gather(rank, tf.gather_nd(rows, mapped)),
            tf.gather_nd(starts.flat_values, mapped),
            tf.gather_nd(ends.flat_values, mapped),
        )
        offsets = tf.tensor_scatter_nd_update(offsets, mapped, tf.stack(located, 1))
        return ids, ids.with_flat_values(offsets)

    # Whether a space before the first word of a text is none of the text.
    leads_with_space = True

    def surfaces(self):
        """What each id adds to a text, list of bytes; special tokens add nothing."""
        special, found = set(self.settings.special_tokens), []
        for token in self.vocabulary:
            added = token[len(_PREFIX) :] if token.startswith(_PREFIX) else f" {token}"
            for spaced, joined in _CLEANUP:
                added = added.replace(spaced, joined)
            found.append(b"" if token in special else added.encode())
        return found

    @staticmethod
    def join(tokens, cleanup=True):
        """The text that pieces came from, as near as they tell.

        Args:
          tokens: list of str.
          cleanup: bool; take back the spaces before punctuation and English contractions.
        Returns:
          str.
        """
        pieces = []
        for i, token in enumerate(tokens):
            if i:
                token = token[len(_PREFIX) :] if token.startswith(_PREFIX) else f" {token}"
            for spaced, joined in _CLEANUP if cleanup else ():
                token = token.replace(spaced, joined)
            pieces.append(token)
        return "".join(pieces)
