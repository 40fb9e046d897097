"""bert-tf config: the configurations that come with the package."""

import sys

from bert_tf.cli.command import Command, Flag

COMMAND = Command(
    "config",
    "lists the configurations that come with the package, or prints one to begin from",
    "bert-tf config finetune/sst2 > sst2.yaml",
    (
        Flag(
            "name",
            "NAME",
            "which one to print, such as finetune/sst2 or sst2; the name alone does,\n"
            "without --name=; all are listed if not given",
        ),
    ),
)


def main(argv=None):
    """Runs the verb; argv is a list of str without it. Returns the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    named = [word if word.startswith("-") else f"--name={word}" for word in argv]
    return COMMAND.run(_work, named, light=True)


def _work(flags):
    from bert_tf.recipes.starters import starter_names, starter_text, summary

    if flags.name is not None:
        print(starter_text(flags.name), end="")
        return
    names = starter_names()
    width = max(map(len, names))
    for name in names:
        print(f"{name:{width}}  {summary(name)}")


if __name__ == "__main__":
    sys.exit(main())
