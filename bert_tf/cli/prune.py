"""bert-tf prune: a trained model without what matters least in it."""

import os
import sys

from bert_tf import config
from bert_tf.cli.command import SAVED, Command, print_figures, run_flags

COMMAND = Command(
    "prune",
    "a trained model without the layers, heads, neurons and words that matter least",
    "bert-tf prune --config=configs/prune/sst2_pruned.yaml --workdir=small --set pruning.heads=6",
    run_flags("which model, what stays, on which files", "prune", "pruning.neurons=768"),
)


def main(argv=None):
    """Runs the verb; argv is a list of str without it. Returns the exit code."""
    return COMMAND.run(_work, argv, _prepare)


def _prepare(flags):
    settings = config.load(config.PruneConfig, flags.config, flags.set or ())
    from bert_tf.recipes.early_checks import check_finetune

    if not os.path.exists(os.path.join(flags.workdir, "metrics.json")):
        check_finetune(settings.finetuning())
    return settings, flags.workdir


def _work(prepared):
    from bert_tf.recipes.interruption import Interrupted
    from bert_tf.recipes.prune import prune

    settings, workdir = prepared
    try:
        results = prune(settings, workdir)
    except Interrupted as error:
        print(f"bert-tf prune: {error}", file=sys.stderr)
        return SAVED
    names = {"before": "before", "pruned": "pruned", "validation": "at the end", "test": "test"}
    for part, said in names.items():
        if part in results:
            print_figures(said, results[part])
    print(f"the model is in {workdir}/model, every metric in {workdir}/metrics.json")


if __name__ == "__main__":
    sys.exit(main())
