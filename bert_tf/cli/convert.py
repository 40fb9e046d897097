"""bert-tf convert: a checkpoint from one home's format into another's."""

import sys

from bert_tf.cli.command import Command, Flag

COMMAND = Command(
    "convert",
    "a checkpoint from one home's format into another's, heads and tokenizer included",
    "bert-tf convert --source=uncased_L-12_H-768_A-12.zip --target=bert-base --format=huggingface",
    (
        Flag(
            "source",
            "DIR",
            "what to read: a Hugging Face directory (tf_model.h5 too), a preset of KerasHub,\n"
            "a checkpoint of Google or of the Model Garden, a SavedModel of TF-Hub, the .zip of\n"
            "one as it was downloaded, a file of word vectors (word2vec, text or binary), or\n"
            "hf://ORG/NAME[@REVISION]",
            needed=True,
        ),
        Flag("target", "DIR", "the folder to make; it must not exist yet or be empty", needed=True),
        Flag(
            "format",
            "NAME",
            "huggingface (transformers opens it), google (TF1), keras_hub or\n"
            "sentence_transformers (of a sentence encoder, or of an encoder alone); word2vec or\n"
            "word2vec_binary (of word vectors)",
            needed=True,
        ),
        Flag("task", "NAME", "of a model of several tasks: the one to write alone"),
    ),
)


def main(argv=None):
    """Runs the verb; argv is a list of str without it. Returns the exit code."""
    return COMMAND.run(_work, argv, _prepare)


def _prepare(flags):
    from bert_tf.recipes.early_checks import check_convert

    check_convert(flags.source, flags.format)
    return flags


def _work(flags):
    from bert_tf.loading import convert

    said = convert(flags.source, flags.target, flags.format, compare=True, task=flags.task)
    for name, text in said:
        print(f"{name:12}{text}")
    print(flags.target)


if __name__ == "__main__":
    sys.exit(main())
