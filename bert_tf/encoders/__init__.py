"""The encoder families. A family is one file and one line in the table below."""

import dataclasses

from bert_tf.encoders.albert import ALBERT, AlbertConfig
from bert_tf.encoders.bert import BERT, BertConfig
from bert_tf.encoders.checks import OF_TRANSFORMER, unknown_field
from bert_tf.encoders.deberta import DEBERTA_V2, DebertaV2Config
from bert_tf.encoders.distilbert import DISTILBERT, DistilBertConfig
from bert_tf.encoders.electra import ELECTRA, ElectraConfig
from bert_tf.encoders.elmo import ELMO, ElmoConfig
from bert_tf.encoders.encoder import Encoder
from bert_tf.encoders.family import Family, Published
from bert_tf.encoders.gpt2 import GPT2, Gpt2Config
from bert_tf.encoders.lstm import LSTM, LstmConfig
from bert_tf.encoders.mobilebert import MOBILEBERT, MobileBertConfig
from bert_tf.encoders.modernbert import MODERNBERT, ModernBertConfig
from bert_tf.encoders.roberta import ROBERTA, XLM_ROBERTA, RobertaConfig, XLMRobertaConfig
from bert_tf.encoders.transformer import PARTS, TRANSFORMER, TransformerConfig, as_transformer
from bert_tf.encoders.word2vec import WORD2VEC, Word2VecConfig, words_alone_config
from bert_tf.errors import ConfigError, InputError, hint, shown

# model_type in config.json -> Family.
FAMILIES = {
    "bert": BERT,
    "albert": ALBERT,
    "electra": ELECTRA,
    "roberta": ROBERTA,
    "xlm-roberta": XLM_ROBERTA,
    "distilbert": DISTILBERT,
    "mobilebert": MOBILEBERT,
    "gpt2": GPT2,
    "modernbert": MODERNBERT,
    "deberta-v2": DEBERTA_V2,
    "transformer": TRANSFORMER,
    "lstm": LSTM,
    "word2vec": WORD2VEC,
    "elmo": ELMO,
}
# The usual name of every published model -> its config.
SIZES = {name: config for family in FAMILIES.values() for name, config in family.sizes.items()}


def build_encoder(config, *, pooler=None, dtype=None, **config_changes):
    """An encoder with fresh weights.

    Args:
      config: a family's config, e.g. `BertConfig(...)`, or the name of a published size, e.g.
        "bert-tiny", "bert-base-uncased" (`bert_tf.encoders.SIZES` lists them all).
      pooler: bool; None: as the family was published.
      dtype: Keras dtype policy; None takes the global one.
      **config_changes: fields of the config to change, see `change_config`.
    Returns:
      Encoder, a keras.Model.
    Raises:
      InputError: no such size, or a config of no family.
      ConfigError: the config has no such field.
    """
    if isinstance(config, str):
        if config not in SIZES:
            raise InputError(f"no published size is called {config!r}; {hint(config, SIZES)}")
        config = SIZES[config]
    if not any(type(config) is family.config for family in FAMILIES.values()):
        known = ", ".join(FAMILIES)
        raise InputError(f"config: a {type(config).__name__}, wanted a config of {known}")
    config = change_config(config, config_changes)
    return Encoder(config, FAMILIES[config.model_type], pooler, dtype=dtype)


def words_alone(config, width, dtype=None):
    """An encoder with fresh vectors, of any width, for the vocabulary of another and no more.

    Args:
      config: config of the other encoder, of any family.
      width: int.
      dtype: Keras dtype policy; None takes the global one.
    Returns:
      Encoder.
    """
    return build_encoder(words_alone_config(config, width), dtype=dtype)


def change_config(config, changes):
    """A config with some fields changed.

    Sinusoidal positions and pre-norm, which no published family has, make it a TransformerConfig
    with the same sizes and parts.

    Args:
      config: a family's config.
      changes: dict of field -> value.
    Returns:
      A config, mostly of the same family.
    Raises:
      ConfigError: there is no such field.
      InputError: no model of the family can have a value.
    """
    if config.model_type in PARTS:
        if any(changes.get(name, usual) != usual for name, usual in OF_TRANSFORMER.items()):
            config = as_transformer(config)
        else:
            changes = {name: x for name, x in changes.items() if name not in OF_TRANSFORMER}
    for name in changes:
        if problem := unknown_field(type(config), name):
            raise ConfigError(problem)
    return dataclasses.replace(config, **changes)


# What a decoder has as the encoder before it, where nothing else is said.
_OF_BOTH = (
    *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"),
    *("intermediate_size", "max_position_embeddings", "initializer_range"),
    *("hidden_dropout_prob", "attention_probs_dropout_prob"),
)


def decoder_config(config, given):
    """The config of a decoder behind an encoder; see `Encoder.decoder`.

    Args:
      config: config of the encoder.
      given: dict, fields that are not as in the encoder's config, and `model_type`, "gpt2" where it
        is not there; or the config of a model that becomes the decoder.
    Returns:
      A config of the decoder's family.
    Raises:
      InputError: there is no such family, or it has no decoders.
      ConfigError: its config has no such field.
    """
    changes = dict(given) if isinstance(given, dict) else {"model_type": given.model_type}
    name = changes.pop("model_type", "gpt2")
    family = FAMILIES.get(name) if isinstance(name, str) else None
    if family is None or family.decoder is None:
        known = [name for name, family in FAMILIES.items() if family.decoder is not None]
        raise InputError(f"decoder: model_type: {shown(name)}, wanted one of {', '.join(known)}")
    same = config if isinstance(given, dict) else given
    if name != same.model_type:
        fields = [field for field in _OF_BOTH if field not in family.config.least]
        same = family.config(**{field: getattr(config, field) for field in fields})
    return change_config(same, {**family.decoder, **changes})


def read_config(model_type, values):
    """The config that a parsed config.json holds; other keys are left aside.

    Args:
      model_type: a key of FAMILIES.
      values: dict.
    Returns:
      A config of that family, or a TransformerConfig, as in `change_config`: until version 0.1
      every family could have sinusoidal positions and pre-norm.
    Raises:
      InputError: a value that no model of this family can have.
    """
    config = FAMILIES[model_type].config.from_dict(values)
    told = {x: values[x] for x in OF_TRANSFORMER if x in values}
    if config.model_type not in (*PARTS, TransformerConfig.model_type):
        # Which any file of transformers may have.
        told = {x: value for x, value in told.items() if x not in FAMILIES["bert"].decoder}
    return change_config(config, told)


__all__ = [
    "FAMILIES",
    "SIZES",
    "AlbertConfig",
    "BertConfig",
    "DistilBertConfig",
    "DebertaV2Config",
    "ElectraConfig",
    "ElmoConfig",
    "Encoder",
    "Family",
    "Gpt2Config",
    "LstmConfig",
    "ModernBertConfig",
    "MobileBertConfig",
    "Published",
    "RobertaConfig",
    "TransformerConfig",
    "Word2VecConfig",
    "XLMRobertaConfig",
    "build_encoder",
    "change_config",
    "decoder_config",
    "read_config",
    "words_alone",
]
