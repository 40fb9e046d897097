"""bert-tf finetune: teach a pretrained model your own labelled texts."""

import os
import sys

from bert_tf import config
from bert_tf.cli.command import SAVED, Command, Flag, print_figures, run_flags
from bert_tf.errors import ConfigError

COMMAND = Command(
    "finetune",
    "teach a pretrained model your own labelled texts",
    "bert-tf finetune --config=configs/finetune/sst2.yaml --workdir=run --set train.epochs=2",
    (
        *run_flags("which model, which files, how to train", "finetune", "train.batch_size=16"),
        Flag(
            "draw_schedule",
            "FILE",
            "draws the learning rate of every step into a picture (.png, .pdf, .svg),\n"
            "and trains nothing",
        ),
    ),
)


def main(argv=None):
    """Runs the verb; argv is a list of str without it. Returns the exit code."""
    return COMMAND.run(_work, argv, _prepare)


def _prepare(flags):
    settings = config.load(config.finetuning(flags.config), flags.config, flags.set or ())
    from bert_tf.recipes.early_checks import check_finetune

    if not os.path.exists(os.path.join(flags.workdir, "metrics.json")):
        check_finetune(settings, model=flags.draw_schedule is None)
    return settings, flags.workdir, flags.draw_schedule


def _work(prepared):
    from bert_tf.recipes.finetune import draw_learning_rate, finetune
    from bert_tf.recipes.finetune_after import finetune_after
    from bert_tf.recipes.finetune_few_shot import finetune_few_shot
    from bert_tf.recipes.finetune_incremental import finetune_incremental
    from bert_tf.recipes.finetune_multi_task import finetune_multi_task
    from bert_tf.recipes.interruption import Interrupted

    settings, workdir, picture = prepared
    if picture is not None and isinstance(settings, config.MultiTaskConfig):
        raise ConfigError("--draw_schedule is for one task, and the configuration has several")
    if picture is not None:
        draw_learning_rate(settings, picture)
        print(f"the learning rate is drawn in {picture}")
        return None
    try:
        if isinstance(settings, config.MultiTaskConfig):
            recipe = finetune_multi_task
        else:
            recipe = finetune if settings.incremental.method is None else finetune_incremental
            recipe = recipe if settings.few_shot.pairs is None else finetune_few_shot
            recipe = finetune_after if settings.intermediate else recipe
        results = recipe(settings, workdir)
    except Interrupted as error:
        print(f"bert-tf finetune: {error}", file=sys.stderr)
        return SAVED
    for part in ("validation", "test"):
        measured = results.get(part, {})
        print_figures(part, measured)
        for name, figures in measured.items():
            if isinstance(figures, dict) and "loss" in figures:  # of one task among several
                print_figures(f"{part} {name}", figures)
    for part, accuracy in results.get("incremental", {}).get("accuracy", {}).items():
        before, after = accuracy["before"]["of_all_labels"], accuracy["after"]["of_all_labels"]
        print(f"{part} test: accuracy {before:.4f} before, {after:.4f} after")
    print(f"the model is in {workdir}/model, every metric in {workdir}/metrics.json")


if __name__ == "__main__":
    sys.exit(main())
