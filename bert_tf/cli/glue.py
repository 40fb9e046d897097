"""bert-tf glue: tasks of GLUE or CLUE under several seeds, and the files their sites take."""

import sys

from bert_tf import config
from bert_tf.cli.command import SAVED, Command, Flag, whole_number
from bert_tf.errors import ConfigError, shown

COMMAND = Command(
    "glue",
    "tasks of GLUE or CLUE under several seeds, with mean and spread; submission files",
    "bert-tf glue --config=configs/glue/glue.yaml --workdir=glue --tasks=CoLA,MRPC --seeds=1,2,3",
    (
        Flag(
            "config",
            "FILE",
            "a YAML file that says which model, the folder of the official files,\nhow to train",
            needed=True,
        ),
        Flag(
            "workdir",
            "DIR",
            "the folder for all runs and the submission files; the same command\nagain continues",
            needed=True,
        ),
        Flag(
            "tasks",
            "NAME,NAME,...",
            "CoLA, SST-2, MRPC, STS-B, QQP, MNLI, QNLI, RTE, WNLI, or glue for all;\n"
            "afqmc, tnews, iflytek, cmnli, ocnli, cluewsc2020, csl, cmrc2018, c3, chid,\n"
            "or clue for all",
            needed=True,
        ),
        Flag("seeds", "N,N,...", "the seeds of each task; 1,2,3 if not given", "1,2,3"),
        Flag(
            "set",
            "KEY=VALUE",
            "changes one value of the configuration, such as tasks.RTE.epochs=10;\n"
            "may be given several times",
            repeated=True,
        ),
    ),
)


def main(argv=None):
    """Runs the verb; argv is a list of str without it. Returns the exit code."""
    return COMMAND.run(_work, argv, _prepare)


def _prepare(flags):
    settings = config.load(config.GlueConfig, flags.config, flags.set or ())
    from bert_tf.recipes.early_checks import check_benchmark

    seeds = [whole_number(seed, "seeds") for seed in flags.seeds.split(",")]
    if len(set(seeds)) < len(seeds):
        raise ConfigError(f"--seeds is {shown(flags.seeds)}, wanted each once")
    tasks = check_benchmark(settings, flags.tasks)
    return settings, flags.workdir, tasks, seeds


def _work(prepared):
    from bert_tf.recipes.glue import glue
    from bert_tf.recipes.interruption import Interrupted

    settings, workdir, tasks, seeds = prepared
    try:
        glue(settings, workdir, tasks, seeds)
    except Interrupted as error:
        print(f"bert-tf glue: {error}", file=sys.stderr)
        return SAVED
    print(f"every figure is in {workdir}/results.json, what the site takes in {workdir}/submission")
    return None


if __name__ == "__main__":
    sys.exit(main())
