"""CoNLL-U files, the treebanks of Universal Dependencies: a record for each sentence."""

from bert_tf.data.conll import check_line_ends
from bert_tf.errors import InputError, require_file_name, shown


def read_conllu(path):
    """The sentences of a CoNLL-U file.

    Source: https://universaldependencies.org/format.html. Comments, ranges of words (1-2) and empty
    nodes (8.1) are left out.

    Args:
      path: str.
    Yields:
      dict: `text`, the words with one space between them and no-break spaces inside; `heads`, list
      of int, 0 for the root; `relations`, list of str; `line`, of its first word. A file without
      trees ("_") has neither heads nor relations.
    Raises:
      InputError: it cannot be read, or a line is not of the format; with the line's number.
    """
    words = []
    for number, line in _lines(path):
        check_line_ends(line, path, number)
        if not line.strip():
            yield from _sentence(words, path)
            words = []
        elif not line.startswith("#"):
            word = _word(line, f"{path}, line {number}", len(words) + 1)
            words += [] if word is None else [(*word, number)]
    yield from _sentence(words, path)


def _lines(path):
    require_file_name(path)
    try:
        with open(path, encoding="utf-8-sig", newline="\n") as file:
            yield from ((number, line.rstrip("\r\n")) for number, line in enumerate(file, 1))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start + 1} of a part is not UTF-8") from None


def _word(line, place, number):
    """(form, head, relation) of a line; None of one that is no word."""
    cells = line.split("\t")
    if len(cells) != 10:
        raise InputError(f"{place}: has {len(cells)} columns, wanted the 10 of CoNLL-U")
    name, form, head, relation = cells[0], cells[1], cells[6], cells[7]
    if "-" in name or "." in name:
        return None
    if name != str(number):
        raise InputError(f"{place}: ID is {shown(name)}, wanted {number}")
    form = "\u00a0".join(form.split())
    if not form:
        raise InputError(f"{place}: FORM is empty")
    if head == "_":
        return form, None, None
    if not (head.isascii() and head.isdigit()):
        raise InputError(f"{place}: HEAD is {shown(head)}, wanted 0 or the number of a word")
    return form, int(head), relation


def _sentence(words, path):
    """The record of a sentence, if it has words."""
    if not words:
        return
    forms, heads, relations, lines = map(list, zip(*words, strict=True))
    for word, (head, line) in enumerate(zip(heads, lines, strict=True), 1):
        if head is not None and (head > len(words) or head == word):
            raise InputError(
                f"{path}, line {line}: HEAD is {head}, wanted 0 or the number of another word, "
                f"{len(words)} at most"
            )
    record = {"text": " ".join(forms), "line": lines[0]}
    if None not in heads:
        record |= {"heads": heads, "relations": relations}
    yield record
