"""bert-tf predict: labels or scores for texts."""

import sys

from bert_tf.cli.command import Command, Flag

COMMAND = Command(
    "predict",
    "labels with their probabilities, or scores, for texts",
    "echo 'Not bad at all.' | bert-tf predict --model=run/model --input=-",
    (
        Flag("model", "DIR", "a model directory or an export of one", needed=True),
        Flag(
            "input",
            "FILE",
            "the texts, one a line, or JSON lines with the keys the model was\n"
            "trained on; pairs of texts in plain lines have a tab between them;\n"
            "- reads the standard input; blank lines are left out",
            needed=True,
        ),
        Flag(
            "output",
            "FILE",
            "where the answers go, one JSON object a line; without it they are\n"
            "printed as they come",
        ),
    ),
)


def main(argv=None):
    """Runs the verb; argv is a list of str without it. Returns the exit code."""
    return COMMAND.run(_work, argv)


def _work(flags):
    from bert_tf.recipes.predict import predict

    predict(flags.model, flags.input, flags.output)


if __name__ == "__main__":
    sys.exit(main())
