"""The one encoder, of whichever family."""

import dataclasses

import keras
from keras import ops

from bert_tf.encoders.checks import check_inputs, check_same_tables
from bert_tf.encoders.heads import check_generator, check_replaces_tokens, fresh_head
from bert_tf.encoders.watching import probabilities, watch_of
from bert_tf.errors import InputError
from bert_tf.layers import (
    Context,
    EncoderBlock,
    MultiHeadAttention,
    PreNormBlock,
    fold_in,
    key_for,
    make_attention_mask,
    pool_firsts,
    real_places,
    run_block,
    truncated_normal,
)


class Encoder(keras.Model):
    """Embeddings and a stack of blocks: embed, project, blocks, final norm, mix, pooler.

    The first projection and what is behind the blocks are None where there is none.

    Setting `recompute` to True makes training keep only what goes from block to block and compute
    the rest again for the gradient, which is the same.

    Args:
      config: config of the family.
      family: Family.
      pooler: bool, with the dense-and-tanh layer over the first token; None: as published.
      share: Encoder whose embeddings and blocks become this one's too; None makes new ones.
      embeddings: Embeddings of another encoder, which become this one's too, and nothing else.
      dtype: Keras dtype policy; None takes the global one (`keras.config.set_dtype_policy`).
    Raises:
      InputError: a pooler is asked for in a family that has none.
    """

    def __init__(
        self,
        config,
        family,
        pooler=None,
        share=None,
        embeddings=None,
        dtype=None,
        name=None,
        **kwargs,
    ):
        super().__init__(dtype=dtype, name=name or config.model_type, **kwargs)
        self.config, self.family = config, family
        if pooler and not self.published.has_pooler:
            raise InputError(f"pooler: True, the family {config.model_type} has none")
        # The order of what follows is the order of the weights, and that in which they are drawn.
        policy, initializer = self.dtype_policy, truncated_normal(config.initializer_range)
        if share is None:
            self.embeddings = embeddings or family.embeddings(config, policy)
            project = family.embeddings_projection
            self.embeddings_projection = project and project(config, initializer, policy)
            self.positions = family.positions and family.positions(config, policy)
            self.blocks = family.blocks(config, policy)
            self.final_norm = family.final_norm and family.final_norm(config, policy)
            self.mix = family.mix and family.mix(config, policy)
        else:
            for part in ("embeddings", "embeddings_projection", "positions", "final_norm", "mix"):
                setattr(self, part, getattr(share, part))
            self.blocks = list(share.blocks)
        pooler = self.published.has_pooler if pooler is None else pooler
        self.pooler = family.pooler(config, initializer, policy) if pooler else None
        self.recompute = share is not None and share.recompute
        self.build()

    def build(self, input_shape=None):
        """Creates every weight; no data is needed."""
        narrow, wide = (None, self.embeddings.width), (None, self.config.hidden_size)
        parts = [
            (self.embeddings, narrow),
            (self.positions, wide),
            *((block, wide) for block in self.blocks),
            (self.embeddings_projection, narrow),
            *((part, wide) for part in (self.final_norm, self.mix, self.pooler)),
        ]
        for part, shape in parts:
            if part is not None and not part.built:
                part.build(shape)
        self.built = True

    @property
    def published(self):
        """Published, what this family's published models have behind their encoder."""
        return self.family.published(self.config)

    @property
    def groups(self):
        """The blocks as files name them where layers share weights, list of lists; else None."""
        return self.family.groups and self.family.groups(self.config, self.blocks)

    def without_padding(self, inputs):
        """Inputs of `call` with `real_places`, int32 [R], where that spares it work.

        Args:
          inputs: dict, as `call` takes it; for programs that take any shape.
        Returns:
          dict; the same where the blocks need the padding, or there is no attention mask.
        """
        mask, blocks = inputs.get("attention_mask"), (EncoderBlock, PreNormBlock)
        whole = [getattr(x, "block", x) for x in self.blocks]
        kinds = {(type(x) in blocks, type(getattr(x, "attention", 0))) for x in whole}
        takes_real = self.positions is None and kinds == {(True, MultiHeadAttention)}
        if not takes_real or mask is None:
            return inputs
        return {**inputs, "real_places": real_places(ops.reshape(mask, (-1, ops.shape(mask)[-1])))}

    def without_pooler(self):
        """This encoder, its very layers, without the pooler: for tasks that read tokens."""
        if self.pooler is None:
            return self
        return Encoder(self.config, self.family, pooler=False, share=self, dtype=self.dtype_policy)

    def call(
        self,
        inputs,
        return_intermediates=False,
        only_first=False,
        training=False,
        key=None,
        cache=None,
    ):
        """Encodes rows of tokens.

        Args:
          inputs: dict of int32 [B, L]: `input_ids`; optional, or None, `attention_mask` (0 padding;
            equal positive numbers attend to each other; absent: all 1), `token_type_ids` (absent:
            all 0), `position_ids` (absent: 0, 1, 2, ...), and `sentence_positions` [B, S], where
            the first tokens of examples packed into one row stand (absent: one example, at 0);
            `embedding_shift` float32 [B, L, E], added to the words' vectors (absent: nothing);
            `language_ids` [B] or [B, L] where the config has languages (absent: none added); and
            `reading_order`: a token attends to none with a higher number (absent: to any). A
            decoder reads `memory` float [B, S, D] besides, and `memory_mask` int32 [B, S].
            With `real_places`, see `without_padding`, no block works for padding; what stands there
            in the output means nothing then. Other keys are left aside.
          return_intermediates: bool, adds `hidden_states` and `attentions`.
          only_first: bool, for tasks that read the first token alone: the last block computes
            no other, which spares three quarters of it; `sequence_output` is [B, 1, D]. Rows
            with `sentence_positions` have several first tokens, and are computed whole.
          training: bool, with dropout.
          key: integer [2], the dropout key of this step; None draws one from `keras.random`.
          cache: for families that read from left to right, or with plain attention, what the call
            before gave, or () at the start: the rows are those tokens that follow, `attention_mask`
            is of all [B, T] so far, and `position_ids` is to be there. None keeps nothing.
        Returns:
          dict: `sequence_output` float [B, L, D]; `pooled_output` float [B, D], or [B, S, D] with
          `sentence_positions`, if there is a pooler; on request `hidden_states`, a tensor
          [B, L, D] for the embeddings and for each block, and `attentions`, a tensor float32
          [B, N, L, L] for each block, if blocks attend, and with a memory `cross_attentions`,
          [B, N, L, S]; `cache`, a tuple for each block, where one was given.
        Raises:
          InputError: rows longer than the positions, or (outside a graph) an id not in the
            vocabulary.
        """
        check_inputs(inputs, self.config)
        key, firsts = key_for(training, key), inputs.get("sentence_positions")
        watch = watch_of(self)
        return_intermediates = return_intermediates or watch is not None
        only_first = only_first and firsts is None and watch is None
        context = self._context(inputs, return_intermediates, cache)
        batch, length, width = context.batch, context.length, self.config.hidden_size
        drop_rate = self.config.layer_drop_rate

        x_XD = self._embedded(inputs, fold_in(key, 0))
        if context.real is not None:
            x_XD = context.real.taken_out(x_XD)
        hidden_states, attentions = [], []
        for depth, block in enumerate(self.blocks if watch is None else watch.blocks, start=1):
            if return_intermediates or self.mix is not None:
                hidden_states.append(ops.reshape(x_XD, (batch, length, width)))
            if only_first and depth == len(self.blocks) and self.mix is None:
                context, length = context.for_first(), 1
            block_key = fold_in(key, depth)
            if cache is not None:
                context = dataclasses.replace(context, cache=cache[depth - 1] if cache else ())
            if key is None or not (drop_rate or self.recompute):
                x_XD, probs = block(x_XD, context=context, key=block_key)
            else:
                x_XD, probs = run_block(block, x_XD, context, block_key, drop_rate, self.recompute)
            if context.wants_probs:
                attentions.append(probs)

        x_XD = x_XD if self.final_norm is None else self.final_norm(x_XD)
        if context.real is not None and not context.first_only:
            x_XD = context.real.put_back(x_XD)
        sequence_BLD = ops.reshape(x_XD, (batch, length, width))
        hidden_states.append(sequence_BLD)
        if self.mix is not None:
            sequence_BLD = self.mix(hidden_states)
        if only_first and not context.first_only:  # no block was there to compute it alone
            sequence_BLD = sequence_BLD[:, :1]
        outputs = {"sequence_output": sequence_BLD}
        if self.pooler is not None:
            outputs["pooled_output"] = pool_firsts(self.pooler, sequence_BLD, firsts)
        if cache is not None:
            outputs["cache"] = attentions
        if return_intermediates:
            outputs["hidden_states"] = hidden_states
            outputs |= probabilities(attentions, self.config.num_attention_heads)
        return outputs if watch is None else watch.seen(inputs, outputs)

    def _context(self, inputs, return_intermediates, cache):
        """What blocks are told besides their tokens."""
        input_ids, mask = inputs["input_ids"], inputs.get("attention_mask")
        groups = ops.ones_like(input_ids) if mask is None else mask
        batch, length = ops.shape(input_ids)[0], ops.shape(input_ids)[1]
        queries = None if cache is None else length
        mask = make_attention_mask(groups, queries, inputs.get("reading_order"))
        attends = self.config.num_attention_heads > 0 or inputs.get("memory") is not None
        wanted = cache is not None or (return_intermediates and attends)
        context = Context(batch, length, mask, wants_probs=wanted)
        if inputs.get("memory") is not None:
            memory, there = inputs["memory"], inputs.get("memory_mask")
            there = ops.ones(ops.shape(memory)[:2], "int32") if there is None else there
            context = dataclasses.replace(context, memory=memory, memory_mask=there)
        places = None if return_intermediates else inputs.get("real_places")
        if places is not None:
            context = context.without_padding(places, groups)
        if self.positions is not None:
            context = self.positions.tell(context, inputs.get("position_ids"), groups)
        return context

    def _embedded(self, inputs, key):
        """The vectors of the tokens before the first block, float [X, D]."""
        x_XE = self.embeddings(
            inputs["input_ids"],
            inputs.get("token_type_ids"),
            inputs.get("position_ids"),
            key=key,
            shift=inputs.get("embedding_shift"),
            groups=inputs.get("attention_mask"),
            **{name: inputs.get(name) for name in self.embeddings.further_inputs},
        )
        return x_XE if self.embeddings_projection is None else self.embeddings_projection(x_XE)

    def masked_lm_head(self):
        """A fresh head that predicts masked words, as published with this family; InputError where
        it has none."""
        return fresh_head(self, "masked_lm_head", self.embeddings.width)

    def next_word_head(self):
        """A fresh head that predicts the word after each token, as published with this family.

        Raises:
          InputError: the family has none: its tokens attend to later ones.
        """
        return fresh_head(self, "next_word_head")

    def two_way_head(self):
        """A fresh head that predicts the next word, or the one before, of half a vector each.

        Raises:
          InputError: the family has none: its layers do not read in two directions apart.
        """
        return fresh_head(self, "two_way_head", reads=self.embeddings.width)

    def context_head(self):
        """A fresh table of the vectors that words have as neighbours of others; InputError of a
        family whose tokens' vectors are not theirs alone."""
        return fresh_head(self, "context_head")

    def decoder(self, given, share=False):
        """A fresh decoder whose blocks attend to this encoder's output.

        Args:
          given: dict, as `encoders.decoder_config` takes it; or the config of a model, such as a
            BERT, that the decoder is to be like.
          share: bool, whether this encoder's embeddings become the decoder's, too.
        Returns:
          Encoder.
        Raises:
          InputError: as there, or the tables would have another size.
        """
        from bert_tf.encoders import FAMILIES, decoder_config

        config = decoder_config(self.config, given)
        if share:
            check_same_tables(self.config, config, "decoder")
        embeddings, family = self.embeddings if share else None, FAMILIES[config.model_type]
        return Encoder(config, family, embeddings=embeddings, dtype=self.dtype_policy)

    def replaced_token_head(self):
        """A fresh head that says of a token's vector how likely another word stood there: float
        [X, D] -> logits, float32 [X, 1].

        Raises:
          InputError: the family has none.
        """
        check_replaces_tokens(self)
        return fresh_head(self, "replaced_token_head")

    def generator(self, config):
        """A fresh encoder over this one's embeddings, mostly a smaller one (Clark et al. 2020,
        section 3.2).

        Args:
          config: config of this family, with the tables of this one's.
        Returns:
          Encoder; `MaskedLM(it)` is the generator that `ElectraPretraining` takes.
        Raises:
          InputError: the family has no generators, or its tables would have another size.
        """
        check_generator(self, config)
        return Encoder(config, self.family, embeddings=self.embeddings, dtype=self.dtype_policy)

    def save_pretrained(self, directory, tokenizer=None):
        """Writes config.json, model.safetensors and the tokenizer's files; opens in transformers.

        Args:
          directory: str, made if absent.
          tokenizer: Tokenizer or None.
        """
        from bert_tf.conversion import save_encoder

        save_encoder(self, directory, tokenizer)
