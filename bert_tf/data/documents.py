"""Formats in which a whole file is one JSON document: a record for each question in it.

Records are dicts with the names of a task's columns, in the order of the file.
"""

import json

from bert_tf.errors import InputError, require_file_name, shown


def read_squad(path):
    """The questions of a SQuAD file, 1.1, 2.0 or CMRC 2018.

    Source: Rajpurkar et al. 2016 and 2018, the JSON that their sites give: `data`, a list of
    articles with `paragraphs`, each with a `context` and `qas`.

    Args:
      path: str.
    Yields:
      dict: `id`, `question`, `context` str; `answers`, list of {"text", "answer_start"}, empty
      where there is none (`is_impossible`, or a file without answers).
    Raises:
      InputError: it cannot be read, or is of another shape; the message says where.
    """
    document = read_json(path)
    if not isinstance(document, dict) or not isinstance(document.get("data"), list):
        raise InputError(f"{path}: no list `data` of articles, which a SQuAD file has")
    for number, article in enumerate(document["data"], 1):
        place = f"{path}, article {number}"
        for count, paragraph in enumerate(objects(article, "paragraphs", place), 1):
            within = f"{place}, paragraph {count}"
            context = text_of(paragraph, "context", within)
            for asked, question in enumerate(objects(paragraph, "qas", within), 1):
                where = f"{within}, question {asked}"
                impossible = question.get("is_impossible") is True
                yield {
                    "id": str(question.get("id", f"{number}-{count}-{asked}")),
                    "question": text_of(question, "question", where),
                    "context": context,
                    "answers": [] if impossible else _answers(question, where),
                }


# Format -> its reader, the columns it gives and what a message calls a record.
DOCUMENTS = {
    "squad": (read_squad, ("id", "question", "context", "answers"), "question"),
}


def read_json(path, a_line=False):
    """What a JSON file holds.

    Args:
      path: str.
      a_line: bool, whether it may hold a value a line; then the list of them is given, of a file
        that is one value a list of this.
    Raises:
      InputError: it cannot be read, or is not JSON; with line and column.
    """
    require_file_name(path)
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read()
        if a_line and len(lines := _lines(text, path)) > 1:
            return lines
        return [json.loads(text)] if a_line else json.loads(text)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}, byte {error.start + 1}: is not UTF-8") from None
    except json.JSONDecodeError as error:
        place = f"{path}, line {error.lineno}, column {error.colno}"
        raise InputError(f"{place}: not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, nesting of 1,000
        raise InputError(f"{path}: JSON that cannot be read: {error}") from None


def _lines(text, path):
    """The values of a text with one a line; [] of a text whose first line is none."""
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    found = []
    for number, line in lines:
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError as error:
            if not found:
                return []
            place = f"{path}, line {number}, column {error.colno}"
            raise InputError(f"{place}: not JSON: {error.msg}") from None
    return found


def objects(value, key, place):
    """value[key], which is to be a list of objects; `place` is for messages."""
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, list) or not all(isinstance(x, dict) for x in found):
        raise InputError(f"{place}: {key} is {shown(found)}, wanted a list of objects")
    return found


def text_of(value, key, place):
    """value[key], which is to be a string; `place` is for messages."""
    if not isinstance(value.get(key), str):
        raise InputError(f"{place}: {key} is {shown(value.get(key))}, wanted a string")
    return value[key]


def _answers(question, place):
    found = question.get("answers", [])
    for answer in objects({"answers": found}, "answers", place):
        text_of(answer, "text", place)
        start = answer.get("answer_start")
        if not isinstance(start, int) or isinstance(start, bool):
            raise InputError(f"{place}: answer_start is {shown(start)}, wanted a whole number")
    return [{"text": x["text"], "answer_start": x["answer_start"]} for x in found]
