"""Vectors of tokens that an encoder makes."""

import keras
import numpy as np
import pytest

from bert_tf import InputError, build_encoder
from bert_tf.compression.static_vectors import principal_parts, static_encoder, token_vectors
from tests import tiny


def test_a_token_s_vector_is_that_of_a_text_of_it_alone(tmp_path):
    keras.utils.set_random_seed(1)
    encoder = build_encoder(tiny.config(initializer_range=0.5))
    tokenizer = tiny.tokenizer(tmp_path)
    vectors = token_vectors(encoder, tokenizer)
    assert vectors.shape == (len(tiny.vocabulary()), 16)
    number = tokenizer.vocabulary.index("film")
    alone = np.mean(encoder(tokenizer(["film"]))["sequence_output"][0], axis=0)
    np.testing.assert_allclose(vectors[number], alone, atol=1e-5)
    static = static_encoder(encoder, tokenizer, 8)
    batch = tokenizer(["good film", "film"])
    states = np.asarray(static(batch)["sequence_output"])
    np.testing.assert_array_equal(states[0, 2], states[1, 1])
    assert states.shape[-1] == 8 and not states[0, 0].any() and not states[0, 3].any()
    with pytest.raises(InputError, match="static: 17, wanted at most the encoder's width, 16"):
        static_encoder(encoder, tokenizer, 17)


def test_what_varies_most_is_kept():
    numbers = np.random.default_rng(2)
    hidden = numbers.standard_normal((50, 2)) * [5.0, 2.0]
    vectors = hidden @ numbers.standard_normal((2, 6)) + 3.0
    parts = principal_parts(vectors, 2)
    centred = vectors - vectors.mean(axis=0)
    np.testing.assert_allclose(parts @ parts.T, centred @ centred.T, atol=1e-8)
    assert parts[:, 0].var() > parts[:, 1].var()
