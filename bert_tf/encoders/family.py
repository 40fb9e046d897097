"""What a family says of its own: its config, its sizes, its parts, what it published."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import NamedTuple

from bert_tf.layers import Pooler


class Published(NamedTuple):
    """What the published models of a family have behind their encoder.

    Attributes:
      has_pooler: bool.
      pooling: str, how sentence classifiers read the encoder: "pooler", "cls", "last" or "mean".
      head_layers: tuple of HeadLayer or (width, activation), the dense layers before their
        projection.
      head_bias: bool, whether their projection has a bias.
      token_head_layers: the same of those who read tokens, for labels or for spans.
      choice_pooling, choice_head_layers: those of multiple choice; None: as of sentences.
      head_dropout, choice_dropout: float, the rate of the heads for sentences and for choices;
        None: the config's `classifier_dropout`, else `hidden_dropout_prob`, as those of tokens.
      span_dropout: float, the rate of the head that finds answers.
      sentence_objective: str, the second objective of pretraining; None: there was none.
      replaces_tokens: bool, whether pretraining tells replaced tokens from real ones.
    """

    has_pooler: bool = True
    pooling: str = "pooler"
    head_layers: tuple = ()
    choice_pooling: str | None = None
    choice_head_layers: tuple | None = None
    head_bias: bool = True
    token_head_layers: tuple = ()
    head_dropout: float | None = None
    choice_dropout: float | None = None
    span_dropout: float = 0.0
    sentence_objective: str | None = "next_sentence"
    replaces_tokens: bool = False

    def for_choices(self):
        """The same as those for multiple choice have it in `pooling`, `head_layers` and
        `head_dropout`."""
        pooling = self.pooling if self.choice_pooling is None else self.choice_pooling
        layers = self.head_layers if self.choice_head_layers is None else self.choice_head_layers
        rate = self.head_dropout if self.choice_dropout is None else self.choice_dropout
        return self._replace(pooling=pooling, head_layers=layers, head_dropout=rate)


@dataclasses.dataclass(frozen=True)
class Family:
    """What makes an encoder one of its family; see `bert_tf.encoders.parts` for the functions.

    Attributes:
      config: class of its configs, a frozen dataclass with a `model_type`.
      sizes: dict, the usual name of each published model -> its config.
      published: function of a config -> Published.
      embeddings: function of (config, dtype) -> layer, called as `Embeddings`.
      blocks: function of (config, dtype) -> list of layers called as `EncoderBlock`, in the order
        they are run.
      masked_lm_head: function of (config, width of the embeddings, dtype) -> layer called as
        `MaskedLMHead`; None: the family has none.
      pooler: function of (config, initializer, dtype) -> layer called as `Pooler`.
      embeddings_projection: function of (config, initializer, dtype) -> layer between embeddings
        and blocks, or None.
      positions: function of (config, dtype) -> layer with a method `tell` as that of
        `RotaryPositions`, called once a forward pass; or None.
      final_norm: function of (config, dtype) -> layer behind the last block, or None.
      groups: function of (config, blocks) -> the blocks as files name them, where layers share
        weights: list of lists, each block once; or None.
      replaced_token_head: function of (config, dtype) -> layer, float [X, D] -> [X, 1].
      next_word_head: function of (config, dtype) -> layer called as `NextWordHead`, where no token
        attends to a later one; or None. Either head's function may give None for a config.
      context_head: function of (config, dtype) -> layer called as `ContextHead`, where a token's
        vector is that of its word alone; or None.
      decoder: dict, what a config has otherwise that is of a decoder behind an encoder; None: the
        family has none.
      mix: function of (config, dtype) -> layer, all of the blocks' outputs to one, called as
        `LayerMix`; None: the output is the last one's.
      two_way_head: function of (config, dtype) -> layer called as `NextWordHead`, for each half of
        a vector, where the first knows no later tokens and the second no earlier ones; or None.
    """

    config: type
    sizes: Mapping[str, object]
    published: Callable
    embeddings: Callable
    blocks: Callable
    masked_lm_head: Callable | None = None
    pooler: Callable = lambda config, initializer, dtype: Pooler(initializer, dtype=dtype)
    embeddings_projection: Callable | None = None
    positions: Callable | None = None
    final_norm: Callable | None = None
    groups: Callable | None = None
    replaced_token_head: Callable | None = None
    next_word_head: Callable | None = None
    context_head: Callable | None = None
    decoder: Mapping[str, object] | None = None
    mix: Callable | None = None
    two_way_head: Callable | None = None
