"""What pretraining begins with: sizes, checkpoints, heads, and what cannot be."""

import json

import keras
import numpy as np
import pytest

from bert_tf import BertConfig, Pretraining, build_encoder, load_task
from bert_tf import config as configs
from bert_tf.config import PretrainConfig
from bert_tf.errors import ConfigError, InputError
from bert_tf.recipes.pretrain_start import start_model
from tests import tiny

from .corpus import SIZES, refused


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model that was pretrained, as far as anybody can tell, and its vocabulary."""
    folder = tmp_path_factory.mktemp("start")
    keras.utils.set_random_seed(3)
    model = Pretraining(build_encoder(BertConfig(vocab_size=len(tiny.vocabulary()), **SIZES)))
    model.save_pretrained(str(folder / "model"), tiny.tokenizer(folder / "vocabulary"))
    return folder


def started(folder, *overrides, sentences="next_sentence"):
    values = {"model": {"tokenizer": str(folder / "vocabulary")}, "phases": [{"records": "-"}]}
    path = folder / "start.yaml"
    path.write_text(json.dumps(values))
    config = configs.load(PretrainConfig, str(path), overrides)
    return start_model(config, tiny.tokenizer(folder / "vocabulary"), sentences)


def test_fresh_weights_have_a_row_for_each_entry(folder):
    encoder = started(folder, "model.size=bert-tiny", "model.changes.num_hidden_layers=1").encoder
    assert encoder.config.vocab_size == len(tiny.vocabulary())
    assert (encoder.config.hidden_size, encoder.config.num_hidden_layers) == (128, 1)


@pytest.mark.parametrize("start", ["model.size=bert-tiny", "model.family=transformer"])
def test_pre_norm_and_sinusoids_are_a_transformer_s(folder, start):
    sizes = [f"model.changes.{name}={value}" for name, value in SIZES.items()]
    choices = ["model.changes.norm=pre", "model.changes.position_embedding=sinusoidal"]
    encoder = started(folder, start, *sizes, *choices).encoder
    assert encoder.config.model_type == "transformer" and encoder.final_norm is not None
    assert encoder.embeddings.position_embeddings is None


def test_positional_heads_begin_where_they_are_asked_for(folder):
    sizes = ["model.size=bert-tiny", "model.changes.num_hidden_layers=1"]
    keras.utils.set_random_seed(3)
    plain = started(folder, *sizes).encoder.embeddings.position_embeddings
    keras.utils.set_random_seed(3)
    encoder = started(folder, *sizes, "model.positional_heads=true").encoder
    places = encoder.embeddings.position_embeddings
    assert np.abs(plain[0, 0]) > 0 and float(places[0, 0]) == 0.0  # the sine of 0
    np.testing.assert_allclose(places[:, 1::2][0], 0.02 * 2**0.5, rtol=1e-6)


def test_a_pretrained_model_goes_on_with_its_heads(folder, caplog):
    path = str(folder / "model")
    source = load_task(path)
    model = started(folder, f"model.path={path}", "model.changes.hidden_dropout_prob=0.0")
    assert model.encoder.config.hidden_dropout_prob == 0.0 and not caplog.records
    for ours, theirs in zip(model.weights, source.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    words = started(folder, f"model.path={path}", sentences="none")
    assert type(words).__name__ == "MaskedLM"
    for ours, theirs in zip(
        words.masked_lm_head.weights, source.masked_lm_head.weights, strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_heads_that_a_checkpoint_lacks_begin_afresh_and_one_line_says_so(folder, tmp_path, caplog):
    encoder = load_task(folder / "model").encoder
    encoder.save_pretrained(str(tmp_path))
    model = started(folder, f"model.path={tmp_path}")
    assert len(caplog.records) == 1
    assert "no head for masked words and no head for sentences" in caplog.text
    np.testing.assert_array_equal(
        model.encoder.embeddings.word_embeddings, encoder.embeddings.word_embeddings
    )
    caplog.clear()
    path = folder / "model"
    other = started(folder, f"model.path={path}", sentences="sentence_order")
    assert "no head for sentences; initialized at random" in caplog.text
    assert other.sentence_objective == "sentence_order"


@pytest.mark.parametrize(
    "kind, overrides, parts",
    [
        (ConfigError, ["model.size=bert-tinny"], ["model.size: 'bert-tinny'", "bert-tiny?"]),
        (
            ConfigError,
            ["model.family=bert", "model.changes.hiden_size=8"],
            ["nearest: hidden_size"],
        ),
        (ConfigError, ["model.family=bert", "model.changes.hidden_size=3"], ["model.changes"]),
        (
            ConfigError,
            ["model.size=bert-tiny", "objective.words=replaced_tokens"],
            ["replaced_tokens", "family bert", "no generator"],
        ),
        (
            ConfigError,
            ["model.size=bert-tiny", "objective.loss_factors={sentense: 1}"],
            ["loss_factors.sentense", "masked_lm, sentence"],
        ),
        (InputError, ["model.path=absent"], ["absent"]),
        (
            ConfigError,
            ["model.path=absent", "model.positional_heads=true"],
            ["positional_heads", "fresh weights", "model.path is absent"],
        ),
        (
            InputError,
            ["model.size=bert-tiny", "model.changes.vocab_size=50"],
            ["101 entries", "50"],
        ),
    ],
)
def test_a_beginning_that_cannot_be_is_one_line(folder, kind, overrides, parts):
    refused(kind, lambda: started(folder, *overrides), *parts)
