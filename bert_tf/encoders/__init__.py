"""The encoder families. A family is one file and one line in the table below."""

import dataclasses
import difflib

from bert_tf.encoders import albert, bert, electra
from bert_tf.encoders.albert import AlbertConfig, AlbertEncoder
from bert_tf.encoders.bert import BertConfig, BertEncoder
from bert_tf.encoders.electra import ElectraConfig, ElectraEncoder
from bert_tf.errors import InputError

# model_type in config.json -> (config, encoder).
FAMILIES = {
    "bert": (BertConfig, BertEncoder),
    "albert": (AlbertConfig, AlbertEncoder),
    "electra": (ElectraConfig, ElectraEncoder),
}
# The usual name of every published model -> its config.
SIZES = {**bert.SIZES, **albert.SIZES, **electra.SIZES}


def build_encoder(config, **config_changes):
    """An encoder with fresh weights.

    Args:
      config: a family's config, e.g. `BertConfig(...)`, or the name of a published size, e.g.
        "bert-tiny", "bert-base-uncased" (`bert_tf.encoders.SIZES` lists them all).
      **config_changes: fields of the config to change.
    Returns:
      The encoder, a keras.Model.
    Raises:
      InputError: no such size, or a config of no family.
    """
    if isinstance(config, str):
        if config not in SIZES:
            near = difflib.get_close_matches(config, SIZES, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(SIZES)}"
            raise InputError(f"no published size is called {config!r}{hint}")
        config = SIZES[config]
    for config_class, encoder_class in FAMILIES.values():
        if type(config) is config_class:
            return encoder_class(dataclasses.replace(config, **config_changes))
    raise InputError(f"config: a {type(config).__name__}, wanted a config of {', '.join(FAMILIES)}")


__all__ = [
    "FAMILIES",
    "SIZES",
    "AlbertConfig",
    "AlbertEncoder",
    "BertConfig",
    "BertEncoder",
    "ElectraConfig",
    "ElectraEncoder",
    "build_encoder",
]
