"""Files of multiple-choice questions as they were published: C3, RACE, SWAG and ChID.

Records are dicts with the columns of the task, in the order of the file.
"""

import csv
import os
import re

from bert_tf.data.documents import objects, read_json, text_of
from bert_tf.errors import InputError, require_file_name, shown

_ENDINGS = ("ending0", "ending1", "ending2", "ending3")
_BLANK = re.compile("#idiom[0-9]+#")
# Characters that are kept on either side of a blank: with an idiom they are a row of 128 tokens.
_AROUND = 58


def read_c3(path):
    """The questions of a C3 file.

    Source: Sun et al. 2020, arXiv 1904.09679: a list of [sentences, questions, id], a question
    {"question", "choice", "answer"}, the answer one of the choices.

    Args:
      path: str.
    Yields:
      dict: `text`, its sentences joined by line ends; `question` str; `choices` list of str;
      `label` int, unless the file has no answers; `id`, where the question has one, as those to
      be predicted have.
    Raises:
      InputError: it cannot be read, or is of another shape; the message says where.
    """
    dialogues = read_json(path)
    if not isinstance(dialogues, list):
        raise InputError(f"{path}: no list of [sentences, questions, id], which a C3 file is")
    for number, dialogue in enumerate(dialogues, 1):
        place = f"{path}, text {number}"
        if not isinstance(dialogue, list) or len(dialogue) < 2:
            raise InputError(f"{place}: {shown(dialogue)}, wanted [sentences, questions, id]")
        text = "\n".join(_texts(dialogue[0], "sentences", place))
        for count, asked in enumerate(objects({"questions": dialogue[1]}, "questions", place), 1):
            where = f"{place}, question {count}"
            record = {"text": text, "question": text_of(asked, "question", where)}
            record["choices"] = _texts(asked.get("choice"), "choice", where)
            if "answer" in asked:
                answer = text_of(asked, "answer", where)
                if answer not in record["choices"]:
                    raise InputError(f"{where}: answer is {shown(answer)}, wanted one of choice")
                record["label"] = record["choices"].index(answer)
            yield record | ({"id": asked["id"]} if "id" in asked else {})


def read_race(path):
    """The questions of a RACE file, or of many in one, a JSON object a line.

    Source: Lai et al. 2017, arXiv 1704.04683: {"article", "questions", "options", "answers"}, an
    answer a letter, A the first option.

    Args, Yields and Raises: as `read_c3`.
    """
    for place, passage in _passages(path):
        article = text_of(passage, "article", place)
        questions = _texts(passage.get("questions"), "questions", place)
        options, answers = passage.get("options"), passage.get("answers")
        for name, given in (("options", options), ("answers", answers)):
            wanted = name == "options" or given is not None
            if wanted and not (isinstance(given, list) and len(given) == len(questions)):
                raise InputError(f"{place}: {name}: wanted a list of {len(questions)}, one each")
        for number, question in enumerate(questions):
            where = f"{place}, question {number + 1}"
            record = {"text": article, "question": question}
            record["choices"] = _texts(options[number], "options", where)
            if answers is not None:
                record["label"] = _letter(answers[number], len(options[number]), where)
            yield record


def read_swag(path):
    """The rows of a SWAG file.

    Source: Zellers et al. 2018, arXiv 1808.05326: a CSV table with `sent1`, `sent2`, the beginning
    of the sentence that `ending0` to `ending3` end, and `label`.

    Args, Yields and Raises: as `read_c3`; `text` is `sent1`, `question` is `sent2`.
    """
    require_file_name(path)
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            names = rows.fieldnames or ()
            for name in ("sent1", "sent2", *_ENDINGS):
                if name not in names:
                    raise InputError(f"{path}, line 1: no column {name!r}, which a SWAG file has")
            for number, row in enumerate(rows, 1):
                cells = [row[name] for name in ("sent1", "sent2", *_ENDINGS)]
                if None in cells:
                    raise InputError(f"{path}, row {number}: has fewer cells than the header")
                record = {"text": cells[0], "question": cells[1], "choices": cells[2:]}
                yield record | ({"label": row["label"]} if "label" in names else {})
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start + 1} of a part is not UTF-8") from None
    except csv.Error as error:
        raise InputError(f"{path}: not CSV: {error}") from None


def read_chid(path):
    """The blanks of a ChID file, as CLUE gives it.

    Source: Zheng et al. 2019, arXiv 1906.01265, and CLUEbenchmark/CLUE: an object a line with
    `content`, texts in which #idiom000000# stands for an idiom, and `candidates`; the answers to
    `train.json` are beside it in `train_answer.json`, blank -> number of its candidate.

    Args:
      path: str.
    Yields:
      dict: `id`, the blank; `text`, what is around it, 58 characters on either side at most, with
      ___ in its place and …… in that of others; `choices`, the candidates; `label` int, if there
      are answers.
    Raises:
      InputError: as `read_c3`; or a blank has no answer, and others have.
    """
    stem, ending = os.path.splitext(path)
    beside = f"{stem}_answer{ending}"
    answers = read_json(beside) if os.path.exists(beside) else None
    if not isinstance(answers, dict | None):
        raise InputError(f"{beside}: wanted an object of blank -> number of its candidate")
    for number, given in enumerate(read_json(path, a_line=True), 1):
        place = f"{path}, line {number}"
        if not isinstance(given, dict):
            raise InputError(f"{place}: {shown(given)}, wanted an object with `content`")
        candidates = _texts(given.get("candidates"), "candidates", place)
        for text in _texts(given.get("content"), "content", place):
            for blank in _BLANK.finditer(text):
                record = {"id": blank[0], "text": _around(text, blank), "choices": candidates}
                if answers is not None:
                    record["label"] = _number(answers, blank[0], len(candidates), beside)
                yield record


def _around(text, blank):
    """What is around a blank, with signs for it and for others."""
    before, after = (_BLANK.sub("……", x) for x in (text[: blank.start()], text[blank.end() :]))
    return f"{before[-_AROUND:]}___{after[:_AROUND]}"


def _number(answers, blank, count, place):
    number = answers.get(blank)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < count:
        raise InputError(f"{place}: {blank} is {shown(number)}, wanted a number below {count}")
    return number


_COLUMNS = ("text", "question", "choices", "label")
# Format -> its reader, the columns it gives and what a message calls a record.
CHOICE_FILES = {
    "c3": (read_c3, _COLUMNS, "question"),
    "race": (read_race, _COLUMNS, "question"),
    "swag": (read_swag, _COLUMNS, "row"),
    "chid": (read_chid, ("text", "choices", "label"), "blank"),
}


def guess_choices(begins):
    """The format that the beginning of a file tells, or None; `begins` are its first bytes."""
    begins = begins.removeprefix(b"\xef\xbb\xbf").lstrip()
    if re.match(rb'\[\s*\[\s*\[\s*"', begins):
        return "c3"
    if begins[:1] == b"{" and all(x in begins for x in (b'"options"', b'"questions"')):
        return "race"
    if begins[:1] == b"{" and b'"candidates"' in begins and b'"content"' in begins:
        return "chid"
    header = begins.partition(b"\n")[0]
    return "swag" if all(x in header for x in (b"sent1", b"sent2", b"ending0")) else None


def _passages(path):
    """Yield (place, object) of a file that is one JSON object, or has one a line."""
    passages = read_json(path, a_line=True)
    for number, passage in enumerate(passages, 1):
        place = f"{path}, text {number}"
        if not isinstance(passage, dict):
            raise InputError(f"{place}: {shown(passage)}, wanted an object with `article`")
        yield place, passage


def _texts(value, key, place):
    if not isinstance(value, list) or not all(isinstance(x, str) for x in value):
        raise InputError(f"{place}: {key} is {shown(value)}, wanted a list of strings")
    return value


def _letter(answer, count, place):
    known = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:count]
    if not isinstance(answer, str) or len(answer) != 1 or answer not in known:
        raise InputError(f"{place}: answers: {shown(answer)}, wanted one of {', '.join(known)}")
    return known.index(answer)
