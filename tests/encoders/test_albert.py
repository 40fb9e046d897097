"""ALBERT: the contract of an encoder, shared blocks in numpy, the sizes Google published."""

import dataclasses

import numpy as np
import oracles
import pytest
from contract import batch_of, each_check, encoder_of

from bert_tf import AlbertConfig, InputError, SequenceClassifier, build_encoder
from bert_tf.encoders import FAMILIES
from bert_tf.encoders.albert import SIZES
from bert_tf.layers import Context, fold_in, make_attention_mask, new_key

TINY = AlbertConfig(
    vocab_size=23,
    embedding_size=6,
    hidden_size=12,
    num_hidden_layers=3,
    num_attention_heads=3,
    intermediate_size=20,
    max_position_embeddings=16,
    hidden_dropout_prob=0.1,
    attention_probs_dropout_prob=0.1,
    layer_norm_eps=1e-6,
)
GROUPED = dataclasses.replace(TINY, num_hidden_layers=5, num_hidden_groups=2, inner_group_num=2)

# Parameters of embeddings, projection, blocks and pooler, the same in both versions.
PUBLISHED = {
    "base": 11_683_584,
    "large": 17_683_968,
    "xlarge": 58_724_864,
    "xxlarge": 222_595_584,
}


def counted(config):
    """How many parameters the shapes come to; nothing is built."""
    narrow, width, inner = config.embedding_size, config.hidden_size, config.intermediate_size
    rows = config.vocab_size + config.max_position_embeddings + config.type_vocab_size
    attention = 4 * (width * width + width)
    feed_forward = width * inner + inner + inner * width + width
    blocks = config.num_hidden_groups * config.inner_group_num
    return (
        rows * narrow
        + 2 * narrow
        + narrow * width
        + width
        + blocks * (attention + feed_forward + 4 * width)
        + width * width
        + width
    )


@each_check
def test_albert_keeps_the_contract_of_encoders(check):
    check(encoder_of(TINY))


def test_groups_of_several_blocks_are_run_in_their_order_in_numpy():
    encoder = oracles.randomize(build_encoder(GROUPED))
    batch = batch_of(GROUPED)
    got = encoder(batch, return_intermediates=True)
    assert len(got["attentions"]) == 5 * 2
    for row in range(3):
        at = {"word": batch["input_ids"][row], "token_type": batch["token_type_ids"][row]}
        at["position"] = np.arange(batch["input_ids"].shape[1])
        x = sum(oracles.get(encoder, f"embeddings.{name}_embeddings")[at[name]] for name in at)
        x = oracles.norm(encoder, "embeddings.norm", x, 1e-6)
        x = oracles.linear(encoder, "embeddings_projection", x)
        mask = batch["attention_mask"][row]
        for layer in range(5):
            # Lan et al. 2020's code: int(layer / 5 * 2).
            for block in encoder.groups[(0, 0, 0, 1, 1)[layer]]:
                x, _ = oracles.block(block, x, mask[:, None] == mask[None, :], GROUPED)
        np.testing.assert_allclose(got["sequence_output"][row], x, atol=2e-5)
        pooled = np.tanh(oracles.linear(encoder, "pooler.dense", x[0]))
        np.testing.assert_allclose(got["pooled_output"][row], pooled, atol=2e-5)


def test_layers_share_their_weights_and_not_their_dropout():
    encoder = oracles.randomize(build_encoder(TINY))
    assert encoder.blocks[0] is encoder.blocks[2] and len(encoder.groups) == 1
    assert encoder.groups[0][0] is encoder.blocks[0]
    batch, key = batch_of(TINY), new_key(0, 0)
    states = encoder(batch, training=True, key=key, return_intermediates=True)["hidden_states"]
    context = Context(3, 7, make_attention_mask(batch["attention_mask"]))
    for layer in (1, 2, 3):
        read = np.reshape(states[layer - 1], (-1, 12))
        keys = [fold_in(key, place) for place in (1, 2, 3)]
        want = [encoder.blocks[0](read, context=context, key=one)[0] for one in keys]
        near = [np.abs(x - np.reshape(states[layer], (-1, 12))).max() < 1e-5 for x in want]
        assert near == [place == layer for place in (1, 2, 3)]


@pytest.mark.parametrize("config", [TINY, GROUPED], ids=["tiny", "grouped"])
def test_counting_by_shape_is_counting(config):
    assert build_encoder(config).count_params() == counted(config)


@pytest.mark.parametrize("name", SIZES)
def test_published_sizes_have_their_published_number_of_parameters(name):
    config = SIZES[name]
    size, version = name.removeprefix("albert-").split("-")
    chinese = version == "zh"  # a row of 128 for each word less
    assert counted(config) == PUBLISHED[size] - chinese * (30000 - 21128) * 128
    assert (config.embedding_size, config.num_hidden_groups, config.inner_group_num) == (128, 1, 1)
    dropped = config.hidden_dropout_prob, config.attention_probs_dropout_prob
    first = version == "v1"
    assert dropped == ((0.1, 0.1) if first and size != "xxlarge" else (0.0, 0.0))
    assert config.hidden_act == ("relu" if chinese else "gelu" if first else "gelu_new")


def test_all_published_sizes_are_there_and_the_default_is_the_largest():
    kinds = ("v1", "v2", "zh")
    assert set(SIZES) == {f"albert-{size}-{kind}" for size in PUBLISHED for kind in kinds}
    assert AlbertConfig() == SIZES["albert-xxlarge-v2"]
    encoder = build_encoder("albert-base-v2", vocab_size=30, hidden_size=24, num_attention_heads=2)
    assert encoder.family is FAMILIES["albert"] and len(encoder.blocks) == 12


def test_files_call_the_classifier_s_dropout_by_another_name():
    config = dataclasses.replace(TINY, classifier_dropout=0.25)
    values = config.to_dict()
    assert values["classifier_dropout_prob"] == 0.25 and "classifier_dropout" not in values
    assert AlbertConfig.from_dict(values) == config
    assert SequenceClassifier(build_encoder(config)).head.dropout_rate == 0.25


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embedding_size": 0}, "embedding_size: 0, wanted 1 or more"),
        ({"num_hidden_groups": 4}, "num_hidden_groups: 4, wanted num_hidden_layers: 3 or fewer"),
        ({"inner_group_num": 1.5}, "inner_group_num: 1.5, wanted a whole number"),
        ({"classifier_dropout": None}, "classifier_dropout: None"),
        ({"hidden_size": 13}, "hidden_size: 13 .* num_attention_heads: 3"),
    ],
)
def test_a_value_no_albert_can_have_is_named(changes, message):
    with pytest.raises(InputError, match=message) as caught:
        dataclasses.replace(TINY, **changes)
    assert "\n" not in str(caught.value)
