"""bert-tf evaluate: every metric of a trained model on a labelled file."""

import json
import sys

from bert_tf.cli.command import COLUMN_FLAGS, Command, Flag, columns_of
from bert_tf.errors import ConfigError

COMMAND = Command(
    "evaluate",
    "every metric of a trained model on a labelled file, as JSON",
    "bert-tf evaluate --model=run/model --data=dev.tsv",
    (
        Flag(
            "model",
            "DIR",
            "a model directory, such as the folder `model` in a workdir",
            needed=True,
        ),
        Flag(
            "data",
            "FILE",
            "texts with their labels: TSV, CSV or JSON lines, with the columns\n"
            "the model was trained on",
            needed=True,
        ),
        Flag("format", "NAME", "tsv, csv, jsonl, conll, ...; by the file's name if not given"),
        Flag("output", "FILE", "a file to write the figures to as well"),
        Flag(
            "depths",
            "FILE",
            "measures the model with fewer layers too, evenly chosen, and draws its score\n"
            "against their number into a picture (.png, .pdf, .svg)",
        ),
        Flag("task", "NAME", "of a model of several tasks: of which the labels are"),
        *COLUMN_FLAGS,
        Flag(
            "attention",
            "FILE",
            "a picture (.png, .pdf, .svg) of what the first targets that the model\n"
            "writes read of their sources",
        ),
    ),
)


def main(argv=None):
    """Runs the verb; argv is a list of str without it. Returns the exit code."""
    return COMMAND.run(_work, argv, _prepare)


def _prepare(flags):
    from bert_tf.config import FORMATS
    from bert_tf.recipes.early_checks import check_columns_of_flags, check_model
    from bert_tf.recipes.output_files import check_output_files, check_picture

    columns = columns_of(flags)
    check_model(flags.model)
    if flags.format not in (None, *FORMATS):
        raise ConfigError(f"--format is {flags.format!r}, wanted one of {', '.join(FORMATS)}")
    check_columns_of_flags(flags.data, columns, flags.format)
    check_output_files(output=flags.output, depths=flags.depths, attention=flags.attention)
    for picture in filter(None, (flags.depths, flags.attention)):
        check_picture(picture)
    return flags, columns


def _work(prepared):
    from bert_tf.recipes.evaluate import evaluate

    flags, columns = prepared
    options = {"task": flags.task, "format": flags.format, "depths": flags.depths}
    options["attention"] = flags.attention
    figures = evaluate(flags.model, flags.data, flags.output, **options, **columns)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    sys.exit(main())
