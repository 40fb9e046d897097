"""hf://ORG/NAME by huggingface_hub, from a local server: revision, token, offline, breaks.

Its endpoint, cache and token are read when it is imported, so each case is a process of its own; no
TensorFlow is in it.
"""

import os
import subprocess
import sys

import pytest
from safetensors.numpy import load_file

from bert_tf import hub
from bert_tf.errors import InputError
from tests import tiny
from tests.hub_server import TOKEN, Hub

pytest.importorskip("huggingface_hub")

LOOK = """
import sys
from bert_tf.conversion.contents import opened
from bert_tf.errors import InputError
for source in sys.argv[1:]:
    try:
        with opened(source) as contents:
            array = contents.tensors["classifier.bias"].read()
            print(contents.family_name, contents.task, array.tolist(), contents.weights_file)
    except InputError as error:
        print("refused:", error)
"""


FETCH = """
import pathlib, sys
from bert_tf import hub
from bert_tf.errors import InputError
for source in sys.argv[1:]:
    try:
        if source.endswith("tokenizer"):
            hub.local(source, weights=False)
        folder = pathlib.Path(hub.local(source, weights=not source.endswith("tokenizer")))
        there = (x.relative_to(folder) for x in folder.rglob("*") if x.is_file())
        print(*sorted(map(str, there)))
    except InputError as error:
        print("refused:", error)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The files of a model directory, name -> bytes; and what its head's bias is."""
    folder = tmp_path_factory.mktemp("model")
    model = tiny.classifier()
    model.head.projection.bias.assign([1.0, 2.0])
    model.save_pretrained(str(folder), tiny.tokenizer(folder / "words"))
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert load_file(folder / "model.safetensors")["classifier.bias"].tolist() == [1.0, 2.0]
    return {**found, "pytorch_model.bin": b"not wanted", "onnx/model.onnx": b"nor this"}


def looked(server, cache, *sources, script=LOOK, **environment):
    """What a process of its own prints of some sources, a line each."""
    plain = {"PATH": os.environ["PATH"], "HOME": str(cache), "HF_HOME": str(cache)}
    plain |= {"HF_ENDPOINT": server, "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
    plain |= {"PYTHONPATH": os.pathsep.join(sys.path), "HF_HUB_ETAG_TIMEOUT": "3"}
    done = subprocess.run(
        [sys.executable, "-c", script, *sources],
        env=plain | environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_name_is_fetched_once_and_read_offline_afterwards(files, tmp_path):
    with Hub() as server:
        server.files["org/name", "main"] = files
        (line,) = looked(server.endpoint, tmp_path, "hf://org/name")
        assert "bert SequenceClassifier [1.0, 2.0] hf://org/name/model.safetensors" in line.replace(
            "hf:/org", "hf://org"
        )
        assert not any("pytorch_model.bin" in path or "onnx" in path for path in server.asked)
        nowhere = server.endpoint
    asked = ["hf://org/name", "hf://org/other"]
    again, lost = looked(nowhere, tmp_path, *asked, HF_HUB_OFFLINE="1")
    assert again == line
    assert lost == (
        "refused: hf://org/other: not in the cache, and the hub is out of reach or HF_HUB_OFFLINE "
        "is set"
    )


def test_what_is_fetched_is_what_is_read_and_no_more(tmp_path):
    sentences = {"modules.json": b"[]", "2_Dense/config.json": b"{}", "model.safetensors": b"x"}
    sentences |= {"2_Dense/pytorch_model.bin": b"x"}
    garden = {"params.yaml": b"", "checkpoint": b"", "ckpt-1000.index": b"", "vocab.txt": b""}
    garden |= {"ckpt-1000.data-00000-of-00001": b""}
    older = {"0_Transformer/pytorch_model.bin": b"", "2_Dense/model.safetensors": b""}
    albert = {"30k-clean.model": b"", "albert_config.json": b"{}", "model.ckpt-best.index": b""}
    albert |= {"model.ckpt-best.data-00000-of-00001": b""}
    with Hub() as server:
        for name, there in (
            ("sentences", sentences | {"pytorch_model.bin": b"no", "tf_model.h5": b"no"}),
            ("garden", garden | {"README.md": b"no"}),
            ("older", older),
            ("albert", albert | {"model.ckpt-best.meta": b"no"}),
            ("tokenizer", sentences | {"vocab.txt": b""}),
        ):
            server.files[f"org/{name}", "main"] = there
        names = ("sentences", "garden", "older", "albert", "tokenizer", "a--b", "x" * 99)
        sources = [f"hf://org/{name}" for name in names]
        *told, dashes, long = looked(server.endpoint, tmp_path, *sources, script=FETCH)
    wanted = [sentences, garden, older, albert, ["2_Dense/config.json", "modules.json"]]
    wanted[-1] += ["vocab.txt"]
    assert told == [" ".join(sorted(each)) for each in wanted]
    for line in (dashes, long):
        assert "no name that a repository can have" in line and "call again" not in line


@pytest.mark.slow  # three more processes
def test_a_revision_a_token_and_what_is_not_there(files, tmp_path):
    older = dict(files)
    older["model.safetensors"] = _with_bias(files, tmp_path, [3.0, 4.0])
    with Hub() as server:
        server.files["org/name", "main"] = files
        server.files["org/name", "v1"] = older
        server.files["org/private", "main"] = files
        server.private.add("org/private")
        asked = [
            "hf://org/name@v1",
            "hf://org/name@v2",
            "hf://org/none",
            "hf://org/private",
            "hf://x y",
        ]
        first, second, third, fourth, fifth = looked(server.endpoint, tmp_path, *asked)
        (opened,) = looked(server.endpoint, tmp_path, "hf://org/private", HF_TOKEN=TOKEN)
    assert "[3.0, 4.0]" in first and "[1.0, 2.0]" in opened
    assert second == "refused: hf://org/name@v2: no revision v2"
    for line in (third, fourth):
        assert line.endswith("no such repository, or one that takes a token (HF_TOKEN)")
    assert "wanted hf://ORG/NAME or hf://ORG/NAME@REVISION" in fifth


def _with_bias(files, folder, bias):
    import numpy as np
    from safetensors.numpy import load, save

    tensors = load(files["model.safetensors"]) | {"classifier.bias": np.array(bias, "float32")}
    return save(tensors, metadata={"format": "pt"})


@pytest.mark.slow
def test_a_download_that_breaks_off_is_one_line_and_goes_on_afterwards(files, tmp_path):
    with Hub() as server:
        server.files["org/name", "main"] = files
        server.breaks.add("model.safetensors")
        (broken,) = looked(server.endpoint, tmp_path, "hf://org/name")
        assert broken.startswith("refused: hf://org/name: the download failed, call again to go on")
        server.breaks.clear()
        (whole,) = looked(server.endpoint, tmp_path, "hf://org/name")
    assert "[1.0, 2.0]" in whole


def test_without_huggingface_hub_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"takes huggingface_hub: pip install 'bert_tf\[hub\]'"):
        hub.local("hf://org/of-no-other-test")


def test_what_is_no_such_name_is_handed_back():
    assert hub.local("some/folder") == "some/folder" and not hub.is_remote("hf/x")
