"""The reading tasks of CLUE as its site gives them: CMRC 2018, C3, ChID.

Sources: Cui et al. 2019 (arXiv 1810.07366), Sun et al. 2020 (arXiv 1904.09679), Zheng et al. 2019
(arXiv 1906.01265), and the folders of CLUEbenchmark/CLUE.
"""

import os
import re

from bert_tf.data.choice_files import read_c3
from bert_tf.data.documents import read_json, read_squad
from bert_tf.errors import InputError, shown

# A blank of ChID; the one that is asked about, and the others beside it, as a model reads them.
_BLANK = re.compile("#idiom\\d+#")
_ASKED, _OTHER = "___", "□□□□"
# So many characters round a blank are read, as many before it as behind it where there are such.
_AROUND = 100


def cmrc_rows(path, answered):
    """The questions of CMRC 2018, see `read_squad`.

    Args:
      path: str.
      answered: bool, whether the part has answers.
    Returns:
      list of dict: `id`, `question`, `context`, and with `answered` `answers`.
    """
    rows = list(read_squad(path))
    if not answered:
        return [{name: x for name, x in row.items() if name != "answers"} for row in rows]
    for row in rows:
        if not row["answers"]:
            raise InputError(f"{path}: question {shown(row['id'])} has no answers")
    return rows


def c3_rows(path, answered):
    """The questions of C3, see `read_c3`; those about dialogues behind those about mixed texts,
    which lie in a file beside (`m-train.json` and `d-train.json`).

    Args, Returns: as `cmrc_rows`, the rows with `text`, `question`, `choices` and `label`.
    """
    folder, file = os.path.split(path)
    rows = list(read_c3(path))
    if re.match("(c3-)?m-", file):
        rows += read_c3(os.path.join(folder, file.replace("m-", "d-", 1)))
    for number, row in enumerate(rows):
        if answered and "label" not in row:
            raise InputError(f"{path}: question {number + 1} has no answer")
        row.setdefault("id", number)
    return rows


def chid_rows(path, answered):
    """The blanks of ChID, whose answers lie in a file beside (`train_answer.json`).

    Args, Returns: as `c3_rows`; `text` is cut to what stands round the blank, which is `___`.
    `group` is the line of the file: of its candidates each is the answer to one blank at most.
    """
    beside = f"{path.removesuffix('.json')}_answer.json"
    answers = read_json(beside) if answered else None
    if answered and not isinstance(answers, dict):
        raise InputError(f"{beside}: wanted an object of numbers by blanks")
    rows = []
    for line, value in enumerate(read_json(path, a_line=True), 1):
        place = f"{path}, text {line}"
        texts, choices = (
            value.get(name) if isinstance(value, dict) else None
            for name in ("content", "candidates")
        )
        for name, given in (("content", texts), ("candidates", choices)):
            if not isinstance(given, list) or not all(isinstance(x, str) for x in given):
                raise InputError(f"{place}: {name} is {shown(given)}, wanted a list of strings")
        for text in texts:
            for found in _BLANK.finditer(text):
                row = {"id": found[0], "group": line, "text": _around(text, found)}
                rows.append(row | {"choices": choices})
                if answered:
                    rows[-1]["label"] = _number(answers, found[0], len(choices), beside)
    return rows


def _number(answers, blank, count, path):
    answer = answers.get(blank)
    if type(answer) is not int or not 0 <= answer < count:
        raise InputError(f"{path}: {blank} is {shown(answer)}, wanted 0 to {count - 1}")
    return answer


def _around(text, blank):
    """A text round one of its blanks."""
    before, behind = (_BLANK.sub(_OTHER, x) for x in (text[: blank.start()], text[blank.end() :]))
    left = max(_AROUND // 2, _AROUND - len(behind))
    right = max(_AROUND // 2, _AROUND - len(before))
    return before[max(len(before) - left, 0) :] + _ASKED + behind[:right]
