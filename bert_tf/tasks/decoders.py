"""Decoders that begin with the weights of a model (Rothe et al. 2020, arXiv 1907.12461)."""

import dataclasses

from bert_tf.conversion.family import attribute_paths
from bert_tf.conversion.table import find
from bert_tf.errors import InputError

# The heads of task models that predict words.
_HEADS = ("next_word_head", "masked_lm_head")


def trunk(model):
    """The encoder of a task model, or the encoder itself, without a pooler."""
    return getattr(model, "encoder", model).without_pooler()


def changes_of(config):
    """The fields of a decoder's config, whatever the encoder's are, and its `model_type`."""
    return {**dataclasses.asdict(config), "model_type": config.model_type}


def take(model, source):
    """Gives a Seq2Seq's decoder the weights of a model, and those of its head for words.

    Args:
      model: Seq2Seq.
      source: an encoder, or a task model.
    Raises:
      InputError: the decoder has no place for a weight.
    """
    _copy(model.writer, trunk(source), "decoder")
    head = next((getattr(source, name) for name in _HEADS if hasattr(source, name)), None)
    if head is not None and type(head) is type(model.next_word_head):
        _copy(model.next_word_head, head, "decoder: its head")


def _copy(target, source, part):
    for path in attribute_paths(source):
        own, given = find(target, path), find(source, path)
        if own is None or own.shape != given.shape:
            raise InputError(f"{part}: {path}, wanted a model whose weights a decoder has too")
        own.assign(given)
