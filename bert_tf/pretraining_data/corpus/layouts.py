"""How a file of raw text is laid out, and its documents as runs of paragraphs.

"lines": one sentence a line, a blank line between documents, as Google's BERT wants it.
"text": free text; blank lines part paragraphs, a file is a document.
"jsonl": one JSON object a line, a document each; a line end in its text ends a paragraph. A list of
words will do for a text, and labels may stand beside it, see label_columns.
"doc": what wikiextractor writes: `<doc ... title="...">`, the title, the text, `</doc>`.
"""

import html
import json
import re
import typing

from bert_tf.pretraining_data.corpus import label_columns
from bert_tf.text.sentences import split_sentences

LAYOUTS = ("lines", "text", "jsonl", "doc")
# A line of more characters was not wrapped by hand, so its end is the end of a paragraph.
WRAPPED = 120
LONGEST_DOCUMENT = 1 << 20  # characters; a longer one is cut between lines or paragraphs

_SENTENCE_END = re.compile(r"""[.!?…。！？][\s"'”’»)\]」』）]*$""")
_TITLE = re.compile(r' title="(.*)">$')


class Piece(typing.NamedTuple):
    """What a layout makes of lines: the line it begins at, its paragraphs; of an object also the
    words, where the text is a list of them, and the labels."""

    begin: object  # text_files.Line
    paragraphs: list
    words: list | None = None
    labels: dict = {}


class Guess(typing.NamedTuple):
    """A layout, one of LAYOUTS, and the reason why a file is taken to have it, for messages."""

    layout: str
    reason: str


def guess_layout(head):
    """The layout that the beginning of a file tells.

    "doc" when the first word is `<doc`, "jsonl" when it begins with `{`. Otherwise the file is
    plain. It is "lines" when its lines hold fewer than one and a half sentences on average, and
    half of those with another line right below end as sentences do; or when blank lines recur, and
    two thirds of those lines had room for the first word of the one below, which wrapped text
    seldom leaves. Else it is "text".

    Args:
      head: bytes, the first some thousand of the file.
    Returns:
      Guess.
    """
    text = head.decode("utf-8", "ignore").lstrip("\ufeff")
    begins = text.lstrip()
    for start, layout in (("<doc ", "doc"), ("{", "jsonl")):
        if begins.startswith(start):
            return Guess(layout, f"it begins with {start.strip()}")
    rows = [row.strip() for row in text.strip().split("\n")]
    upper = [pair for pair in zip(rows, rows[1:], strict=False) if all(pair)]
    if not upper:
        return Guess("text", "no line has another one right below")
    several = "its lines hold several sentences"
    ended = sum(bool(_SENTENCE_END.search(row)) for row, _ in upper)
    if 2 * ended >= len(upper):
        of = f"{ended} of {len(upper)} lines with another one right below end as sentences do"
        short = _sentences(row for row, _ in upper) < 1.5
        return Guess("lines", of) if short else Guess("text", several)
    width = sorted(len(row) for row, _ in upper)[len(upper) * 9 // 10]
    roomy = sum(len(row) + len(_first_word(below)) <= width for row, below in upper)
    gaps = sum(bool(row) and not below for row, below in zip(rows, rows[1:], strict=False))
    of = f"{roomy} of {len(upper)} lines with another one right below have room for its first word"
    # Of prose wrapped by hand it is a third at most, of lines of any length nine in ten.
    if 3 * roomy < 2 * len(upper):
        return Guess("text", f"its lines are wrapped: {of}")
    if gaps < 2:
        return Guess("text", f"it has {gaps} blank lines between lines, too few to part documents")
    short = _sentences(filter(None, rows)) < 1.5
    return Guess("lines", f"blank lines part it, and {of}") if short else Guess("text", several)


def _sentences(rows):
    """How many sentences rows of text hold on average."""
    counts = [len(split_sentences(row)) for row in rows]
    return sum(counts) / len(counts)


def _first_word(row):
    """The beginning of a line that would have to go up as a whole, with its space."""
    return row[0] if _is_wide(row[0]) else f" {row.split()[0]}"


def pieces(lines, layout, field, path, faults, labels=()):
    """Yield the documents of a file.

    Args:
      lines: iterator of text_files.Line.
      layout: str, one of LAYOUTS.
      field: str, the key of the text in JSON lines.
      path: str, for messages.
      faults: text_files.Faults; a line that is not what the layout wants is reported there.
      labels: iterable of str, the keys of labels in JSON lines.
    Yields:
      Piece; a document without text has no paragraphs.
    """
    if layout == "jsonl":
        return _objects(lines, field, path, faults, labels)
    if layout == "doc":
        return _docs(lines, path, faults)
    return _runs(lines) if layout == "lines" else _free_text(lines)


def _runs(lines):
    """Runs of lines that are not blank."""
    begin, rows, size = None, [], 0
    for line in lines:
        text = line.text.strip()
        if text:
            begin = begin or line
            rows.append(text)
            size += len(text)
        if rows and (not text or size > LONGEST_DOCUMENT):
            yield Piece(begin, rows)
            begin, rows, size = None, [], 0
    if rows:
        yield Piece(begin, rows)


def _free_text(lines):
    """A whole file; one longer than LONGEST_DOCUMENT is cut between paragraphs."""
    begin, paragraphs, size = None, [], 0
    for first, paragraph in _paragraphs(lines):
        begin = begin or first
        paragraphs.append(paragraph)
        size += len(paragraph)
        if size > LONGEST_DOCUMENT:
            yield Piece(begin, paragraphs)
            begin, paragraphs, size = None, [], 0
    if paragraphs:
        yield Piece(begin, paragraphs)


def _paragraphs(lines):
    """(first line, text) of each paragraph: lines wrapped by hand are joined again."""
    first, rows, size = None, [], 0
    for line in lines:
        text = line.text.strip()
        if rows and (not text or len(rows[-1]) > WRAPPED or size > LONGEST_DOCUMENT):
            yield first, _unwrapped(rows)
            first, rows, size = None, [], 0
        if text:
            first = first or line
            rows.append(text)
            size += len(text)
    if rows:
        yield first, _unwrapped(rows)


def _unwrapped(rows):
    """Wrapped lines as one, with a space between them unless both sides are Chinese."""
    joined = [rows[0]]
    for above, below in zip(rows, rows[1:], strict=False):
        joined.append("" if _is_wide(above[-1]) and _is_wide(below[0]) else " ")
        joined.append(below)
    return "".join(joined)


def _is_wide(character):
    """Whether a character belongs to a script that is written without spaces."""
    return "\u2e80" <= character < "\ua4d0" or "\uf900" <= character < "\ufb00" or (
        "\ufe30" <= character < "\uffe0"
    )  # fmt: skip


def _objects(lines, field, path, faults, labels):
    for line in lines:
        if not line.text.strip():
            continue
        place = f"{path}, line {line.number}"
        try:
            value = json.loads(line.text)
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", error)
            faults.report("malformed", f"{place}: not JSON: {reason}; wanted one object a line")
            continue
        text = value.get(field) if isinstance(value, dict) else None
        words = text if _are_words(text) else None
        text = text if words is None else " ".join(words)
        if not isinstance(text, str):
            keys = ", ".join(list(value)[:8]) if isinstance(value, dict) else "no object"
            faults.report("malformed", f"{place}: no text under the key {field!r} ({keys})")
            continue
        try:
            text.encode()
        except UnicodeEncodeError as error:
            half = f"{place}: character {error.start + 1} of {field!r} is half a surrogate pair"
            faults.report("encoding_errors", half)
            continue
        try:
            found = label_columns.read(value, labels, text, words)
        except ValueError as error:
            faults.report("malformed", f"{place}: {error}")
            continue
        rows = text.split("\n") if words is None else [text]
        # Where words are tagged, every character stays where it is.
        rows = [row.strip() if words is None else row for row in rows if row.strip()]
        yield Piece(line, rows, words, found)


def _are_words(text):
    return isinstance(text, list) and all(isinstance(word, str) for word in text)


def _docs(lines, path, faults):
    """Elements `<doc>`, without the title that stands again on the first line."""
    begin, title, rows, size = None, None, [], 0
    for line in lines:
        text = line.text.strip()
        opens = text.startswith("<doc ") and text.endswith(">")
        if begin is not None and (opens or size > LONGEST_DOCUMENT * 16):
            _unclosed(begin, path, faults)
            begin = None
        if begin is None:
            if opens:
                found = _TITLE.search(text)
                begin, title, rows, size = line, found and html.unescape(found[1]), [], 0
            elif text:
                faults.report("malformed", f"{path}, line {line.number}: text outside of <doc>")
        elif text == "</doc>":
            yield Piece(begin, rows)
            begin = None
        elif text:
            text = html.unescape(text).strip()
            if rows or text != title:
                rows.append(text)
                size += len(text)
    if begin is not None:
        _unclosed(begin, path, faults)


def _unclosed(begin, path, faults):
    faults.report("malformed", f"{path}, line {begin.number}: <doc> without its </doc>")
