"""bert-tf predict: labels, scores, words for [MASK] or perplexities of texts."""

import sys

from bert_tf.cli.command import Command, Flag
from bert_tf.errors import ConfigError

COMMAND = Command(
    "predict",
    "labels with their probabilities, or scores, for texts; words for each [MASK]",
    "echo 'Not bad at all.' | bert-tf predict --model=run/model --input=-",
    (
        Flag("model", "DIR", "a model directory or an export of one", needed=True),
        Flag(
            "input",
            "FILE",
            "the texts, one a line, or JSON lines with the keys the model was\n"
            "trained on; pairs of texts in plain lines have a tab between them;\n"
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
        Flag("top", "NUMBER", "how many words for each [MASK]; 5 if not given"),
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
    top = flags.top
    if top is not None and not (top.isascii() and top.isdigit() and int(top)):
        raise ConfigError(f"--top is {top!r}, wanted a whole number of 1 or more")
    if top is not None and flags.perplexity:
        raise ConfigError("--top and --perplexity are given, wanted one of them")
    return flags.model, flags.input, flags.output, top and int(top), flags.perplexity


def _work(prepared):
    from bert_tf.recipes.predict import predict

    predict(*prepared)


if __name__ == "__main__":
    sys.exit(main())
