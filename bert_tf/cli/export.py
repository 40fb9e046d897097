"""bert-tf export: a trained model as a SavedModel, or for the engines of others."""

import json
import sys

from bert_tf.cli.command import Command, Flag
from bert_tf.errors import ConfigError, nearest

FORMATS = ("saved_model", "onnx", "openvino")

COMMAND = Command(
    "export",
    "a trained model and its tokenizer as one program: text in, answer out",
    "bert-tf export --model=run/model --output=serving/sentiment",
    (
        Flag(
            "model",
            "DIR",
            "a model directory, such as the folder `model` in a workdir",
            needed=True,
        ),
        Flag(
            "output",
            "DIR",
            "of a saved_model the folder for the versions 1, 2, ...; each export adds the\n"
            "next, and none is overwritten; TensorFlow Serving may watch it; of another\n"
            "format a new folder",
            needed=True,
        ),
        Flag(
            "portable",
            None,
            "cut texts by TensorFlow's core operations alone, so that it loads where\n"
            "there is no TensorFlow Text",
        ),
        Flag(
            "format",
            "NAME",
            f"one of: {', '.join(FORMATS)}; {FORMATS[0]} if not given;\n"
            "the others take token ids, and have tokenizer.json beside them",
            FORMATS[0],
        ),
    ),
)


def main(argv=None):
    """Runs the verb; argv is a list of str without it. Returns the exit code."""
    return COMMAND.run(_work, argv, _prepare)


def _prepare(flags):
    if flags.format not in FORMATS:
        near = nearest(flags.format, FORMATS)
        hint = f"; did you mean {near}?" if near else ""
        raise ConfigError(f"--format is {flags.format}, wanted one of {', '.join(FORMATS)}{hint}")
    if flags.portable and flags.format != FORMATS[0]:
        raise ConfigError(f"--portable: of the format {FORMATS[0]} alone, got {flags.format}")
    from bert_tf.recipes.early_checks import check_model

    check_model(flags.model)
    return flags


def _work(flags):
    from bert_tf.export import export_for_engine, export_saved_model, require_packages
    from bert_tf.loading import load_with_tokenizer

    if flags.format == FORMATS[0]:
        model = load_with_tokenizer(flags.model)
        print(export_saved_model(*model, flags.output, portable=bool(flags.portable)))
        return
    require_packages(flags.format)
    report = export_for_engine(*load_with_tokenizer(flags.model), flags.output, flags.format)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    sys.exit(main())
