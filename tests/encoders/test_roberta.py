"""RoBERTa and XLM-RoBERTa: the contract of an encoder, positions, heads, published sizes."""

import dataclasses

import numpy as np
import oracles
import pytest
from contract import batch_of, each_check, encoder_of, near

from bert_tf import (
    InputError,
    MultipleChoice,
    RobertaConfig,
    SequenceClassifier,
    XLMRobertaConfig,
    build_encoder,
)
from bert_tf.encoders import FAMILIES
from bert_tf.encoders.roberta import SIZES, XLM_SIZES

TINY = RobertaConfig(
    vocab_size=23,
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=20,
    max_position_embeddings=18,
    type_vocab_size=1,
    layer_norm_eps=1e-5,
    hidden_act="relu",
)
XLM = XLMRobertaConfig(**dataclasses.asdict(TINY))

# Parameters as KerasHub counts them: without a pooler, token types, and the two rows of positions
# that no token has. distilroberta-base is 82 million with all these (Hugging Face's model card).
PUBLISHED = {
    "roberta-base": 124_052_736,
    "roberta-large": 354_307_072,
    "xlm-roberta-base": 277_450_752,
    "xlm-roberta-large": 558_837_760,
}


def counted(config):
    """How many parameters the shapes come to; nothing is built."""
    width, inner = config.hidden_size, config.intermediate_size
    rows = config.vocab_size + config.max_position_embeddings + config.type_vocab_size
    attention = 4 * (width * width + width)
    feed_forward = width * inner + inner + inner * width + width
    blocks = config.num_hidden_layers * (attention + feed_forward + 4 * width)
    return rows * width + 2 * width + blocks + width * width + width


@each_check
@pytest.mark.parametrize(
    "config", [TINY, pytest.param(XLM, marks=pytest.mark.slow)], ids=["roberta", "xlm"]
)
def test_roberta_keeps_the_contract_of_encoders(config, check):
    check(encoder_of(config))


def test_counting_by_shape_is_counting():
    assert build_encoder(TINY).count_params() == counted(TINY)


@pytest.mark.parametrize("name", SIZES | XLM_SIZES)
def test_published_sizes_have_their_published_number_of_parameters(name):
    config = (SIZES | XLM_SIZES)[name]
    width = config.hidden_size
    aside = width * width + width + 3 * width
    if name == "distilroberta-base":
        assert counted(config) == 82_118_400
    else:
        assert counted(config) - aside == PUBLISHED[name]
    assert (config.longest_row, config.type_vocab_size, config.layer_norm_eps) == (512, 1, 1e-5)
    assert FAMILIES[config.model_type].config is type(config)


def first_state(encoder, **inputs):
    return encoder(inputs, return_intermediates=True)["hidden_states"][0].numpy()


def test_positions_are_rows_after_the_padding_s_in_numpy():
    encoder = oracles.randomize(build_encoder(TINY))
    tables = [oracles.get(encoder, f"embeddings.{x}_embeddings") for x in ("word", "position")]
    of_type = oracles.get(encoder, "embeddings.token_type_embeddings")[0]

    def want(ids, rows):
        x = tables[0][np.array(ids)] + tables[1][np.array(rows)] + of_type
        return oracles.norm(encoder, "embeddings.norm", x, 1e-5)

    # Padding behind, before and within a text: fairseq's `make_positions` counts what is none.
    for ids, rows in (
        ([4, 9, 7, 1, 1], [2, 3, 4, 1, 1]),
        ([1, 1, 4, 9, 7], [1, 1, 2, 3, 4]),
        ([4, 1, 9, 1, 7], [2, 1, 3, 1, 4]),
    ):
        near(first_state(encoder, input_ids=np.array([ids])), [want(ids, rows)])
    places = np.array([[2, 0, 1, 0, 3]], "int32")
    got = first_state(encoder, input_ids=np.array([[4, 1, 9, 1, 7]]), position_ids=places)
    near(got, [want([4, 1, 9, 1, 7], [4, 2, 3, 2, 5])])


def test_another_id_of_padding_leaves_other_rows_to_it():
    config = dataclasses.replace(TINY, pad_token_id=0)
    encoder = oracles.randomize(build_encoder(config))
    assert config.longest_row == 17
    ids = np.array([[5, 6, 0]])
    there = first_state(encoder, input_ids=ids, position_ids=np.array([[0, 1, -1]]))
    near(first_state(encoder, input_ids=ids), there)


def test_a_sentence_is_read_from_the_first_token_and_a_choice_by_the_pooler():
    model = oracles.randomize(SequenceClassifier(build_encoder(TINY), 3))
    batch = batch_of(TINY)
    assert model.encoder.pooler is None
    first = np.asarray(model.encoder(batch)["sequence_output"][:, 0], np.float64)
    inner = np.tanh(oracles.linear(model, "head.hidden.0", first))
    near(model(batch), oracles.linear(model, "head.projection", inner))
    model = oracles.randomize(MultipleChoice(build_encoder(TINY)))
    pooled = np.asarray(model.encoder(batch)["pooled_output"], np.float64)
    rows = {name: values[None] for name, values in batch.items()}
    near(model(rows), [oracles.linear(model, "head.projection", pooled)[:, 0]])
    assert not model.head.hidden and model.argument_is_published("pooling")


def test_the_masked_lm_head_has_the_exact_gelu_whatever_the_blocks_have():
    head = oracles.randomize(build_encoder(TINY).masked_lm_head())
    numbers = np.random.default_rng(0)
    x, table = (numbers.standard_normal((n, 12)).astype("float32") for n in (4, 23))
    inner = oracles.ACTIVATIONS["gelu"](oracles.linear(head, "dense", x))
    inner = oracles.norm(head, "norm", inner, 1e-5)
    near(head(x, table), inner @ table.T + oracles.get(head, "output_bias"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_position_embeddings": 2}, "max_position_embeddings: 2, wanted more than pad_token_"),
        ({"pad_token_id": 23}, "max_position_embeddings: 18, wanted more"),
        ({"vocab_size": 1}, "pad_token_id: 1, wanted an id below vocab_size: 1"),
        ({"bos_token_id": "a"}, "bos_token_id: 'a', wanted a whole number"),
    ],
)
def test_a_value_no_roberta_can_have_is_named(changes, message):
    with pytest.raises(InputError, match=message) as caught:
        dataclasses.replace(TINY, **changes)
    assert "\n" not in str(caught.value)
