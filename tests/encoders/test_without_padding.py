"""Encoders that do no work for padding: the same vectors of every token, from fewer rows."""

import numpy as np
import pytest

from bert_tf import DebertaV2Config, TransformerConfig, build_encoder
from bert_tf.layers import FeedForward
from bert_tf.tasks.grouped_rows import as_rows
from tests import tiny

MASK = np.array([[1] * 7, [1, 1, 0, 0, 0, 0, 0], [0] * 7, [1, 2, 2, 2, 1, 0, 0]], "int32")
IDS = np.random.default_rng(0).integers(5, 20, MASK.shape).astype("int32") * (MASK > 0)
INPUTS = {"input_ids": IDS, "attention_mask": MASK}
ENCODERS = {
    "bert": lambda: build_encoder(tiny.config(num_hidden_layers=2, initializer_range=0.3)),
    "pre-norm": lambda: build_encoder(
        TransformerConfig(norm="pre", initializer_range=0.3, **tiny.sizes())
    ),
}


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("only_first", [False, True], ids=["all", "first"])
def test_every_token_has_the_vector_it_has_among_padding(name, only_first):
    encoder = ENCODERS[name]()
    expected = encoder(INPUTS, only_first=only_first)
    found = encoder(encoder.without_padding(INPUTS), only_first=only_first)
    there = MASK[:, :1] > 0 if only_first else MASK > 0
    for name, value in expected.items():
        kept = there if value.shape.rank == 3 else MASK[:, 0] > 0
        assert np.isfinite(found[name].numpy()).all() and found[name].shape == value.shape
        np.testing.assert_allclose(found[name].numpy()[kept], value.numpy()[kept], atol=1e-5)


def test_linear_layers_see_the_tokens_alone(monkeypatch):
    rows, call = [], FeedForward.call
    monkeypatch.setattr(
        FeedForward, "call", lambda self, x, **given: rows.append(len(x)) or call(self, x, **given)
    )
    encoder = ENCODERS["bert"]()
    encoder(encoder.without_padding(INPUTS))
    assert rows == [(MASK > 0).sum() + 1] * 2  # the row without a token keeps a place


def test_where_blocks_need_the_padding_the_inputs_stay_as_they_are():
    encoder = build_encoder(DebertaV2Config(**tiny.sizes()))
    assert encoder.without_padding(INPUTS) is INPUTS
    bert = ENCODERS["bert"]()
    assert bert.without_padding({"input_ids": IDS}) == {"input_ids": IDS}


def test_places_of_grouped_rows_are_those_of_the_rows_one_after_the_other():
    bert = ENCODERS["bert"]()
    grouped = bert.without_padding({name: x.reshape(2, 2, 7) for name, x in INPUTS.items()})
    places = bert.without_padding(INPUTS)["real_places"]
    np.testing.assert_array_equal(as_rows(grouped)["real_places"], places)
