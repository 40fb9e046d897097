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


def attention(model, sources, targets, tokenizer):
    """What `Seq2Seq.attention` gives."""
    import tensorflow as tf

    if tokenizer is None:
        raise InputError("tokenizer: None, wanted that of the model, to read texts")
    cells = {"text": tf.constant(sources), "target": tf.constant(targets)}
    inputs, labels = model.features(cells, tokenizer, model.row_settings())
    source = {name: x for name, x in inputs.items() if not name.startswith("decoder_")}
    outputs = model.writer(
        {
            "input_ids": inputs["decoder_input_ids"],
            "attention_mask": inputs["decoder_attention_mask"],
            "memory": model(source),
            "memory_mask": inputs["attention_mask"],
        },
        return_intermediates=True,
    )
    shares_NTS = tf.reduce_mean(outputs["cross_attentions"][-1], axis=1).numpy()
    names, found = tokenizer.vocabulary, []
    for row, shares_TS in enumerate(shares_NTS):
        read = inputs["input_ids"][row].numpy()[inputs["attention_mask"][row].numpy() > 0]
        told = labels[row].numpy()[labels[row].numpy() >= 0]
        tokens = {"source": [names[x] for x in read], "target": [names[x] for x in told]}
        found.append({**tokens, "attention": shares_TS[: len(told), : len(read)]})
    return found
