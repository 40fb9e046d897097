"""bert-tf pretrain: an encoder from raw text, or one that learns more text."""

import sys

from bert_tf import config
from bert_tf.cli.command import SAVED, Command, run_flags

COMMAND = Command(
    "pretrain",
    "train an encoder on raw text, from nothing or from a checkpoint",
    "bert-tf pretrain --config=configs/pretrain/mini.yaml --workdir=mini",
    run_flags("which model, which records, how to train", "pretrain", "phases.1.steps=500"),
)


def main(argv=None):
    """Runs the verb; argv is a list of str without it. Returns the exit code."""
    return COMMAND.run(_work, argv, _prepare)


def _prepare(flags):
    return config.load(config.PretrainConfig, flags.config, flags.set or ()), flags.workdir


def _work(prepared):
    from bert_tf.recipes.interruption import Interrupted
    from bert_tf.recipes.pretrain import pretrain

    settings, workdir = prepared
    try:
        results = pretrain(settings, workdir)
    except Interrupted as error:
        print(f"bert-tf pretrain: {error}", file=sys.stderr)
        return SAVED
    for phase, result in results.items():
        # What was not finite is null in the results of a finished run.
        figures = {k: v for k, v in result["validation"].items() if isinstance(v, int | float)}
        shown = (f"{name} {value:.6g}" for name, value in figures.items())
        print(f"{phase}, held out: " + ", ".join(shown))
    print(f"the model is in {workdir}/model, every metric in {workdir}/metrics.json")


if __name__ == "__main__":
    sys.exit(main())
