"""The tasks of GLUE and CLUE: their files, columns, figures, and what the sites are sent of them.

Sources: Wang et al. 2019 (arXiv 1804.07461) and the folder that gluebenchmark.com gives; Xu et al.
2020 (arXiv 2004.05986) and the folders of CLUEbenchmark/CLUE.
"""

import typing

from bert_tf.errors import ConfigError, InputError, nearest, shown

# The label of rows in CLUE that have none that its annotators agreed on.
NO_LABEL = "-"


class Part(typing.NamedTuple):
    """One file of a task: its possible names, a tuple where several files are one part; and its
    columns by name or number, `label` None in a file without. Of a document `text` is None."""

    files: tuple
    text: str | int | None = None
    text_pair: str | int | None = None
    label: str | int | None = None


class OfficialTask(typing.NamedTuple):
    """One task of a benchmark.

    Attributes:
      folders: tuple of str, what its folder may be called.
      parts: dict of part -> Part; `train`, `validation`, perhaps `test` (with labels, such as
        MNLI's mismatched rows), and those to be predicted under the name of their submission.
      figures: tuple of str, those the benchmark is about; the first picks the weights.
      task: str, of the configurations of its runs.
      format: str, a key of `formats.DOCUMENTS` where its files are such; None: they are tables or
        JSON lines.
      columns: dict, further columns of the task that its documents have.
      answer: str, the key of a model's answer that the site is sent.
      whole: bool, whether it is sent as one object, id -> answer, rather than an object a row.
      full_mark: float, what the best figures come to.
      problem_type: str or None, as in `read_table`.
      assemble: function of a record (dict of str -> value) and its place -> the record with the
        texts put together; None leaves it as it is.
    """

    folders: tuple
    parts: dict
    figures: tuple
    problem_type: str | None = None
    assemble: typing.Callable | None = None
    task: str = "sequence_classification"
    format: str | None = None
    columns: dict = {}
    answer: str = "label"
    whole: bool = False
    full_mark: float = 1.0


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


def _clue_reading(name, task, figures, told, train=("train.json",), dev=("dev.json",), **options):
    """A task of reading; `told`: the name of its submission for the newest rows."""
    parts = {
        "train": Part(train),
        "validation": Part(dev),
        f"{told}_predict.json": Part(("test1.1.json", "test1.0.json", "test.json")),
    }
    return OfficialTask((f"{name}_public", name), parts, figures, task=task, **options)


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
    "cmrc2018": _clue_reading(
        *("cmrc2018", "question_answering", ("exact_match",), "cmrc2018"),
        **dict(format="squad", answer="answer", whole=True, full_mark=100.0),
    ),
    "c3": _clue_reading(
        *("c3", "multiple_choice", ("accuracy",), "c311"),
        train=(("d-train.json", "m-train.json"), ("c3-d-train.json", "c3-m-train.json")),
        dev=(("d-dev.json", "m-dev.json"), ("c3-d-dev.json", "c3-m-dev.json")),
        **dict(format="c3", answer="choice", columns={"question": "question"}),
    ),
    "chid": _clue_reading(
        *("chid", "multiple_choice", ("accuracy",), "chid11"),
        **dict(format="chid", answer="choice", whole=True),
    ),
}
BENCHMARKS = {"glue": GLUE, "clue": CLUE}
OFFICIAL = {**GLUE, **CLUE}


def task_names(text):
    """The tasks of a flag: names with commas between, or those of a whole benchmark.

    Raises:
      ConfigError: one is no task, or stands twice.
    """
    known = {name.lower(): name for name in OFFICIAL}
    found = []
    for name in text.split(","):
        key = name.strip().lower()
        if key not in known and key not in BENCHMARKS:
            near = nearest(key, [*known, *BENCHMARKS])
            meant = f"; did you mean {known.get(near, near)}?" if near else ""
            raise ConfigError(f"--tasks: {shown(name)}, wanted any of {', '.join(OFFICIAL)}{meant}")
        found += BENCHMARKS[key] if key in BENCHMARKS else [known[key]]
    twice = next((name for name in found if found.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"--tasks: {twice} twice")
    return found
