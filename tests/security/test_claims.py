"""Files that claim what cannot be: refused in a line, before memory is taken or a path followed."""

import json
import pickle
import time

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bert_tf import InputError, build_encoder, convert, encoders, load_encoder, load_task
from tests import tiny
from tests.security.models import config_of

QUICK = ("bert", "albert")
# Sizes of nothing that a family has: positions are computed or there are none, and so on.
FREE = {
    "modernbert": ("max_position_embeddings", "local_attention"),
    "elmo": ("max_position_embeddings",),
    **dict.fromkeys(("lstm", "word2vec"), ("max_position_embeddings", "intermediate_size")),
}


def refused(call, *parts):
    start = time.monotonic()
    with pytest.raises(InputError) as caught:
        call()
    said = str(caught.value)
    assert said.isprintable() and all(part in said for part in parts), said
    assert time.monotonic() - start < 20  # nothing of the claimed size was made


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
        for name in encoders.FAMILIES
        if name != "transformer"
    ],
)
def test_a_config_of_a_billion_entries_is_refused_before_anything_is_built(name, tmp_path):
    build_encoder(config_of(name)).save_pretrained(str(tmp_path))
    file = tmp_path / "config.json"
    config = json.loads(file.read_text())
    sizes = [key for key, value in config.items() if type(value) is int and value > 3]
    # Ids are looked up when text comes.
    sizes = [key for key in sizes if not key.endswith(("_id", *FREE.get(name, ())))]
    assert len(sizes) > 1
    for key in sizes:
        file.write_text(json.dumps(config | {key: 10**9 * config[key]}))
        refused(lambda: load_encoder(tmp_path), "config.json")


def test_a_billion_labels_are_refused(tmp_path):
    tiny.save(tmp_path)
    file = tmp_path / "config.json"
    config = json.loads(file.read_text())
    del config["id2label"]
    file.write_text(json.dumps(config | {"num_labels": 10**9}))
    assert load_task(tmp_path).num_labels == 2  # the tensors say how many there are
    file.write_text(json.dumps(config | {"id2label": {"0": "a", "1000000000": "b"}}))
    refused(lambda: load_task(tmp_path), "id2label: wanted the keys 0, 1, 2, ...")


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", "bert/../x", "..\\x", "a\x00b"])
def test_the_name_of_a_tensor_is_no_path(name, tmp_path):
    tiny.save(tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    save_file(load_file(file) | {name: np.zeros(2, "float32")}, file)
    refused(lambda: load_task(tmp_path / "model"), "1 left over")
    for format in ("huggingface", "keras_hub"):
        refused(lambda f=format: convert(tmp_path / "model", tmp_path / "out", f), "1 left over")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


class Trap:
    def __reduce__(self):
        return open, ("trapped", "w")


@pytest.mark.parametrize("name", ["model.safetensors", "tf_model.h5", "model.weights.h5"])
def test_a_pickle_under_another_name_is_never_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny.save(tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    (tmp_path / "model" / name).write_bytes(pickle.dumps(Trap()))
    refused(lambda: load_task("model"), name if name != "model.weights.h5" else "config.json")
    assert not (tmp_path / "trapped").exists()
