"""Two matrices in the place of one, against numpy's singular values; layers that share weights."""

import json

import keras
import numpy as np
import pytest

from bert_tf import (
    AlbertConfig,
    DistilBertConfig,
    Distillation,
    Gpt2Config,
    InputError,
    MaskedLM,
    RobertaConfig,
    SequenceClassifier,
    build_encoder,
    load_task,
)
from bert_tf.compression.factorization import factorized
from bert_tf.compression.sharing import shared_encoder
from bert_tf.encoders.low_rank import with_low_rank
from bert_tf.layers import new_key
from tests import tiny

INPUTS = tiny.rows()
STILL = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.4)


def classifier(config=None, kind=SequenceClassifier):
    keras.utils.set_random_seed(5)
    return kind(build_encoder(config or tiny.config(num_hidden_layers=2, **STILL)))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (None, 16),
        (DistilBertConfig(**tiny.sizes(**STILL)), 8),
        (RobertaConfig(**tiny.sizes(**STILL, pad_token_id=0)), None),
        (AlbertConfig(**tiny.sizes(embedding_size=4, **STILL)), None),
    ],
    ids=["bert", "distilbert", "roberta", "albert"],
)
def test_at_full_rank_nothing_changes_and_below_it_is_kept_in_files(config, words, tmp_path):
    model = classifier(config)
    wanted, width = np.array(model(INPUTS)), model.encoder.config.hidden_size
    whole = factorized(model, width, words)
    np.testing.assert_allclose(whole(INPUTS), wanted, atol=1e-5)
    smaller = factorized(model, 3, words and 4)
    assert smaller.count_params() < model.count_params()
    smaller.save_pretrained(str(tmp_path))
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "bert_tf"
    again = load_task(tmp_path)
    assert again.encoder.config.linear_rank == 3
    np.testing.assert_array_equal(again(INPUTS), smaller(INPUTS))


def test_what_is_kept_are_the_largest_singular_values():
    model = classifier()
    smaller = factorized(model, 5, 6)
    pairs = [
        (model.encoder.embeddings.word_embeddings, smaller.encoder.embeddings.word_embeddings)
        + (smaller.encoder.embeddings.word_projection, 6)
    ]
    for old, new in zip(model.encoder.blocks, smaller.encoder.blocks, strict=True):
        for path in ("attention.qkv", "attention.projection"):
            name, part = path.split(".")
            one, other = getattr(getattr(old, name), part), getattr(getattr(new, name), part)
            pairs.append((one.kernel, other.down, other.up, 5))
            np.testing.assert_array_equal(one.bias, other.bias)
        one, other = old.feed_forward.contract, new.feed_forward.contract
        pairs.append((one.kernel, other.down, other.up, 5))
    for kernel, down, up, rank in pairs:
        left, values, right = np.linalg.svd(np.array(kernel, np.float64), full_matrices=False)
        nearest = left[:, :rank] * values[:rank] @ right[:rank]
        np.testing.assert_allclose(np.array(down) @ np.array(up), nearest, atol=2e-5)


def test_a_share_is_the_smallest_rank_that_keeps_it():
    model = classifier()
    table = np.linalg.svd(np.array(model.encoder.embeddings.word_embeddings, np.float64))[1] ** 2
    config = factorized(model, None, 0.8).encoder.config
    kept = table.cumsum() / table.sum()
    assert kept[config.word_rank - 1] >= 0.8 > kept[config.word_rank - 2]
    assert config.linear_rank is None
    assert factorized(model, 0.999999).encoder.config.linear_rank <= 16


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (
            lambda: factorized(classifier(), 17),
            "linear_rank: 17, wanted at most 16, the rank there is",
        ),
        (
            lambda: factorized(classifier(Gpt2Config(**tiny.sizes(**STILL))), 2),
            "linear_rank: 2, and a gpt2 here has none",
        ),
        (
            lambda: factorized(classifier(RobertaConfig(**tiny.sizes(pad_token_id=0))), None, 2),
            "word_rank: 2, and a roberta here has none",
        ),
        (
            lambda: factorized(factorized(classifier(), 3), 2),
            "linear_rank: 2, and the model is factorized already",
        ),
        (
            lambda: factorized(classifier(kind=MaskedLM), None, 4),
            "the head of a MaskedLM is of other sizes there",
        ),
        (
            lambda: with_low_rank(factorized(classifier(), 3).encoder, 2, 4, ["query"]),
            "layers: 'query', no such layer in a bert's blocks; there are none to update",
        ),
        (
            lambda: shared_encoder(build_encoder(Gpt2Config(**tiny.sizes())), 1),
            "groups: 1, and no ALBERT has the layers of this gpt2",
        ),
        (
            lambda: shared_encoder(classifier().encoder, 3),
            "groups: 3, wanted at most the encoder's layers, 2",
        ),
        (
            lambda: shared_encoder(classifier().encoder, 1, embedding_size=20),
            "embedding_size: 20, wanted at most the encoder's width, 16",
        ),
        (lambda: Gpt2Config(linear_rank=4), "linear_rank: 4, wanted None: a gpt2 has none"),
        (
            lambda: tiny.config(linear_rank=99),
            "linear_rank: 99, wanted at most hidden_size: 16",
        ),
    ],
)
def test_what_cannot_be_is_one_line(make, line):
    with pytest.raises(InputError) as told:
        make()
    assert str(told.value) == line


def test_an_albert_with_a_group_for_each_layer_is_the_bert_itself():
    encoder = classifier().encoder
    shared = shared_encoder(encoder, 2)
    assert shared.config.model_type == "albert" and shared.config.embedding_size == 16
    for name in ("sequence_output", "pooled_output"):
        np.testing.assert_allclose(shared(INPUTS)[name], encoder(INPUTS)[name], atol=2e-6)


def test_a_group_begins_with_the_mean_of_its_layers_or_the_first():
    encoder = classifier(tiny.config(num_hidden_layers=4, **STILL)).encoder
    for start, layers in (("mean", [2, 3]), ("first", [2])):
        shared = shared_encoder(encoder, 2, start)
        assert shared.blocks[2] is shared.blocks[3] and shared.blocks[1] is not shared.blocks[2]
        each = [encoder.blocks[layer].feed_forward.expand.kernel for layer in layers]
        np.testing.assert_allclose(
            shared.blocks[3].feed_forward.expand.kernel, np.mean(each, axis=0), atol=1e-6
        )


def test_narrow_embeddings_say_nearly_what_the_wide_ones_do_and_learn_of_them():
    teacher = classifier()
    narrow = [shared_encoder(teacher.encoder, 2, embedding_size=width) for width in (4, 12)]
    states = [
        np.array(x(INPUTS, return_intermediates=True)["hidden_states"][0])
        for x in (teacher.encoder, *narrow)
    ]
    far = [np.square(x - states[0]).mean() / np.square(states[0]).mean() for x in states[1:]]
    assert far[1] < 0.2 and far[1] < far[0] < 0.8
    # Normalized vectors have no sum: what a projection made of one would be noise, many times over.
    for encoder in narrow:
        assert np.abs(np.sum(encoder.embeddings_projection.kernel, axis=0)).max() < 1e-3
    model = Distillation(SequenceClassifier(narrow[1]), teacher, {"logits": 1.0, "hidden": 1.0})
    outputs = model(INPUTS, training=True, key=new_key(0, 0))
    terms = model.loss_terms(outputs, np.array([0, 1, 1]))
    assert all(np.isfinite(float(total)) for total, _ in terms.values())
