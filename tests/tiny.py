"""The smallest real thing: a classifier of a few thousand weights with a vocabulary to match."""

import contextlib

import numpy as np
import tensorflow as tf

from bert_tf import BertConfig, SequenceClassifier, Tokenizer, build_encoder

WORDS = "good bad film story the a is was not very actor end begin one two three , . ! ?".split()
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def vocabulary():
    """The entries of the vocabulary: special tokens, some words, and all letters."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789'-"
    return [*SPECIAL, *WORDS, *letters, *(f"##{letter}" for letter in letters)]


_in_use = []  # the tokenizers of all folders with this vocabulary share its tables and graphs


def tokenizer(folder):
    """A Tokenizer over `vocabulary`; its file is made in a new folder at this pathlib.Path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary()) + "\n", encoding="utf-8")
    _in_use[:] = [Tokenizer.from_pretrained(folder)]
    return _in_use[0]


def rows():
    """Three rows of ids of the vocabulary, two of them with padding, dict of int32 [3, 6]."""
    ids = [[2, 9, 6, 7, 3, 0], [2, 5, 8, 3, 0, 0], [2, 9, 9, 9, 5, 3]]
    ids = np.array(ids, "int32")
    return {"input_ids": ids, "attention_mask": (ids > 0).astype("int32")}


def sizes(**changes):
    """The fields of a config of any family, for ids below 20 in rows of 10; some changed."""
    fields = dict(vocab_size=20, hidden_size=8, num_hidden_layers=2, num_attention_heads=2)
    return fields | dict(intermediate_size=12, max_position_embeddings=10) | changes


def config(**changes):
    """A BertConfig of one layer for texts of the vocabulary, some fields changed."""
    fields = dict(vocab_size=len(vocabulary()), hidden_size=16, intermediate_size=32)
    fields["num_hidden_layers"] = 1
    return BertConfig(**sizes(**fields | dict(max_position_embeddings=32) | changes))


def classifier(
    text_pair=None, label_names=("bad", "good"), problem_type=None, layers=1, **settings
):
    """A SequenceClassifier with fresh weights, large enough to give different answers."""
    encoder = build_encoder(config(num_hidden_layers=layers, initializer_range=0.5))
    model = SequenceClassifier(encoder, len(label_names), list(label_names), problem_type)
    columns = {"text": "text", "text_pair": text_pair, "label": "label", "max_length": 24}
    model.data_settings = {**columns, **settings}
    return model


def save(folder, **options):
    """A model directory of such a classifier at this pathlib.Path; returns the model."""
    model = classifier(**options)
    model.save_pretrained(str(folder), tokenizer(folder / "tokenizer"))
    return model


def mirrored(devices):
    """MirroredStrategy over parts of a CPU, with the plain sums that the commands use there.

    The default, collective operations, may meet in another order on each part and abort.
    """
    import tensorflow as tf

    sums = tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(devices, cross_device_ops=sums)


@contextlib.contextmanager
def eagerly():
    """Functions run op by op: to trace one that runs once takes seconds."""
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)
