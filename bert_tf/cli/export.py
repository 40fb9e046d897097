"""bert-tf export: a trained model as a SavedModel, or for the engines of others."""

import json
import sys

from bert_tf.cli.command import COLUMN_FLAGS, Command, Flag, columns_of
from bert_tf.errors import ConfigError, nearest

FORMATS = ("saved_model", "onnx", "openvino", "litert")

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
        Flag(
            "adapter",
            "NAME=DIR",
            "an adapter over the model, which is there once for all; may be given\n"
            "several times: the signature NAME answers with it",
            repeated=True,
        ),
        Flag(
            "precision",
            "bfloat16",
            "of a saved_model: kernels and products in bfloat16, half the size and quicker\n"
            "where the CPU has it (AMX, AVX512-BF16)",
        ),
        Flag(
            "quantize",
            "NAME",
            "int8 of onnx, openvino and litert: a quarter of the size, and quicker; int4 of onnx:\n"
            "weights alone, an eighth of the size",
        ),
        Flag(
            "calibration",
            "FILE",
            "a few hundred real texts, as bert-tf predict reads them: int8 of onnx takes the\n"
            "ranges of activations from them; without, each row has its own. Answers to them have\n"
            "to agree with the model's where there is no --data",
        ),
        Flag("data", "FILE", "texts with their labels: the export is measured beside the model"),
        *COLUMN_FLAGS,
        Flag(
            "max_drop", "POINTS", "how much lower its figure may be, out of 100; 0.5 if not given"
        ),
        Flag("force", None, "export it even if it is lower, or agrees less, than is allowed"),
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
    for each in flags.adapter or ():
        if not all(each.partition("=")) or flags.format != FORMATS[0]:
            raise ConfigError(f"--adapter is {each}, wanted NAME=DIR, and --format={FORMATS[0]}")
    names = [each.partition("=")[0] for each in flags.adapter or ()]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"--adapter: {name} is given twice, wanted a name of its own for each"
            )
    _check_engine_flags(flags)
    columns = columns_of(flags)
    from bert_tf.recipes.early_checks import check_columns, check_file, check_model

    check_model(flags.model)
    if flags.calibration is not None:
        check_file(flags.calibration)
    if flags.data is not None:
        check_columns(flags.data, [])
    return flags, columns


def _check_engine_flags(flags):
    """Raises ConfigError where flags of engines say nothing, or no number."""
    if flags.format == FORMATS[0]:
        for name in ("quantize", "calibration"):
            if flags[name].value:
                others = ", ".join(FORMATS[1:])
                raise ConfigError(f"--{name}: of the formats {others}, got {FORMATS[0]}")
    elif flags.precision is not None:
        raise ConfigError(f"--precision: of the format {FORMATS[0]}, got {flags.format}")
    if flags.precision not in (None, "bfloat16"):
        raise ConfigError(f"--precision is {flags.precision}, wanted bfloat16, or none for float32")
    if flags.calibration is not None and flags.quantize is None:
        raise ConfigError("--calibration: int8 reads it, wanted --quantize=int8 with it")
    for name in ("max_drop", *(flag.name for flag in COLUMN_FLAGS)):
        if flags[name].value and flags.data is None:
            raise ConfigError(f"--{name}: nothing is measured, wanted --data=FILE with it")
    if flags.force and flags.data is None and flags.quantize is None:
        raise ConfigError("--force: nothing is measured, wanted --data=FILE with it")
    _points(flags.max_drop)


def _points(given):
    """The number that --max_drop gives, 0.5 where it is not given."""
    try:
        points = float(given or 0.5)
    except ValueError:
        points = -1.0
    if not 0 <= points <= 100:
        raise ConfigError(f"--max_drop is {given!r}, wanted a number of points from 0 to 100")
    return points


def _work(prepared):
    from bert_tf.recipes.measured_export import export_for_engine, export_for_serving

    flags, columns = prepared
    measured = {"data": flags.data, "columns": columns, "max_drop": _points(flags.max_drop)}
    measured["force"] = bool(flags.force)
    if flags.format == FORMATS[0]:
        adapters = dict(each.split("=", 1) for each in flags.adapter or ())
        how = (bool(flags.portable), adapters, flags.precision or "float32")
        place, report = export_for_serving(flags.model, flags.output, *how, **measured)
        if report is not None:
            print(json.dumps(report, indent=2))
        print(place)
        return
    asked = (flags.format, flags.quantize, flags.calibration)
    report = export_for_engine(flags.model, flags.output, *asked, **measured)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    sys.exit(main())
