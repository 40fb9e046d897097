"""bert-tf records: pretraining examples out of raw text."""

import sys

from bert_tf.cli.command import SAVED, Command, Flag, field_of, whole_number
from bert_tf.errors import ConfigError, shown, shown_name

# Flags that are whole numbers -> the least and the most; `RecordSettings` knows more.
_WHOLE = {"max_length": (0, 2**31 - 1), "seed": (0, 2**63 - 1)}
_WHOLE |= dict.fromkeys(("max_predictions", "dupe_factor", "shards", "processes"), (1, 2**31 - 1))
COMMAND = Command(
    "records",
    "pretraining examples out of raw text, in TFRecord files as Google's BERT has them",
    "bert-tf records --input='text/*.txt' --tokenizer=vocab --output=records",
    (
        Flag(
            "input",
            "GLOB",
            "files of text, also gzip or xz; several globs with commas",
            needed=True,
        ),
        Flag("tokenizer", "DIR", "a folder with vocab.txt, as `bert-tf vocab` makes", needed=True),
        Flag(
            "output",
            "DIR",
            "the folder for the records; the same command again continues there",
            needed=True,
        ),
        Flag("max_length", "N", "tokens a row; 128 if not given", "128"),
        Flag(
            "sentence_objective",
            "NAME",
            "next_sentence (if not given): B follows A, or is from another text;\n"
            "sentence_order: B follows A, or A follows B; sentence_order_3: these, or\n"
            "B is from another text; none: rows filled with text, nothing to tell",
            "next_sentence",
        ),
        Flag(
            "masking",
            "NAME",
            "static (if not given): masks are in the records, as others want them;\n"
            "dynamic: `bert-tf pretrain` draws new ones in every epoch",
            "static",
        ),
        Flag(
            "masking_unit",
            "NAME",
            "what static masks hide together: token, word, ngram or span; token if not\n"
            "given, with a segmenter word",
        ),
        Flag("masking_probability", "SHARE", "of a row's tokens to hide; 0.15 if not given"),
        Flag(
            "max_predictions", "N", "hidden tokens a row at most; if not given, what the share asks"
        ),
        Flag(
            "dupe_factor",
            "N",
            "copies of the text, each cut and masked anew; if not given, 10 with static\n"
            "masks, else 1",
        ),
        Flag(
            "short_probability",
            "SHARE",
            "of documents whose rows are shorter than they could be; 0.1 if not given",
            "0.1",
        ),
        Flag(
            "layout", "NAME", "lines, text, jsonl or doc; if not given, each file's own is guessed"
        ),
        Flag("field", "NAME", "the key of the text in JSON lines; text if not given"),
        Flag(
            "label",
            "NAME",
            "a key of labels in JSON lines: a class of the text; a list with one for each word\n"
            "where the text is a list of words; or, where it holds [MASK] once, an object of\n"
            "candidates, a list, and answer, one of them; NAME=A,B,C numbers the classes so;\n"
            "may be given several times",
            repeated=True,
        ),
        Flag("language", "NAME", "en (if not given) or zh, to split text into sentences", "en"),
        Flag("policy", "NAME", "of damage: fail (if not given), or skip and count it", "fail"),
        Flag("duplicates", "NAME", "of documents: drop (if not given) or keep", "drop"),
        Flag("segmenter", "NAME", "jieba: finds Chinese words, as --boundaries says"),
        Flag(
            "boundaries",
            "BOOL",
            "true: token_boundary says where words begin, as ALBERT's",
            "false",
        ),
        Flag("seed", "N", "of everything random; 0 if not given", "0"),
        Flag("shards", "N", "how many files; if not given, by the size of the text"),
        Flag("processes", "N", "how many work at once; as many as there are cores if not given"),
        Flag("runner", "NAME", "an Apache Beam runner to work instead, such as FlinkRunner"),
        Flag(
            "runner_option",
            "FLAG",
            "a flag for the runner; may be given several times",
            repeated=True,
        ),
    ),
)


def main(argv=None):
    """Runs the verb; argv is a list of str without it. Returns the exit code."""
    return COMMAND.run(_work, argv, _prepare)


def _prepare(flags):
    """Numbers instead of their digits, before anything is read."""
    values = {flag.name: flags[flag.name].value for flag in COMMAND.flags}
    values["field"] = field_of(flags)
    for name, (least, most) in _WHOLE.items():
        values[name] = whole_number(values[name], name, least, most)
    for name in ("masking_probability", "short_probability"):
        values[name] = _share(name, values[name])
    for name, known in (("masking", ("static", "dynamic")), ("boundaries", ("true", "false"))):
        if values[name] not in known:
            said = f"--{name} is {shown_name(values[name])}"
            raise ConfigError(f"{said}, wanted one of {', '.join(known)}")
    if values["runner_option"] and values["runner"] is None:
        raise ConfigError("--runner_option is given, wanted --runner with it")
    if values["processes"] is not None and values["runner"] is not None:
        raise ConfigError("--processes and --runner are given, wanted one of them")
    from bert_tf.recipes.early_checks import check_text

    check_text(values["input"], values["tokenizer"])
    return values


def _share(name, text):
    try:
        return None if text is None else float(text)
    except ValueError:
        raise ConfigError(f"--{name} is {shown(text)}, wanted a share such as 0.1") from None


def _work(values):
    from bert_tf.recipes.interruption import Interrupted
    from bert_tf.recipes.records import make_records, settings_of

    places = {
        name: values[name] for name in ("tokenizer", "output", "shards", "processes", "runner")
    }
    try:
        manifest = make_records(
            values["input"],
            **places,
            settings=settings_of(values),
            runner_options=values["runner_option"] or (),
        )
    except Interrupted as error:
        print(f"bert-tf records: {error}", file=sys.stderr)
        return SAVED
    counts = manifest.counts
    print(
        f"{counts['records']:,} records from {counts['documents']:,} documents "
        f"in {len(manifest.shards)} files: {values['output']}"
    )
    for name, label in manifest.labels.items():
        count = counts[f"labelled_{name}"]
        if label["of"] == "cloze":
            print(f"{name}: {count:,} questions, up to {label['candidates']} candidates each")
        else:
            print(f"{name}: {len(label['names'])} classes, {count:,} labels of a {label['of']}")


if __name__ == "__main__":
    sys.exit(main())
