"""CoNLL files: a word a line with its columns, a blank line between sentences.

A record is a sentence: a list of (line within it, columns). Columns stand between tabs or, in a
line without one, between spaces. `-DOCSTART-` lines are left out, and so are comments before a
sentence: lines that begin with # and look otherwise than its words do.
"""

import re

from bert_tf.data.labels import NameCollector
from bert_tf.data.spans import Annotation, SpanCollector
from bert_tf.errors import ConfigError, InputError, shown

# conll: the word first, its tag last. conllu_tags: CoNLL-U, the words in column 1 and UPOS in 3.
# wikiann: as it was published, each word behind its language, `en:Berlin`.
_DEFAULTS = {"conll": (0, -1), "conllu_tags": (1, 3), "wikiann": (0, -1)}
CONLL_FILES = tuple(_DEFAULTS)
SUFFIXES = {f".{x}": "conll" for x in ("conll", "iob", "iob2", "bio", "bioes", "bmes")}

_COMMENT = re.compile(r"#\s*(id\b|[\w ]+=)")
_LANGUAGE = re.compile(r"[a-z][a-z-]{1,11}:")
# Written without spaces: Chinese and Japanese letters, their marks, and full-width forms.
_NO_SPACES = re.compile("[\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef]")


def guess_conll(begins):
    """The format of a file of words that is not JSON; `begins` are its first bytes."""
    lines = begins.removeprefix(b"\xef\xbb\xbf").decode(errors="replace").split("\n")[:-1]
    found = {_LANGUAGE.match(line) for line in lines if line.strip()}
    return "wikiann" if found and None not in found else "conll"


def scan_sentences(lines, path, format):
    """Yield (first byte, size in bytes, line, record) of every sentence.

    Args:
      lines: iterator of (first byte, size, number, text) of each line.
      path: str. For messages.
      format: str, one of CONLL_FILES.
    Raises:
      InputError: a line ends as none does in this format.
    """
    block = []
    for line in lines:
        check_line_ends(line[3], path, line[2])
        if not _is_blank(line[3]):
            block.append(line)
        elif block:
            yield from _sentence(block, format)
            block = []
    if block:
        yield from _sentence(block, format)


def check_line_ends(line, path, number):
    """Raises InputError where a line goes on behind a CR, at which lines of old Macs ended."""
    if "\r" in line.rstrip("\r\n"):
        raise InputError(
            f"{path}, line {number}: has CR within, wanted lines that end in LF or CR LF"
        )


def _is_blank(line):
    """Whether a line ends a sentence; files that were joined have byte order marks within."""
    return not line.strip("\ufeff \t\r\n")


def _sentence(block, format):
    rows = _rows([text for *_, text in block], format)
    if rows:
        start, _, number, _ = block[0]
        last, size, _, _ = block[-1]
        yield start, last + size - start, number, rows


def parse_sentence(text, format):
    """The record that stands in a text that `scan_sentences` has found."""
    return _rows(text.split("\n"), format)


def _rows(lines, format):
    rows = [(number, _columns(line)) for number, line in enumerate(lines) if not _is_blank(line)]
    width, comments = len(rows[-1][1]), 0
    for number, columns in rows:
        line = lines[number]
        comment = line.startswith("#") and (
            format == "conllu_tags" or len(columns) != width or _COMMENT.match(line)
        )
        if not comment:
            break
        comments += 1
    rows = [row for row in rows[comments:] if not row[1][0].startswith("-DOCSTART-")]
    if format == "conllu_tags":  # tokens of several words, and words that are not written
        rows = [row for row in rows if row[1][0].isdigit()]
    return rows


def _columns(line):
    line = line.rstrip("\r\n")
    if "\t" in line:
        columns = line.rstrip("\t ").split("\t")
        return [columns[0] or " ", *columns[1:]]
    columns = [column for column in line.split(" ") if column]
    if line.startswith(" ") and len(columns) == 1:
        return [" ", *columns]  # the word is a space
    return columns


def joined(words):
    """A text of words, with a space between two unless one of them is written without.

    A sentence of single characters, some of them Chinese, is joined without any.

    Args:
      words: list of str.
    Returns:
      (str; list of (start, end), the words' places in it).
    """
    close = all(len(word) == 1 for word in words) and any(map(_NO_SPACES.match, words))
    text, places = "", []
    for word in words:
        ends = text and not close and word and not _NO_SPACES.match(text[-1])
        if ends and not _NO_SPACES.match(word[0]):
            text += " "
        places.append((len(text), len(text) + len(word)))
        text += word
    return text, places


class SentenceColumns:
    """Where the words and their tags are in the sentences of a file; as columns.Columns.

    Args:
      places: dict of column name -> number from 0, or a name where the format knows it.
      kinds: dict of column name -> key of cells.KINDS.
      format: str, one of CONLL_FILES.
      path: str. For messages.
    Raises:
      ConfigError: sentences have no such columns.
    """

    label = None

    def __init__(self, places, kinds, format, path):
        read = [kinds[name] for name in places]
        if not set(read) <= {"text", "spans"} or len(set(read)) < len(read):
            raise ConfigError(
                f"{path}: the format {format} has words and their tags, wanted one that has "
                f"{', '.join(places)}, which the task reads"
            )
        self.kinds = {name: kinds[name] for name in places}
        spans = (name for name in places if kinds[name] == "spans")
        self.named = next(spans, None)
        defaults = dict(zip(("text", "spans"), _DEFAULTS[format], strict=True))
        self._places = {
            kinds[name]: place if isinstance(place, int) else defaults[kinds[name]]
            for name, place in places.items()
        }
        self._languages = format == "wikiann"

    def alike(self, other):
        """bool, whether the columns of another file are in the same places."""
        return self._places == other._places

    def cells(self, record):
        """The text of a sentence and its Annotation, dict of column name -> value."""
        place = self._places["text"]
        words = [columns[place] for _, columns in record]
        if self._languages:
            words = [_LANGUAGE.sub("", word, count=1) or word for word in words]
        text, ranges = joined(words)
        values = {"text": text}
        if self.named is not None:
            tags = [columns[self._places["spans"]].strip() for _, columns in record]
            values["spans"] = Annotation(ranges, tags, None)
        return {name: values[kind] for name, kind in self.kinds.items()}

    def names(self, record, line):
        """What the collector takes of a sentence that begins on `line`."""
        if self.named is None:
            return []
        found = self.cells(record)[self.named]
        return found._replace(lines=[line + number for number, _ in record])

    def collector(self, path, tagging):
        """What collects the labels of a file."""
        return NameCollector() if self.named is None else SpanCollector(path, tagging)

    def place(self, path, line):
        """Where a sentence is, for messages."""
        return f"{path}, line {line}"

    def check(self, record, path, line):
        """Raises InputError unless each word has all its columns; with the line."""
        width = len(record[0][1])
        least = max(max(self._places.values()) + 1, 2 if self.named is not None else 1)
        for number, columns in record:
            place = f"{path}, line {line + number}"
            if len(columns) < least:
                raise InputError(
                    f"{place}: {shown(chr(9).join(columns))} has {len(columns)} columns, wanted "
                    f"{least} at least: a word and its tag"
                )
            if len(columns) != width and -1 in self._places.values():
                raise InputError(
                    f"{place}: has {len(columns)} columns, wanted {width} as the sentence's first "
                    "word"
                )
