"""bert-tf distill: a small model that learns from a large one."""

import os
import sys

from bert_tf import config
from bert_tf.cli.command import SAVED, Command, print_figures, run_flags

COMMAND = Command(
    "distill",
    "a small model that learns from a large one that you trained",
    "bert-tf distill --config=configs/distill/sst2_3_layers.yaml --workdir=small",
    run_flags("who teaches, who learns, of which files and how", "distill", "train.batch_size=16"),
)


def main(argv=None):
    """Runs the verb; argv is a list of str without it. Returns the exit code."""
    return COMMAND.run(_work, argv, _prepare)


def _prepare(flags):
    settings = config.load(config.DistillConfig, flags.config, flags.set or ())
    from bert_tf.recipes.early_checks import check_file, check_finetune, check_model

    if not os.path.exists(os.path.join(flags.workdir, "metrics.json")):
        check_finetune(settings.finetuning())
        for path in settings.distillation.teacher:
            check_model(path)
        if settings.distillation.unlabelled is not None:
            check_file(settings.distillation.unlabelled)
    return settings, flags.workdir


def _work(prepared):
    from bert_tf.recipes.distill import distill
    from bert_tf.recipes.interruption import Interrupted

    settings, workdir = prepared
    try:
        results = distill(settings, workdir)
    except Interrupted as error:
        print(f"bert-tf distill: {error}", file=sys.stderr)
        return SAVED
    for figures in results.get("teachers", []):
        print_figures("teacher", figures)
    for part in ("validation", "test"):
        if part in results:
            print_figures(f"student, {part}", results[part])
    print(f"the student is in {workdir}/model, every metric in {workdir}/metrics.json")


if __name__ == "__main__":
    sys.exit(main())
