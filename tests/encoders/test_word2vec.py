"""Word2Vec: the contract, and what a family of words alone is refused."""

import json

import numpy as np
import pytest
from contract import batch_of, each_check, encoder_of

from bert_tf import (
    BertConfig,
    CausalLM,
    InputError,
    MaskedLM,
    SequenceClassifier,
    Word2VecConfig,
    build_encoder,
    load_encoder,
)

TINY = Word2VecConfig(
    vocab_size=23, hidden_size=12, max_position_embeddings=16, hidden_dropout_prob=0.1
)


@each_check
def test_word2vec_keeps_the_contract_of_encoders(check):
    check(encoder_of(TINY))


def test_a_word_has_its_vector_wherever_it_stands():
    encoder, batch = encoder_of(TINY), batch_of(TINY)
    table = encoder.embeddings.word_embeddings.numpy()
    got = encoder(batch, return_intermediates=True)
    np.testing.assert_array_equal(got["sequence_output"], table[batch["input_ids"]])
    assert len(got["hidden_states"]) == 1 and "attentions" not in got
    assert len(encoder.weights) == 1


def test_a_text_is_the_mean_of_its_words_to_a_classifier():
    model = SequenceClassifier(build_encoder(TINY), 2)
    ids = np.array([[4, 5, 6]], "int32")
    turned = np.array([[6, 4, 5]], "int32")
    np.testing.assert_allclose(model({"input_ids": ids}), model({"input_ids": turned}), atol=1e-6)


@pytest.mark.parametrize("field", ["num_hidden_layers", "num_attention_heads", "type_vocab_size"])
def test_what_it_has_none_of_is_one_line(field):
    with pytest.raises(InputError, match=f"^{field}: 2, wanted 0: a word2vec has none$"):
        Word2VecConfig(**{field: 2})


def test_sizes_that_are_not_those_of_the_vectors_are_one_line(tmp_path):
    encoder_of(TINY).save_pretrained(str(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())
    for key in ("vocab_size", "hidden_size"):
        (tmp_path / "config.json").write_text(json.dumps(config | {key: 2_000_000_000}))
        with pytest.raises(InputError, match=f"{key}: 2000000000, but embeddings.word_emb"):
            load_encoder(str(tmp_path))


def test_heads_of_other_families_are_refused():
    for task in (MaskedLM, CausalLM):
        with pytest.raises(
            InputError, match="^encoder: a word2vec, whose|^encoder: a word2vec, wh"
        ):
            task(build_encoder(TINY))
    bert = build_encoder(BertConfig(vocab_size=9, hidden_size=4, num_attention_heads=1))
    with pytest.raises(InputError, match="^encoder: a bert, whose vectors are of words in their"):
        bert.context_head()
