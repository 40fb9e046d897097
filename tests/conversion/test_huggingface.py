"""Hugging Face directories: whole, in shards, from torch; every damage named."""

import json
import sys
import types

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bert_tf.conversion import huggingface
from bert_tf.conversion.huggingface import (
    config_file,
    read_huggingface,
    write_huggingface,
)
from bert_tf.errors import InputError

A, B = np.arange(6, dtype="float32").reshape(2, 3), np.ones(4, "float32")


def shards(directory, places=None, first=None):
    """Two shards and an index."""
    save_file({"a": A} if first is None else first, directory / "model-1.safetensors")
    save_file({"b": B}, directory / "model-2.safetensors")
    places = places or {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    index = directory / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 40}, "weight_map": places}))


def test_what_is_written_reads_back_and_bears_the_format_transformers_wants(tmp_path):
    write_huggingface(tmp_path / "m", {"model_type": "bert", "name": "é"}, {"a": A, "b": B})
    tensors, file = read_huggingface(tmp_path / "m")
    assert file == tmp_path / "m" / "model.safetensors"
    assert config_file(tmp_path / "m") == tmp_path / "m" / "config.json"
    np.testing.assert_array_equal(tensors["a"].read(), A)
    assert b'"format":"pt"' in file.read_bytes()[:200]
    assert json.loads((tmp_path / "m" / "config.json").read_text())["name"] == "é"
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == [
        "config.json",
        "model.safetensors",
    ]


def test_a_tokenizer_is_saved_beside_the_weights(tmp_path):
    class Tokenizer:
        def save_pretrained(self, directory):
            (tmp_path / "m" / "vocab.txt").write_text(directory)

    write_huggingface(tmp_path / "m", {}, {"a": A}, Tokenizer())
    assert (tmp_path / "m" / "vocab.txt").read_text() == str(tmp_path / "m")


def test_a_place_that_cannot_be_written_keeps_the_old_model(tmp_path, monkeypatch):
    write_huggingface(tmp_path, {"old": 1}, {"a": A})

    def fail(path, tensors):
        path.write_bytes(b"half")
        raise OSError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(huggingface, "write_safetensors", fail)
    with pytest.raises(InputError, match="No space left on device"):
        write_huggingface(tmp_path, {"new": 1}, {"a": A + 1})
    np.testing.assert_array_equal(load_file(tmp_path / "model.safetensors")["a"], A)
    assert len(list(tmp_path.iterdir())) == 2


def test_shards_are_read_as_one_file(tmp_path):
    shards(tmp_path)
    tensors, file = read_huggingface(tmp_path)
    assert file.name == "model.safetensors.index.json" and sorted(tensors) == ["a", "b"]
    np.testing.assert_array_equal(tensors["b"].read(), B)


@pytest.mark.parametrize("shard", ["../model-1.safetensors", "/model", "", "..", "a\\b"])
def test_an_index_may_not_lead_out_of_its_directory(tmp_path, shard):
    shards(tmp_path, {"a": shard, "b": "model-2.safetensors"})
    with pytest.raises(InputError, match="wanted a file name in the same directory"):
        read_huggingface(tmp_path)


@pytest.mark.parametrize(
    ("places", "first", "message"),
    [
        ({"a": "model-3.safetensors"}, None, "names the shard model-3.safetensors, which is miss"),
        ({"a": "model-1.safetensors"}, {"a": A, "x": B}, "holds x; the index does not name it"),
        ({"a": "model-1.safetensors", "b": "model-2.safetensors"}, {"a": A, "b": B}, "holds b; "),
        ({"a": "model-1.safetensors", "c": "model-1.safetensors"}, None, "lacks c, which"),
        ({"a": 1}, None, "wanted `weight_map`"),
    ],
)
def test_an_index_that_does_not_fit_its_shards_is_named(tmp_path, places, first, message):
    shards(tmp_path, places, first)
    with pytest.raises(InputError, match=message):
        read_huggingface(tmp_path)


def test_a_truncated_shard_is_named(tmp_path):
    shards(tmp_path)
    whole = (tmp_path / "model-2.safetensors").read_bytes()
    (tmp_path / "model-2.safetensors").write_bytes(whole[:-1])
    with pytest.raises(InputError, match=r"model-2.safetensors: truncated at byte"):
        read_huggingface(tmp_path)


def test_torch_files_without_torch_say_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match="install torch, or convert it to model.safetensors"):
        read_huggingface(tmp_path)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("Weights only load failed. This file can still be loaded, to do so", "it is damaged or"),
        (
            "Weights only load failed.\nRe-running `torch.load` with `weights_only` set to `False` "
            "will likely succeed.\nUnsupported global: GLOBAL posix.system was not an allowed",
            "it holds posix.system",
        ),
    ],
)
def test_a_refused_pickle_never_repeats_the_advice_to_turn_the_check_off(
    tmp_path, monkeypatch, said, wanted
):
    def load(path, **options):
        assert options["weights_only"] is True
        raise RuntimeError(said)

    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(load=load))
    with pytest.raises(InputError, match=f"pytorch_model.bin: refused: {wanted}") as caught:
        read_huggingface(tmp_path)
    assert "can still be loaded" not in str(caught.value) and "False" not in str(caught.value)


@pytest.mark.slow
def test_torch_files_are_read_with_torch_and_unpickle_nothing_else(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "pytorch_model.bin"
    torch.save({"a": torch.tensor(A), "h": torch.tensor(B).bfloat16()}, path)
    tensors, _ = read_huggingface(tmp_path)
    np.testing.assert_array_equal(tensors["a"].read(), A)
    assert tensors["h"].dtype == "bfloat16" and tensors["h"].read().dtype == np.float32

    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="pytorch_model.bin: torch cannot read it: ") as caught:
        read_huggingface(tmp_path)
    assert "\n" not in str(caught.value)
    torch.save({"a": print}, path)
    with pytest.raises(InputError, match="refused: it holds .*print, wanted tensors alone"):
        read_huggingface(tmp_path)
    for odd in (torch.zeros(1).expand(10**9, 10**6), torch.eye(2).to_sparse()):
        torch.save({"a": odd}, path)
        with pytest.raises(InputError, match="a is no plain tensor"):
            read_huggingface(tmp_path)
    torch.save([torch.zeros(1)], path)
    with pytest.raises(InputError, match="wanted a dict of tensors"):
        read_huggingface(tmp_path)
