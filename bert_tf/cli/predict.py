"""bert-tf predict: labels, scores, words for [MASK] or perplexities of texts."""

import sys

from bert_tf import config
from bert_tf.cli.command import Command, Flag, column_of, whole_number
from bert_tf.errors import ConfigError, InputError, shown, shown_name

COMMAND = Command(
    "predict",
    "labels with their probabilities, or scores, for texts; words for each [MASK]",
    "echo 'Not bad at all.' | bert-tf predict --model=run/model --input=-",
    (
        Flag("model", "DIR", "a model directory or an export of one", needed=True),
        Flag(
            "input",
            "FILE",
            "the texts, one a line; JSON lines, a .tsv or a .csv with the columns\n"
            "the model was trained on; pairs in plain lines have a tab between;\n"
            "of a model of masked words: texts with [MASK] in them;\n"
            "- reads the standard input; blank lines are left out",
            needed=True,
        ),
        Flag(
            "output",
            "FILE",
            "where the answers go, one JSON object a line; without it they are\n"
            "printed as they come",
        ),
        Flag("text", "COLUMN", "the column or key of the texts, if not the one trained with"),
        Flag(
            "text_pair",
            "COLUMN",
            "the column or key of the partners; with it a model that was saved\n"
            "elsewhere takes pairs",
        ),
        Flag(
            "choices",
            "KEY",
            "of a model of masked words: the key of the choices, a list, of which\n"
            "the likeliest in the place of [MASK] or ___ is the answer",
        ),
        Flag(
            "format",
            "NAME",
            "jsonl (if not given), or squad: one object of question id and answer,\n"
            "as the official scorers read it",
            "jsonl",
        ),
        Flag(
            "top",
            "NUMBER",
            "how many words for each [MASK] (5 if not given) or spans of each\nanswer (1)",
        ),
        Flag(
            "labels",
            "NAME,NAME,...",
            "labels the model need not know, of which each text gets one; of a model\n"
            "of sentence vectors, the nearest",
        ),
        Flag(
            "generation",
            "KEY=VALUE",
            "of a model that writes texts: how, such as max_new_tokens=20 or\n"
            "num_beams=4; may be given several times",
            repeated=True,
        ),
        Flag("task", "NAME", "of a model of several tasks: which is asked; the first if not given"),
        Flag(
            "segmenter",
            "NAME",
            "of a model that reads words, such as a parser: jieba cuts Chinese texts\ninto them",
        ),
        Flag(
            "several",
            None,
            "with --labels, of a model of entailment: any number of them may fit a text",
            False,
        ),
        Flag(
            "na_probs",
            "FILE",
            "with --format=squad, of a model that knows of questions without an\n"
            "answer: a second file, how likely each has none, as the scorer of\n"
            "SQuAD 2.0 takes it",
        ),
        Flag("template", "TEXT", "what is said of a text, with {} where one of --labels stands"),
        Flag(
            "perplexity",
            None,
            "of a model of masked words: how likely it finds each text",
            False,
        ),
    ),
)


def main(argv=None):
    """Runs the verb; argv is a list of str without it. Returns the exit code."""
    return COMMAND.run(_work, argv, _prepare)


def _prepare(flags):
    from bert_tf.recipes.early_checks import (
        check_columns_of_flags,
        check_file,
        check_labels,
        check_model,
    )
    from bert_tf.recipes.output_files import check_output_files

    top = whole_number(flags.top, "top", least=1, most=100_000)
    if top is not None and flags.perplexity:
        raise ConfigError("--top and --perplexity are given, wanted one of them")
    if flags.format not in ("jsonl", "squad"):
        raise ConfigError(f"--format is {shown(flags.format)}, wanted jsonl or squad")
    options = {x: column_of(flags[x].value, x) for x in ("text", "text_pair", "choices")}
    columns = dict(options)
    options |= {"format": flags.format, "several": flags.several, "na_probs": flags.na_probs}
    if flags.na_probs is not None and flags.format != "squad":
        raise ConfigError(f"--na_probs is {flags.na_probs}, wanted --format=squad with it")
    if flags.several and flags.labels is None:
        raise ConfigError("--several is given, wanted --labels with it")
    if flags.template is not None and flags.labels is None:
        raise ConfigError(f"--template is {shown(flags.template)}, wanted --labels with it")
    if flags.labels is not None and (flags.perplexity or top is not None):
        raise ConfigError("--labels is given, wanted neither --top nor --perplexity with it")
    options["labels"] = None if flags.labels is None else flags.labels.split(",")
    if flags.segmenter is not None and (flags.perplexity or flags.labels is not None):
        raise ConfigError("--segmenter is given, wanted neither --perplexity nor --labels with it")
    options |= {"template": flags.template, "task": flags.task, "segmenter": flags.segmenter}
    options["generation"] = _generation(flags.generation or ())
    try:
        check_labels(options["labels"], flags.template)
    except InputError as error:
        raise ConfigError(f"--{error}") from None
    check_output_files(output=flags.output, na_probs=flags.na_probs)
    check_model(flags.model, export=True)
    if flags.input != "-":
        check_file(flags.input)
        check_columns_of_flags(flags.input, columns)
    return (flags.model, flags.input, flags.output, top, flags.perplexity), options


def _generation(given):
    """The settings of how texts are written, dict of name -> value as `--set` reads it."""
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not (name and equals):
            raise ConfigError(f"--generation is {shown(each)}, wanted KEY=VALUE")
        try:
            found[name] = config.parse_value(value, "--generation")
        except ConfigError:
            said = f"--generation={shown_name(name)}: {shown(value)}"
            raise ConfigError(f"{said} is no value of YAML") from None
    return found


def _work(prepared):
    from bert_tf.recipes.predict import predict

    arguments, options = prepared
    predict(*arguments, **options)


if __name__ == "__main__":
    sys.exit(main())
