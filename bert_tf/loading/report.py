"""What a conversion found and what became of it, as lines for people."""

import numpy as np

from bert_tf import encoders
from bert_tf.conversion.leftovers import account
from bert_tf.conversion.table import listed
from bert_tf.loading.encoders import load_encoder

SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "embedding_size",
    "max_position_embeddings",
)
TRAINING = "state of training"


def found(contents, model):
    """What the files held.

    Args:
      contents: Contents the model was made of.
      model: an encoder or a task model.
    Returns:
      list of (str, str): family, size, head, tensors, and those left with the reason.
    """
    encoder = getattr(model, "encoder", model)
    config, task = encoder.config, model is not encoder
    count = sum(int(np.prod(weight.shape)) for weight in encoder.weights)
    matched, left = _tensors(contents, model)
    left |= {TRAINING: list(contents.aside)} if contents.aside else {}
    whole = matched + sum(len(names) for names in left.values())
    lines = [
        ("family", config.model_type),
        (
            "size",
            f"{config.num_hidden_layers} layers of {config.hidden_size}, "
            f"{config.num_attention_heads} heads, vocabulary {config.vocab_size}, "
            f"{count:,} parameters{_usual_name(config)}",
        ),
        ("head", type(model).__name__ if task else "none, an encoder alone"),
        ("tensors", f"{matched} of {whole} matched"),
    ]
    return lines + [("left", f"{listed(names)}: {reason}") for reason, names in left.items()]


def difference(encoder, target):
    """How far the outputs of an encoder and of the one written are apart.

    Args:
      encoder: the source's.
      target: str or Path, what was written.
    Returns:
      (str, str), the line that says it.
    """
    config = encoder.config
    numbers = np.random.default_rng(0)
    length = min(16, getattr(config, "longest_row", config.max_position_embeddings))
    ids = numbers.integers(0, config.vocab_size, (2, length)).astype("int32")
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    written = load_encoder(str(target))
    first, second = (
        np.asarray(each(inputs, training=False)["sequence_output"]) for each in (encoder, written)
    )
    largest = float(np.abs(first - second).max())
    return "difference", f"{largest:.2g}, the largest of 2 random rows, source against target"


def _usual_name(config):
    """The name of the published size that a config has, if it has one's."""
    sizes = [getattr(config, name, None) for name in SIZES]
    names = [
        name
        for name, other in encoders.SIZES.items()
        if other.model_type == config.model_type
        and [getattr(other, field, None) for field in SIZES] == sizes
    ]
    return f", as {names[0]}" if names else ""


def _tensors(contents, model):
    """How many tensors of the files are the model's; reason -> names of the others."""
    layout, encoder, task = contents.layout, getattr(model, "encoder", model), contents.fullest_task
    if model is encoder or contents.modules or task is None:
        table, model = layout.encoder_table(), encoder
    elif contents.is_own:
        table = layout.own_task_table(model)
    else:
        table = layout.task_table(task)
    return account(table, model, contents.tensors, contents.weights_file)
