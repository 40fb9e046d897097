"""What a conversion wrote beside what it read: the outputs of both."""

import dataclasses

import numpy as np

from bert_tf.conversion.contents import opened
from bert_tf.conversion.sentence_transformers import TASK
from bert_tf.conversion.word2vec_file import read_word_vectors
from bert_tf.loading.encoders import whole_encoder
from bert_tf.loading.tasks import task_of_files


def whole_model(contents):
    """All that open files hold: the task model with the fullest head, or the encoder alone."""
    task = TASK if contents.modules else contents.fullest_task
    contents = dataclasses.replace(contents, task=task)
    return task_of_files(contents) if task else whole_encoder(contents)


def difference(model, target):
    """How far the outputs of a model and of the one written are apart.

    Args:
      model: the source's, an encoder or a task model.
      target: str or Path, what was written.
    Returns:
      (str, str), the line that says it.
    """
    with opened(str(target)) as contents:
        written = whole_model(contents)
    of_task = type(written) is type(model) and hasattr(model, "encoder")
    pair = (model, written)
    if not of_task:
        pair = [getattr(each, "encoder", each) for each in pair]
    inputs = _rows(pair[0])
    one, other = (_arrays(each(inputs, training=False)) for each in pair)
    if not of_task:  # a pooler may be there on one side alone
        one, other = one[:1], other[:1]
    largest = max(float(np.abs(x - y).max()) for x, y in zip(one, other, strict=True))
    what = f"{type(model).__name__}'s outputs" if of_task else "the encoder's outputs"
    rows = f"the largest in {what} for 2 random rows"
    return "difference", f"{largest:.2g}, {rows}, source against target"


def difference_of_words(words, vectors, file):
    """As `difference`, of word vectors: a file of them has no ids.

    Args:
      words, vectors: list of str and float [words, width], the source's.
      file: Path of the file written.
    """
    known = dict(zip(*read_word_vectors(file), strict=True))
    if {*words} != known.keys():
        return "difference", f"{len({*words} ^ known.keys())} words are on one side alone"
    largest = max(
        float(np.abs(x - known[word]).max()) for word, x in zip(words, vectors, strict=True)
    )
    return "difference", f"{largest:.2g}, the largest of {len(words)} words, source against target"


def _rows(model):
    """What a model's `call` takes of 2 random rows: all that any reads, which others pass by."""
    parts = getattr(model, "parts", None)
    if parts:
        return {name: _rows(part) for name, part in parts.items()}
    encoder, numbers = getattr(model, "encoder", model), np.random.default_rng(0)
    config = encoder.config
    length = min(16, getattr(config, "longest_row", config.max_position_embeddings))
    ids = numbers.integers(0, config.vocab_size, (2, length)).astype("int32")
    written = getattr(getattr(model, "writer", encoder), "config", config)
    places = np.arange(length, dtype="int32")
    rows = {
        **{"input_ids": ids, "attention_mask": np.ones_like(ids), "noise_ids": ids},
        "decoder_input_ids": (ids % written.vocab_size)[:, : written.longest_row],
        **{"word_starts": np.stack([places, places]), "words": np.full(2, length, "int32")},
    }
    columns = getattr(model, "columns", {}).values()
    if any(x.kind == "texts" and not (x.optional or x.target) for x in columns):
        rows = {name: np.stack([x, x[::-1]], axis=1) for name, x in rows.items()}  # choices
    return rows


def _arrays(outputs):
    """All tensors of outputs, in the order of their names."""
    if isinstance(outputs, dict):
        first = sorted(outputs, key=lambda name: (name != "sequence_output", name))
        return [x for name in first for x in _arrays(outputs[name])]
    return [np.asarray(outputs)]
