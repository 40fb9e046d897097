"""Object-based checkpoints of the Model Garden, SavedModels of TF-Hub: by variables, never run."""

import logging
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from bert_tf import MaskedLM, Tokenizer, convert, load_encoder, load_task
from bert_tf.errors import InputError
from bert_tf.loading import load_with_tokenizer
from tests import tiny
from tests.conversion import hub_model

# A BERT with its masked-LM head, as the Model Garden 2.20.0 saved it: see make_model_garden.py.
SAVED = pathlib.Path(__file__).parent / "model_garden"
INPUTS = {
    "in_input_word_ids": "input_ids",
    "in_input_mask": "attention_mask",
    "in_input_type_ids": "token_type_ids",
}


@pytest.fixture
def copied(tmp_path):
    return pathlib.Path(shutil.copytree(SAVED, tmp_path / "model"))


def refused(call, *parts):
    with pytest.raises(InputError) as caught:
        call()
    said = str(caught.value)
    assert "\n" not in said and all(part in said for part in parts), said


def test_a_checkpoint_of_the_model_garden_gives_the_numbers_it_gave_there():
    expected = dict(np.load(SAVED / "expected.npz"))
    inputs = {INPUTS[name]: array for name, array in expected.items() if name in INPUTS}
    got = load_encoder(SAVED)(inputs, training=False)
    real = inputs["attention_mask"] > 0
    for name in ("sequence_output", "pooled_output"):
        pairs = (np.asarray(got[name]), expected[name])
        ours, theirs = (x[real] if x.ndim == 3 else x for x in pairs)
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    spots = {"masked_positions": expected["masked_positions"]}
    logits = load_task(SAVED)(inputs | spots, training=False)
    # Its script gave the head the exact gelu, at most 4.7e-4 from the tanh form.
    np.testing.assert_allclose(logits, expected["mlm_logits"], atol=4e-4)


def test_the_config_beside_it_or_one_folder_above_is_carried_over(copied, tmp_path):
    text = (copied / "bert_config.yaml").read_text().replace("rate: 0.1", "rate: 0.25")
    (copied / "bert_config.yaml").write_text(text)
    shutil.move(copied / "bert_config.yaml", tmp_path / "bert_config.yaml")
    config = load_encoder(copied).config
    assert config.hidden_act == "gelu_new" and config.num_attention_heads == 4
    assert config.hidden_dropout_prob == config.attention_probs_dropout_prob == 0.25


def test_the_encoder_is_found_in_the_params_of_an_experiment(copied):
    fields = (copied / "bert_config.yaml").read_text().replace("None", "null").splitlines()
    inner = "\n".join(f"        {line}" for line in fields)
    text = f"task:\n  model:\n    encoder:\n      type: bert\n      bert:\n{inner}\n"
    (copied / "bert_config.yaml").unlink()
    (copied / "params.yaml").write_text(text)
    assert load_encoder(copied).config.intermediate_size == 64
    (copied / "params.yaml").write_text(text.replace("bert:", "xlnet:").replace("bert", "xlnet"))
    refused(lambda: load_encoder(copied), "params.yaml: an encoder of type 'xlnet', wanted bert")


def test_without_a_config_the_shapes_tell_and_one_warning_names_the_rest(copied, caplog):
    (copied / "bert_config.yaml").unlink()
    with caplog.at_level(logging.WARNING):
        config = load_encoder(copied).config
    assert (config.hidden_size, config.num_attention_heads, config.type_vocab_size) == (32, 4, 2)
    said = [record.getMessage() for record in caplog.records if "no config" in record.getMessage()]
    assert len(said) == 1 and "hidden_act gelu_new" in said[0]
    assert "num_attention_heads" not in said[0]  # the kernels have an axis for them


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("norm_first: False", "norm_first: true", "norm_first: True, here only false"),
        ("embedding_size: None", "embedding_size: 16", "embedding_size: 16, wanted hidden_size"),
        ("heads: 4", "heads: 8", "num_attention_heads: 8, .*has kernels for 4"),
        ("num_layers: 2", "num_layers: 3", "num_hidden_layers: 3, but there are 2"),
        ("hidden_size: 32", "hidden_size: [", "not YAML"),
        ("num_layers", "layers", "says nothing of an encoder"),
    ],
)
def test_a_config_that_no_bert_here_has_is_refused(copied, before, after, said):
    text = (copied / "bert_config.yaml").read_text()
    (copied / "bert_config.yaml").write_text(text.replace(before, after))
    with pytest.raises(InputError, match=f"bert_config.yaml.*{said}"):
        load_encoder(copied)


def test_another_object_based_checkpoint_is_refused(tmp_path):
    tf.train.Checkpoint(x=tf.Variable(1.0)).write(str(tmp_path / "bert_model.ckpt"))
    refused(lambda: load_encoder(tmp_path), "not those of a BERT of the Model Garden")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A SavedModel as TF-Hub has them, and the model in it."""
    return hub_model.make(tmp_path_factory.mktemp("hub"))


def test_a_saved_model_of_tf_hub_is_read_by_its_variables_and_never_run(hub, caplog):
    folder, model = hub
    with caplog.at_level(logging.WARNING):
        loaded, tokenizer = load_with_tokenizer(folder)
    assert isinstance(loaded, MaskedLM) and not (folder.parent / "it was run").exists()
    for one, other in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert loaded.encoder.config.hidden_act == "relu"
    assert tokenizer.tokenize("good") == ["good"] and tokenizer.tokenize("Good") == ["[UNK]"]
    said = [record.getMessage() for record in caplog.records if "no config" in record.getMessage()]
    assert len(said) == 1 and "hidden_dropout_prob 0.1" in said[0] and "relu" not in said[0]


def test_a_saved_model_becomes_a_hugging_face_directory_with_its_tokenizer(hub, tmp_path):
    convert(str(hub[0]), str(tmp_path / "out"), "huggingface")
    assert type(load_task(tmp_path / "out")).__name__ == "MaskedLM"
    assert Tokenizer.from_pretrained(tmp_path / "out").vocabulary == tiny.vocabulary()


def test_damaged_graphs_are_one_line(hub, tmp_path):
    folder = pathlib.Path(shutil.copytree(hub[0], tmp_path / "model"))
    (folder / "saved_model.pb").write_bytes(b"\xff" * 50)
    refused(lambda: load_encoder(folder), "saved_model.pb: damaged: no SavedModel can be read")
    (folder / "variables" / "variables.index").unlink()
    refused(lambda: load_encoder(folder), "variables")


def test_an_export_of_ours_is_told_from_a_model_of_tf_hub(hub, tmp_path):
    folder = pathlib.Path(shutil.copytree(hub[0], tmp_path / "model"))
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "bert_tf.json").write_text("{}")
    refused(lambda: load_encoder(folder), "an export; bert_tf.load_export answers from it")
