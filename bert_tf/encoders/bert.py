"""BERT (Devlin et al. 2019, arXiv 1810.04805)."""

import dataclasses

import keras
from keras import ops

from bert_tf.encoders.checks import check_config, check_input_ids
from bert_tf.layers import (
    POSITIONS,
    Embeddings,
    EncoderBlock,
    LayerNorm,
    Linear,
    MaskedLMHead,
    Pooler,
    fold_in,
    key_for,
    layer_drop,
    recomputed,
    truncated_normal,
    visibility,
)


@dataclasses.dataclass(frozen=True)
class BertConfig:
    """The sizes of a BERT, under the names of every bert_config.json.

    `hidden_act`: "gelu" is the exact form with the error function, "gelu_new" the tanh form that
    Google's code uses since February 2019; see `bert_tf.layers.ACTIVATIONS`.

    The last three fields are no BERT's: `position_embedding`, learned or sinusoidal; `norm`, post
    or pre; `layer_drop_rate`, how often training skips a block.
    """

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int = 0
    classifier_dropout: float | None = None
    position_embedding: str = "learned"
    norm: str = "post"
    layer_drop_rate: float = 0.0

    model_type = "bert"

    def __post_init__(self):
        check_config(self)

    @property
    def embedding_size(self):
        """int, the width of the embeddings; families with a narrower one have it as a field."""
        return self.hidden_size

    @property
    def projects_embeddings(self):
        """bool, whether a linear layer stands between the embeddings and the blocks."""
        return self.embedding_size != self.hidden_size

    @classmethod
    def from_dict(cls, values):
        """The config in a parsed config.json or bert_config.json; other keys are left aside.

        Raises:
          InputError: a value that no model of this family can have.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})

    def to_dict(self):
        """The config as config.json holds it; of what no BERT has, only what is set."""
        values = dataclasses.asdict(self)
        for name in ("position_embedding", "norm", "layer_drop_rate"):
            if values[name] == getattr(type(self), name):
                del values[name]
        return {"model_type": self.model_type, **values}


def _size(layers, width, vocab_size=30522, heads=None):
    return BertConfig(
        vocab_size=vocab_size,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads or width // 64,
        intermediate_size=4 * width,
    )


# Every BERT that Google published (google-research/bert, README.md), by its usual name.
SIZES = {
    "bert-tiny": _size(2, 128),
    "bert-mini": _size(4, 256),
    "bert-small": _size(4, 512),
    "bert-medium": _size(8, 512),
    "bert-base-uncased": _size(12, 768),
    "bert-base-cased": _size(12, 768, 28996),
    "bert-base-chinese": _size(12, 768, 21128),
    "bert-base-multilingual-cased": _size(12, 768, 119547),
    "bert-base-multilingual-uncased": _size(12, 768, 105879),
    "bert-large-uncased": _size(24, 1024),
    "bert-large-cased": _size(24, 1024, 28996),
    "bert-large-uncased-whole-word-masking": _size(24, 1024),
    "bert-large-cased-whole-word-masking": _size(24, 1024, 28996),
    # The 24 compact models (Turc et al. 2019, arXiv 1908.08962).
    **{
        f"bert_uncased_L-{layers}_H-{width}_A-{width // 64}": _size(layers, width)
        for layers in (2, 4, 6, 8, 10, 12)
        for width in (128, 256, 512, 768)
    },
}


class BertEncoder(keras.Model):
    """Embeddings and a stack of blocks.

    Setting `recompute` to True makes training keep only what goes from block to block and compute
    the rest again for the gradient, which is the same.

    Args:
      config: BertConfig.
      pooler: bool, with the dense-and-tanh layer over the first token.
      share: BertEncoder whose embeddings and blocks become this one's too; None makes new ones.
      embeddings: Embeddings of another encoder, which become this one's too, and nothing else.
      dtype: Keras dtype policy; None takes the global one (`keras.config.set_dtype_policy`).
    """

    # How Google's and Hugging Face's sentence classifiers read this family: pooled output, then
    # a bare projection. Other families put other values here (see `SequenceClassifier`).
    published_pooling = "pooler"
    published_head_layers = ()

    def __init__(
        self, config, pooler=True, share=None, embeddings=None, dtype=None, name=None, **kwargs
    ):
        super().__init__(dtype=dtype, name=name or config.model_type, **kwargs)
        self.config = config
        policy, initial = self.dtype_policy, truncated_normal(config.initializer_range)
        if share is None:
            self.embeddings = embeddings or self._new_embeddings()
            if config.projects_embeddings:
                self.embeddings_projection = Linear(config.hidden_size, initial, dtype=policy)
            self.blocks = self._new_blocks()
            if config.norm == "pre":
                self.final_norm = LayerNorm(config.layer_norm_eps, dtype=policy)
        else:
            # In the order above, which is the order of the weights.
            for part in ("embeddings", "embeddings_projection", "blocks", "final_norm"):
                if hasattr(share, part):
                    value = getattr(share, part)
                    setattr(self, part, list(value) if part == "blocks" else value)
        self.recompute = share is not None and share.recompute
        if pooler:
            self.pooler = Pooler(initial, dtype=policy)
        self.build()

    def _new_embeddings(self):
        config = self.config
        return Embeddings(
            config.vocab_size,
            config.max_position_embeddings,
            config.type_vocab_size,
            config.embedding_size,
            config.hidden_dropout_prob,
            config.layer_norm_eps,
            truncated_normal(config.initializer_range),
            POSITIONS[config.position_embedding],
            dtype=self.dtype_policy,
        )

    def _new_blocks(self):
        """The blocks in the order they are run."""
        config, policy = self.config, self.dtype_policy
        return [EncoderBlock.of(config, dtype=policy) for _ in range(config.num_hidden_layers)]

    def build(self, input_shape=None):
        """Creates every weight; no data is needed."""
        narrow, wide = (None, self.config.embedding_size), (None, self.config.hidden_size)
        parts = [(self.embeddings, narrow), *((block, wide) for block in self.blocks)]
        more = {"embeddings_projection": narrow, "final_norm": wide, "pooler": wide}
        parts += [(getattr(self, name), more[name]) for name in more if hasattr(self, name)]
        for part, shape in parts:
            if not part.built:
                part.build(shape)
        self.built = True

    @property
    def pooled(self):
        """bool, whether there is a pooler, and so a `pooled_output`."""
        return hasattr(self, "pooler")

    def without_pooler(self):
        """This encoder, its very layers, without the pooler: for tasks that read tokens."""
        if not self.pooled:
            return self
        return type(self)(self.config, pooler=False, share=self, dtype=self.dtype_policy)

    def call(self, inputs, return_intermediates=False, only_first=False, training=False, key=None):
        """Encodes rows of tokens.

        Args:
          inputs: dict of int32 [B, L]: `input_ids`; optional `attention_mask` (0 padding; equal
            positive numbers see each other; absent: all 1), `token_type_ids` (absent: all 0),
            `position_ids` (absent: 0, 1, 2, ...), and `sentence_positions` [B, S], where the first
            tokens of examples packed into one row stand (absent: one example, at 0); and
            `embedding_shift` float32 [B, L, E], added to the words' vectors (absent: nothing).
          return_intermediates: bool, adds `hidden_states` and `attentions`.
          only_first: bool, for tasks that read the first token alone: the last block computes
            no other, which spares three quarters of it; `sequence_output` is [B, 1, D]. Rows
            with `sentence_positions` have several first tokens, and are computed whole.
          training: bool, with dropout.
          key: integer [2], the dropout key of this step; None draws one from `keras.random`.
        Returns:
          dict: `sequence_output` float [B, L, D]; `pooled_output` float [B, D], or [B, S, D] with
          `sentence_positions`, if there is a pooler; on request `hidden_states`, a tensor
          [B, L, D] for the embeddings and for each block, and `attentions`, a tensor float32
          [B, N, L, L] for each block.
        Raises:
          InputError: rows longer than the positions, or (outside a graph) an id not in the
            vocabulary.
        """
        input_ids = inputs["input_ids"]
        check_input_ids(input_ids, self.config)
        mask = inputs.get("attention_mask")
        mask = visibility(ops.ones_like(input_ids) if mask is None else mask)
        key = key_for(training, key)
        firsts = inputs.get("sentence_positions")
        only_first = only_first and firsts is None
        batch, length = ops.shape(input_ids)[0], ops.shape(input_ids)[1]

        x_XD = self.embeddings(
            input_ids,
            inputs.get("token_type_ids"),
            inputs.get("position_ids"),
            key=fold_in(key, 0),
            shift=inputs.get("embedding_shift"),
        )
        if hasattr(self, "embeddings_projection"):
            x_XD = self.embeddings_projection(x_XD)
        hidden_states, attentions = [], []
        for depth, block in enumerate(self.blocks, start=1):
            hidden_states.append(ops.reshape(x_XD, (batch, length, self.config.hidden_size)))
            if only_first and depth == len(self.blocks):
                mask, length = mask[:, :, 0, None], 1
            x_XD, probs = self._pass(block, x_XD, mask, fold_in(key, depth))
            attentions.append(probs)

        if hasattr(self, "final_norm"):
            x_XD = self.final_norm(x_XD)
        sequence_BLD = ops.reshape(x_XD, (batch, length, self.config.hidden_size))
        outputs = {"sequence_output": sequence_BLD}
        if self.pooled:
            outputs["pooled_output"] = self._pool(sequence_BLD, firsts)
        if return_intermediates:
            outputs["hidden_states"] = [*hidden_states, sequence_BLD]
            outputs["attentions"] = attentions
        return outputs

    def _pool(self, sequence_BLD, firsts_BS):
        """The pooler over the first token of every row, or of every example packed into it."""
        if firsts_BS is None:
            return self.pooler(sequence_BLD[:, 0])
        first_BSD = ops.take_along_axis(sequence_BLD, firsts_BS[:, :, None], axis=1)
        pooled_XD = self.pooler(ops.reshape(first_BSD, (-1, self.config.hidden_size)))
        return ops.reshape(pooled_XD, ops.shape(first_BSD))

    def _pass(self, block, x, mask, key):
        """One block, as `EncoderBlock.call`; in training perhaps skipped or recomputed."""

        def compute(x, key):
            # The block itself folds 0, 1 and 2 into the key.
            return layer_drop(
                lambda: block(x, mask, key=key),
                lambda: block.skip(x, mask),
                self.config.layer_drop_rate,
                fold_in(key, 3),
            )

        if key is None or not self.recompute:
            return compute(x, key)
        return recomputed(compute, x, key)

    def masked_lm_head(self, activation=None):
        """A fresh head that predicts masked words, as published with this family.

        Args:
          activation: a key of ACTIVATIONS; None: that of the blocks.
        """
        config = self.config
        head = MaskedLMHead(
            config.embedding_size,
            config.vocab_size,
            activation or config.hidden_act,
            config.layer_norm_eps,
            truncated_normal(config.initializer_range),
            dtype=self.dtype_policy,
        )
        head.build((None, config.hidden_size))
        return head

    def save_pretrained(self, directory, tokenizer=None):
        """Writes config.json, model.safetensors and the tokenizer's files; opens in transformers.

        Args:
          directory: str, made if absent.
          tokenizer: Tokenizer or None.
        """
        from bert_tf.conversion import save_encoder

        save_encoder(self, directory, tokenizer)
