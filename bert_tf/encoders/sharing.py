"""Encoders whose layers share their weights, of the sizes of others."""

from bert_tf.encoders.albert import ALBERT, AlbertConfig
from bert_tf.encoders.encoder import Encoder
from bert_tf.errors import InputError
from bert_tf.layers import Embeddings, EncoderBlock, MultiHeadAttention

_SIZES = (
    *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"),
    *("intermediate_size", "hidden_act", "hidden_dropout_prob", "attention_probs_dropout_prob"),
    *("max_position_embeddings", "type_vocab_size", "initializer_range", "layer_norm_eps"),
    *("pad_token_id", "layer_drop_rate", "tie_word_embeddings"),
)


def sharing_encoder(encoder, groups, embedding_size=None):
    """An ALBERT of an encoder's sizes, with fresh weights.

    Args:
      encoder: Encoder.
      groups: int, sets of weights that the layers share, in runs of equal length.
      embedding_size: int, E; None: as wide as the encoder.
    Returns:
      Encoder.
    Raises:
      InputError: the encoder's layers are of another make than an ALBERT's, or there are fewer.
    """
    config, width = encoder.config, embedding_size or encoder.config.hidden_size
    kinds = {(type(x), type(getattr(x, "attention", None))) for x in encoder.blocks}
    alike = kinds == {(EncoderBlock, MultiHeadAttention)} and type(encoder.embeddings) is Embeddings
    if not alike or encoder.embeddings_projection is not None or config.has_own_sizes:
        family = config.model_type
        raise InputError(f"groups: {groups}, and no ALBERT has the layers of this {family}")
    if groups > config.num_hidden_layers:
        depth = config.num_hidden_layers
        raise InputError(f"groups: {groups}, wanted at most the encoder's layers, {depth}")
    if width > config.hidden_size:
        raise InputError(
            f"embedding_size: {width}, wanted at most the encoder's width, {config.hidden_size}"
        )
    dropout = config.classifier_dropout
    sizes = {name: getattr(config, name) for name in _SIZES}
    sizes |= {"embedding_size": width, "num_hidden_groups": groups}
    sizes["classifier_dropout"] = config.hidden_dropout_prob if dropout is None else dropout
    pooled, policy = encoder.pooler is not None, encoder.dtype_policy
    return Encoder(AlbertConfig(**sizes), ALBERT, pooled, dtype=policy)
