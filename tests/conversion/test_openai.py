"""OpenAI's checkpoints of GPT-2: names, the axis of one, sizes, the tokenizer's files."""

import json

import numpy as np
import pytest

from bert_tf import CausalLM, convert, load_encoder, load_task
from bert_tf.errors import InputError
from tests.conversion import openai_model


@pytest.fixture
def saved(tmp_path):
    """A folder as `download_model.py` makes it, and the encoder."""
    return tmp_path, openai_model.make(tmp_path)


def same(first, second):
    for one, other in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_gpt2_of_openai_is_a_language_model_bit_for_bit(saved):
    folder, encoder = saved
    same(load_encoder(folder), encoder)
    model = load_task(folder / "model.ckpt")
    assert isinstance(model, CausalLM)
    assert model.encoder.config.hidden_act == "gelu_new"
    assert model.encoder.config.layer_norm_eps == 1e-5
    same(model.encoder, encoder)


def test_it_becomes_a_hugging_face_directory_with_the_tokenizers_usual_names(saved, tmp_path):
    folder, encoder = saved
    (folder / "encoder.json").write_text('{"a": 0, "b": 1, "ab": 2}')
    (folder / "vocab.bpe").write_text("#version: 0.2\na b\n")
    convert(str(folder), str(tmp_path / "out"), "huggingface")
    same(load_encoder(tmp_path / "out"), encoder)
    assert (tmp_path / "out" / "vocab.json").read_text() == '{"a": 0, "b": 1, "ab": 2}'
    assert (tmp_path / "out" / "merges.txt").is_file()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (None, "no hparams.json beside the checkpoint of a GPT-2"),
        ({"n_head": "2"}, "hparams.json: n_head: '2', wanted a whole number"),
        ({"n_layer": 3}, "num_hidden_layers: 3, but there are 2"),
        ({"n_head": 3}, "does not divide"),
    ],
)
def test_sizes_that_are_not_there_or_do_not_fit_are_one_line(saved, change, said):
    file = saved[0] / "hparams.json"
    if change is None:
        file.unlink()
    else:
        file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(InputError, match=said) as caught:
        load_encoder(saved[0])
    assert "\n" not in str(caught.value)
