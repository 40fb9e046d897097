"""bert-tf vocab: a WordPiece vocabulary from text, or another one for a model."""

import json
import sys

from bert_tf.cli.command import Command, Flag, field_of, whole_number
from bert_tf.errors import ConfigError

COMMAND = Command(
    "vocab",
    "train a WordPiece vocabulary on text; with --model: extend or trim a model's own",
    "bert-tf vocab --input='news/*.jsonl.gz' --output=vocabulary --size=30000 --lowercase",
    (
        Flag(
            "input", "GLOB", "the text files, plain, gzip or xz; several globs with commas between"
        ),
        Flag("output", "DIR", "the folder to make; it must not exist yet or be empty", needed=True),
        Flag(
            "kind",
            "NAME",
            "wordpiece, word (whole words, as Word2Vec reads), bpe (byte-level, as\n"
            "RoBERTa's), unigram or sentencepiece_bpe (as ALBERT's); wordpiece if not given",
        ),
        Flag("size", "N", "the number of entries; 30000 if not given"),
        Flag("min_frequency", "N", "how often an entry must occur; 2 if not given"),
        Flag(
            "lowercase", None, "lower-case the text and strip accents; with --model the model says"
        ),
        Flag(
            "byte_fallback",
            None,
            "of unigram and sentencepiece_bpe: 256 entries are bytes, in which\n"
            "characters that are no entry are told, so that nothing is unknown",
        ),
        Flag("unused", "N", "entries [unused0], [unused1], ... to give a meaning to later"),
        Flag(
            "model",
            "DIR",
            "a model whose vocabulary grows to --size by entries learned from the\n"
            "input; --output is a model with its rows and new ones, each the mean\n"
            "of the pieces its entry was cut into before",
        ),
        Flag("trim", None, "instead leave the model only the entries that the input uses"),
        Flag(
            "vectors",
            "FILE",
            "word vectors in word2vec's text format, as wide as the model's\n"
            "embeddings, for new entries; without --input: for all entries",
        ),
        Flag("layout", "NAME", "lines, text, jsonl or doc (wikiextractor); guessed if not given"),
        Flag("field", "NAME", "the key of the text in JSON lines; text if not given"),
        Flag("policy", "NAME", "of damage: fail (if not given), or skip and count it"),
    ),
)


def main(argv=None):
    """Runs the verb; argv is a list of str without it. Returns the exit code."""
    return COMMAND.run(_work, argv, _prepare)


def _prepare(flags):
    """(name of the recipe, its arguments); says which flags do not go together."""
    growing = flags.model and not flags.trim
    if growing and flags.vectors and not flags.input:
        recipe, idle = "start_from_vectors", ("size", "min_frequency", "lowercase", "unused")
        idle = (*idle, "layout", "field", "policy")
    elif growing:
        recipe, idle = "extend", ("lowercase", "unused")
    elif flags.model:
        recipe, idle = "trim", ("size", "lowercase", "unused", "vectors")
    else:
        recipe, idle = "train", ("trim", "vectors")
    kind = flags.kind if flags.kind != "wordpiece" else None
    if kind not in (None, "word") and recipe == "train":
        recipe, idle = "train_other", (*idle, "unused", *["min_frequency"] * (kind != "bpe"))
    elif kind and recipe != "train":
        idle = (*idle, "kind")
    if recipe != "train_other":
        idle = (*idle, "byte_fallback")
    for name in idle:
        if flags[name].value:
            raise ConfigError(f"--{name} says nothing here; --help tells what goes with --model")
    options = {"output": flags.output, "model": flags.model, "vectors": flags.vectors}
    options["kind"] = kind
    options |= {x: whole_number(flags[x].value, x) for x in ("size", "min_frequency", "unused")}
    if recipe != "start_from_vectors":
        if not flags.input:
            raise ConfigError("--input=GLOB is missing; --help explains it")
        if recipe == "extend" and not flags.size:
            raise ConfigError("--size=N is missing, the number of entries to grow to; or --trim")
        options |= {"files": flags.input, "layout": flags.layout}
        options |= {"field": field_of(flags), "policy": flags.policy or "fail"}
    for name in ("lowercase", "byte_fallback"):
        if flags[name].value:
            options[name] = True
    from bert_tf.recipes.early_checks import check_file, check_model, check_text

    if flags.model:
        check_model(flags.model)
    if flags.vectors:
        check_file(flags.vectors)
    if "files" in options:
        check_text(flags.input)
    return recipe, {name: value for name, value in options.items() if value is not None}


def _work(prepared):
    from bert_tf.recipes import vocab

    recipe, options = prepared
    print(json.dumps(getattr(vocab, recipe)(**options), indent=2))


if __name__ == "__main__":
    sys.exit(main())
