"""The commands: `bert-tf VERB --flag=value`, one file a verb."""

import importlib
import sys

from bert_tf import __version__
from bert_tf.errors import hint

# verb -> what it does, for the list that `bert-tf` alone prints.
VERBS = {
    "quickstart": "the whole job on real weights and real text: train, evaluate, export, ask",
    "finetune": "teach a pretrained model your own labelled texts",
    "distill": "a small model that learns from a large one that you trained",
    "prune": "a trained model without what matters least in it",
    "evaluate": "every metric of a trained model on a labelled file",
    "predict": "labels, scores or words for [MASK] in texts, one JSON object a line",
    "export": "a trained model as a SavedModel, for TensorFlow Serving or Python",
    "glue": "tasks of GLUE or CLUE under several seeds, and what their sites take",
    "config": "lists the configurations to begin from, or prints one",
    "convert": "a checkpoint from one home's format into another's",
    "vocab": "a WordPiece vocabulary from text; a model's own, extended or trimmed",
    "records": "pretraining examples out of raw text",
    "pretrain": "train an encoder on such records, from nothing or from a checkpoint",
}


def main(argv=None):
    """Runs a verb.

    Args:
      argv: list of str without the program's name; None takes the command line's.
    Returns:
      int, the exit code: 0 done; 1 the work failed; 2 wrong flags or configuration; 3 interrupted
      and saved; 130 interrupted.
    """
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("--help", "-h", "help"):
        print(_overview())
        return 0
    if argv[0] == "--version":
        print(f"bert-tf {__version__}")
        return 0
    verb, *flags = argv
    if verb not in VERBS:
        print(f"bert-tf: no verb {verb!r}; {hint(verb, VERBS)}", file=sys.stderr)
        return 2
    return importlib.import_module(f"bert_tf.cli.{verb}").main(flags)


def _overview():
    width = max(map(len, VERBS))
    lines = [f"  {verb:{width}}  {what}" for verb, what in VERBS.items()]
    return "\n".join(
        [
            "bert-tf VERB --flag=value ...",
            "",
            *lines,
            "",
            "bert-tf VERB --help explains a verb's flags; bert-tf --version says which this is.",
            "New here? Start with: bert-tf quickstart",
        ]
    )
