"""The files of GLUE and CLUE as their sites give them: a table of tasks, and rows of one form.

Sources: Wang et al. 2019 (arXiv 1804.07461) and the folder that gluebenchmark.com gives; Xu et al.
2020 (arXiv 2004.05986) and the folders of CLUEbenchmark/CLUE.
"""

import os
import typing

from bert_tf.data import formats
from bert_tf.errors import InputError, shown

# The label of rows in CLUE that have none that its annotators agreed on.
NO_LABEL = "-"


class Part(typing.NamedTuple):
    """One file of a task: its possible names, and its columns by name or number; `label` None in a
    file without."""

    files: tuple
    text: str | int
    text_pair: str | int | None = None
    label: str | int | None = None


class OfficialTask(typing.NamedTuple):
    """One task of a benchmark.

    Attributes:
      folders: tuple of str, what its folder may be called.
      parts: dict of part -> Part; `train`, `validation`, perhaps `test` (with labels, such as
        MNLI's mismatched rows), and those to be predicted under the name of their submission.
      figures: tuple of str, those the benchmark is about; the first picks the weights.
      problem_type: str or None, as in `read_table`.
      assemble: function of a record (dict of str -> value) and its place -> the record with the
        texts put together; None leaves it as it is.
    """

    folders: tuple
    parts: dict
    figures: tuple
    problem_type: str | None = None
    assemble: typing.Callable | None = None


def _glue(folder, text, pair, label, figures, submission=None, **options):
    parts = {
        "train": Part(("train.tsv",), text, pair, label),
        "validation": Part(("dev.tsv",), text, pair, label),
        f"{submission or folder}.tsv": Part(("test.tsv",), text, pair),
    }
    return OfficialTask((folder,), parts, figures, **options)


def _clue(name, text, pair, assemble=None, train="train.json", tests=("test.json",), told=None):
    parts = {
        "train": Part(("train.json", train), text, pair, "label"),
        "validation": Part(("dev.json",), text, pair, "label"),
        f"{told or name}_predict.json": Part(tests, text, pair),
    }
    kind = "single_label_classification"
    folders = (f"{name}_public", name)
    return OfficialTask(folders, parts, ("accuracy",), kind, assemble)


def _with_pronoun(record, place):
    """CLUEWSC: the noun between _ and the pronoun in [], as CLUE's own baseline marks them."""
    text, target = record.get("text"), record.get("target")
    marked = []
    for number, signs in ((1, "__"), (2, "[]")):
        start, span = (
            target.get(f"span{number}_{x}") if isinstance(target, dict) else None
            for x in ("index", "text")
        )
        fits = isinstance(text, str) and isinstance(span, str) and isinstance(start, int)
        if not fits or text[start : start + len(span)] != span:
            raise InputError(f"{place}: target: span{number} is {shown(span)}, not in the text")
        marked.append((start, start + len(span), signs))
    for start, end, signs in sorted(marked, reverse=True):
        text = f"{text[:start]}{signs[0]}{text[start:end]}{signs[1]}{text[end:]}"
    return {**record, "text": text}


def _with_keywords(record, place):
    """CSL: the keywords as one text, as CLUE's own baseline has them."""
    words = record.get("keyword")
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise InputError(f"{place}: keyword is {shown(words)}, wanted a list of strings")
    return {**record, "keyword": " ".join(words)}


_CLASSES = {"problem_type": "single_label_classification"}
_MNLI = ("sentence1", "sentence2", "gold_label")
_DIAGNOSTIC = ("../AX/diagnostic.tsv", "../diagnostic/diagnostic.tsv", "../AX/AX.tsv")

GLUE = {
    "CoLA": OfficialTask(
        ("CoLA",),
        {
            "train": Part(("train.tsv",), 3, None, 1),
            "validation": Part(("dev.tsv",), 3, None, 1),
            "CoLA.tsv": Part(("test.tsv",), "sentence"),
        },
        ("matthews",),
        **_CLASSES,
    ),
    "SST-2": _glue("SST-2", "sentence", None, "label", ("accuracy",), **_CLASSES),
    "MRPC": OfficialTask(
        ("MRPC",),
        {
            "train": Part(
                ("train.tsv", "msr_paraphrase_train.txt"), "#1 String", "#2 String", "Quality"
            ),
            "validation": Part(
                ("dev.tsv", "msr_paraphrase_test.txt"), "#1 String", "#2 String", "Quality"
            ),
            "MRPC.tsv": Part(("test.tsv",), "#1 String", "#2 String"),
        },
        ("f1", "accuracy"),
        **_CLASSES,
    ),
    "STS-B": _glue(
        *("STS-B", "sentence1", "sentence2", "score", ("pearson", "spearman")),
        problem_type="regression",
    ),
    "QQP": _glue("QQP", "question1", "question2", "is_duplicate", ("f1", "accuracy"), **_CLASSES),
    "MNLI": OfficialTask(
        ("MNLI",),
        {
            "train": Part(("train.tsv",), *_MNLI),
            "validation": Part(("dev_matched.tsv",), *_MNLI),
            "test": Part(("dev_mismatched.tsv",), *_MNLI),
            "MNLI-m.tsv": Part(("test_matched.tsv",), *_MNLI[:2]),
            "MNLI-mm.tsv": Part(("test_mismatched.tsv",), *_MNLI[:2]),
            "AX.tsv": Part(_DIAGNOSTIC, *_MNLI[:2]),
            "AX": Part(("../AX/diagnostic-full.tsv",), "Premise", "Hypothesis", "Label"),
        },
        ("accuracy",),
        **_CLASSES,
    ),
    "QNLI": _glue("QNLI", "question", "sentence", "label", ("accuracy",), **_CLASSES),
    "RTE": _glue("RTE", "sentence1", "sentence2", "label", ("accuracy",), **_CLASSES),
    "WNLI": _glue("WNLI", "sentence1", "sentence2", "label", ("accuracy",), **_CLASSES),
}
CLUE = {
    "afqmc": _clue("afqmc", "sentence1", "sentence2"),
    "tnews": _clue("tnews", "sentence", None, tests=("test1.1.json", "test.json"), told="tnews11"),
    "iflytek": _clue("iflytek", "sentence", None),
    "cmnli": _clue("cmnli", "sentence1", "sentence2"),
    "ocnli": _clue("ocnli", "sentence1", "sentence2", train="train.50k.json", told="ocnli_50k"),
    "cluewsc2020": _clue(
        *("cluewsc2020", "text", None, _with_pronoun),
        tests=("test1.1.json", "test.json"),
        told="cluewsc11",
    ),
    "csl": _clue("csl", "keyword", "abst", _with_keywords),
}
BENCHMARKS = {"glue": GLUE, "clue": CLUE}
OFFICIAL = {**GLUE, **CLUE}


class Rows(typing.NamedTuple):
    """The rows of a file and how many of them were left out, by reason.

    Attributes:
      rows: list of dict: `id`, `text`, perhaps `text_pair` and `label`.
      left_out: dict of str -> int.
    """

    rows: list
    left_out: dict


def path_of(name, folder, part):
    """Where a part of a task lies below the folder of a benchmark.

    Returns:
      str, or None where it is not there.
    """
    task = OFFICIAL[name]
    for place in task.folders:
        for file in task.parts[part].files:
            path = os.path.normpath(os.path.join(folder, place, file))
            if os.path.isfile(path):
                return path
    return None


def read_official(name, part, path):
    """The rows of one official file.

    Lines that the site's own files have broken (QQP's) are left out of parts with labels, and
    counted.

    Args:
      name: str, a key of OFFICIAL.
      part: str, a key of its `parts`.
      path: str, the file.
    Returns:
      Rows.
    Raises:
      InputError: the file cannot be read, or a row is not as the site's are.
    """
    task, columns = OFFICIAL[name], OFFICIAL[name].parts[part]
    format = "tsv" if path.endswith((".tsv", ".txt")) else "jsonl"
    rows, left_out, header = [], {}, None
    with formats.open_for_reading(path) as file:
        for record in formats.scan(file, path, format):
            place, cells = f"{path}, line {record.line}", record.cells
            if format == "tsv" and isinstance(columns.text, str):
                if header is None:
                    header = [cell.strip() for cell in cells]
                    _check_header(header, columns, path)
                    continue
                cells = dict(zip(header, cells, strict=False))
            reason, row = _row(task, columns, cells, place, len(rows))
            if reason is None:
                rows.append(row)
            elif columns.label is None:
                raise InputError(f"{place}: {reason}")
            else:
                left_out[reason] = left_out.get(reason, 0) + 1
    if not rows:
        raise InputError(f"{path}: has no rows")
    return Rows(rows, left_out)


def _check_header(header, columns, path):
    for name in (columns.text, columns.text_pair, columns.label):
        if name is not None and name not in header:
            there = ", ".join(map(shown, header[:20]))
            raise InputError(f"{path}, line 1: no column {name!r} in the header; there are {there}")


def _row(task, columns, cells, place, number):
    """(why it is left out or None, the row)."""
    if isinstance(cells, dict) and task.assemble is not None:
        cells = task.assemble(cells, place)
    row = {"id": number}
    if isinstance(cells, dict):
        row["id"] = next((cells[x] for x in ("index", "id") if x in cells), number)
    for name in ("text", "text_pair", "label"):
        column = getattr(columns, name)
        if column is None:
            continue
        there = column in cells if isinstance(cells, dict) else column < len(cells)
        if not there:
            return f"lacks its {column!r}", None
        value = cells[column]
        if name == "label":
            value = str(value).lower() if isinstance(value, bool) else str(value)
        elif not isinstance(value, str):
            raise InputError(f"{place}: {column!r} is {shown(value)}, wanted a string")
        row[name] = value
    return None, row
