"""Which weights learn, from which step on, and that nothing is traced again for it."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from bert_tf import (
    AlbertConfig,
    BertConfig,
    ElectraConfig,
    SentenceEncoder,
    SequenceClassifier,
    build_encoder,
)
from bert_tf.errors import ConfigError
from bert_tf.training import loop
from bert_tf.training.freezing import freeze, gradual_factors, layer_decay_factors
from bert_tf.training.optimizers import AdamW
from tests import tiny

CONFIG = BertConfig(**tiny.sizes())
BATCH = (
    {
        "input_ids": tf.constant([[2, 5, 6, 3], [2, 7, 3, 0]]),
        "attention_mask": tf.constant([[1, 1, 1, 1], [1, 1, 1, 0]]),
    },
    tf.constant([0, 1]),
)
PARTS = ("embeddings", "blocks.0", "blocks.1", "pooler", "head")


def model_of(config=CONFIG, **options):
    return SequenceClassifier(build_encoder(config), **options)


def parts_of(model):
    encoder = model.encoder
    parts = [encoder.embeddings, *encoder.blocks, encoder.pooler, model.head]
    return dict(zip(PARTS, parts, strict=True))


def moved(model, step):
    """The parts of which every weight changes in a step, and those of which any does."""
    before = {name: part.get_weights() for name, part in parts_of(model).items()}
    step()
    changed = {
        name: [bool((a != b).any()) for a, b in zip(part.get_weights(), before[name], strict=True)]
        for name, part in parts_of(model).items()
    }
    every = [name for name in PARTS if all(changed[name])]
    assert every == [name for name in PARTS if any(changed[name])]
    return every


def compiled(model, **options):
    model.compile(AdamW(0.01, **options))
    model.optimizer.build(model.trainable_variables)
    spec = tf.nest.map_structure(tf.type_spec_from_value, BATCH)
    return loop.step_function(model, model.distribute_strategy, spec)


@pytest.mark.parametrize(
    ("how", "learning"),
    [(None, PARTS), ("encoder", PARTS[4:]), (1, PARTS[2:]), (2, PARTS[1:])],
)
def test_these_parts_learn_and_the_others_keep_every_bit(how, learning):
    model = model_of()
    freeze(model, how)
    model.compile(AdamW(0.01))
    assert moved(model, lambda: model.train_step(BATCH)) == list(learning)


def test_a_head_without_pooler_is_frozen_alike():
    model = model_of(pooling="mean")
    freeze(model, "encoder")
    assert {id(v) for v in model.trainable_variables} == {id(v) for v in model.head.variables}


def test_more_blocks_than_there_are_is_refused():
    with pytest.raises(ConfigError, match="train.freeze: 3 blocks to train, the encoder has 2"):
        freeze(model_of(), 3)


def test_a_task_without_a_head_has_nothing_to_learn_over_a_frozen_encoder():
    model = SentenceEncoder(build_encoder(tiny.config()))
    with pytest.raises(ConfigError, match="freeze: encoder, and a SentenceEncoder has nothing"):
        freeze(model, "encoder")


def test_gradual_unfreezing_goes_from_the_top_and_traces_once():
    model = model_of()
    freeze(model, "gradual")
    run = compiled(model, rate_factors=gradual_factors(model, 2))
    learning = [moved(model, lambda: run(BATCH, tf.constant(False))) for _ in range(8)]
    starts = [3, 3, 2, 2, 1, 1, 0, 0]  # of PARTS: pooler and head, then one block more
    assert learning == [list(PARTS[start:]) for start in starts]
    assert run.experimental_get_tracing_count() == 1


def test_layer_decay_slows_the_lower_layers():
    model = model_of()
    factors = layer_decay_factors(model, 0.5)(0).numpy()
    place = {id(v): i for i, v in enumerate(model.trainable_variables)}
    for power, part in zip((4, 3, 2, 1, 0), parts_of(model).values(), strict=True):
        got = {float(factors[place[id(v)]]) for v in part.variables}
        assert got == {0.5**power}


def test_a_projection_of_the_embeddings_is_one_of_them():
    sizes = dataclasses.asdict(CONFIG)
    model = model_of(ElectraConfig(**sizes, embedding_size=6))
    below = [model.encoder.embeddings, model.encoder.embeddings_projection]
    below = {id(v) for part in below for v in part.variables}
    factors = layer_decay_factors(model, 0.5)(0).numpy()
    lowest = [f for v, f in zip(model.trainable_variables, factors, strict=True) if id(v) in below]
    assert lowest == [0.5**4] * 7 and sum(factors == 0.5**4) == 7
    freeze(model, 2)
    assert not below & {id(v) for v in model.trainable_variables}


def test_blocks_that_share_their_weights_are_frozen_together_or_not_at_all():
    sizes = dataclasses.asdict(CONFIG) | {"classifier_dropout": 0.1}
    with pytest.raises(ConfigError, match="train.freeze: 1 blocks to train, which share"):
        freeze(model_of(AlbertConfig(**sizes, embedding_size=6)), 1)
    model = model_of(AlbertConfig(**sizes, embedding_size=6, num_hidden_groups=2))
    freeze(model, 1)
    learning = {id(v) for v in model.trainable_variables}
    blocks = [{id(v) for v in block.variables} for block in model.encoder.blocks]
    assert not blocks[0] & learning and blocks[1] <= learning


def test_frozen_parts_still_drop_out():
    config = dataclasses.replace(CONFIG, hidden_dropout_prob=0.5, classifier_dropout=0.0)
    model = model_of(config)
    freeze(model, "encoder")
    outputs = [model(BATCH[0], training=flag).numpy() for flag in (True, False)]
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-4
