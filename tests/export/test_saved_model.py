"""Exports: they answer as the model does, appear whole or not at all, and need only TensorFlow."""

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from bert_tf import InputError, SequenceClassifier, build_encoder, export_saved_model, load_export
from bert_tf.errors import ConfigError
from bert_tf.export import answer_with, execution, saved_model
from bert_tf.export.text_model import TextModel, text_settings
from tests import tiny
from tests.task_contract import case_of

TEXTS = [
    "The film is good.",
    "bad",
    "",
    "A very, very long story " * 9,
    "[SEP] née 电影 \U0001f600",
]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("vocabulary"))


@pytest.fixture(scope="module", autouse=True)
def kept_programs():
    """A model that is exported again in the same way is not traced again."""
    patch, made, make = pytest.MonkeyPatch(), {}, saved_model.TextModel

    def kept(model, tokenizer, settings, precision):
        key = id(model), id(tokenizer), repr(settings), precision
        if key not in made:
            made[key] = model, make(model, tokenizer, settings, precision)
        return made[key][1]

    patch.setattr(saved_model, "TextModel", kept)
    yield
    patch.undo()


@pytest.fixture
def other(single):
    """The model of `single`, whose bias a test may move."""
    bias = single[0].head.projection.bias
    before = bias.numpy()
    yield single[0]
    bias.assign(before)


@pytest.fixture(scope="module")
def single(tokenizer, tmp_path_factory):
    """(model, the directory of its first export)."""
    keras.utils.set_random_seed(3)
    model = tiny.classifier()
    directory = tmp_path_factory.mktemp("export")
    assert export_saved_model(model, tokenizer, directory) == str(directory / "1")
    return model, directory


def logits_of(model, tokenizer, texts, pairs=None):
    return model(tokenizer(texts, pairs, max_length=24)).numpy()


def test_export_answers_as_the_model_for_every_batch_size(single, tokenizer):
    model, directory = single
    answer = load_export(directory)
    expected = logits_of(model, tokenizer, TEXTS)
    for size in (1, 2, 5):
        for start in range(0, len(TEXTS), size):
            part = slice(start, start + size)
            found = answer(TEXTS[part])["logits"]
            np.testing.assert_allclose(found, expected[part], rtol=0, atol=1e-5)


def test_a_large_request_runs_rows_of_like_lengths_together_and_answers_in_order(single, tokenizer):
    model, directory = single
    texts = [" ".join(["a good film", "bad"][row % 2].split() * (row % 5)) for row in range(67)]
    texts[3] = "very long " * 9
    found = load_export(directory)(texts)["logits"]
    np.testing.assert_allclose(found, logits_of(model, tokenizer, texts), atol=1e-5)


def test_a_part_of_a_large_request_is_as_long_as_its_own_longest_row():
    sizes = np.array([3, 40, 5, *[4] * 40, 7])
    mask = tf.cast(tf.sequence_mask(sizes), tf.int32)
    inputs = {"attention_mask": mask, "input_ids": mask * sizes[:, None], "language_ids": sizes}

    def few(inputs):
        shape = tf.shape(inputs["input_ids"])
        told = inputs["input_ids"][:, 0], inputs["language_ids"], tf.fill([shape[0]], shape[1])
        return {"told": tf.stack([tf.cast(x, tf.int32) for x in told], axis=1)}

    run = execution.by_length(tf.function(few, reduce_retracing=True))
    row, language, length = tf.function(run)(inputs)["told"].numpy().T
    assert row.tolist() == language.tolist() == sizes.tolist(), "answers in the order of the rows"
    assert sorted(set(length)) == [4, 40], "32 of at most 4 tokens, 12 of at most 40"
    assert (length == 4).sum() == 32


@pytest.mark.parametrize("tokens, few", [(7, False), (8, True), (64, True), (65, False)])
def test_few_tokens_of_all_rows_together_go_their_own_way(tokens, few):
    yes, no = lambda inputs: tf.constant(True), lambda inputs: tf.constant(False)
    choices = [[tokens // 2, 3], [1, tokens - tokens // 2 - 4]]
    mask = tf.sequence_mask(choices, 40, tf.int32)
    run = execution.by_tokens(yes, no, 8, 64)
    assert bool(tf.function(run)({"attention_mask": mask})) == few


@pytest.mark.parametrize("count", [1, 2, 5, 6, 20, 21])
def test_answers_are_the_models_for_few_tokens_and_for_one_more(single, tokenizer, count):
    model, directory = single
    texts = ["good"] * count  # of three tokens each
    found = load_export(directory)(texts)["logits"]
    np.testing.assert_allclose(found, logits_of(model, tokenizer, texts), atol=1e-5)


def test_answers_are_labels_probabilities_and_logits(single):
    outputs = load_export(single[1])(TEXTS)
    assert set(outputs) == {"label", "probabilities", "logits"}
    assert outputs["label"].dtype.kind == "U" and outputs["logits"].dtype == np.float32
    assert outputs["probabilities"].shape == (5, 2)
    np.testing.assert_allclose(outputs["probabilities"].sum(1), 1, atol=1e-6)
    names = np.array(["bad", "good"])[outputs["logits"].argmax(1)]
    assert outputs["label"].tolist() == names.tolist()
    assert len({*outputs["probabilities"][:, 0].tolist()}) > 1


def test_no_texts_get_no_answers(single):
    outputs = load_export(single[1])([])
    assert outputs["label"].shape == (0,) and outputs["logits"].shape == (0, 2)


@pytest.mark.slow  # test_published_families.py asks pairs of an export
def test_the_second_text_of_a_pair_counts(tokenizer, tmp_path):
    model = tiny.classifier(text_pair="other")
    answer = load_export(export_saved_model(model, tokenizer, tmp_path))
    found = answer(["good", "good"], ["bad", "not a film"])["logits"]
    expected = logits_of(model, tokenizer, ["good", "good"], ["bad", "not a film"])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert np.abs(found[0] - found[1]).max() > 1e-3
    with pytest.raises(InputError, match="takes text and text_pair"):
        answer(["good"])


# That exports answer as `answer_with` does, the contract of tasks shows: these need none.
def test_regression_gives_a_score(tokenizer):
    model = tiny.classifier(label_names=("LABEL_0",), problem_type="regression")
    outputs = answer_with(model, tokenizer)(TEXTS)
    assert set(outputs) == {"score"}
    expected = logits_of(model, tokenizer, TEXTS)[:, 0]
    np.testing.assert_allclose(outputs["score"], expected, rtol=0, atol=1e-5)


def test_multi_label_names_all_that_hold(tokenizer):
    model = tiny.classifier(label_names=("x", "y", "z"), problem_type="multi_label_classification")
    model.head.projection.bias.assign([50.0, 0.0, 50.0])
    answer = answer_with(model, tokenizer)
    outputs = answer(TEXTS)
    logits = logits_of(model, tokenizer, TEXTS)
    np.testing.assert_allclose(outputs["probabilities"], 1 / (1 + np.exp(-logits)), atol=1e-6)
    for row, label in zip(logits, outputs["label"], strict=True):
        assert label == "|".join(name for name, x in zip("xyz", row, strict=True) if x >= 0)
    model.head.projection.bias.assign([-50.0] * 3)
    assert answer(["good"])["label"].tolist() == [""]


def test_versions_count_up_and_the_newest_answers(single, other, tokenizer, tmp_path):
    shutil.copytree(single[1] / "1", tmp_path / "7")
    (tmp_path / "README.md").write_text("mine")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "7").rglob("*")}
    other.head.projection.bias.assign_add([9.0, 0.0])
    assert export_saved_model(other, tokenizer, tmp_path) == str(tmp_path / "8")
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "7").rglob("*")}
    old, new = (load_export(where)(["film"])["logits"] for where in (tmp_path / "7", tmp_path))
    assert new[0, 0] - old[0, 0] == pytest.approx(9, abs=1e-4)


def test_a_number_taken_meanwhile_is_skipped(single, tokenizer, tmp_path, monkeypatch):
    sync = saved_model.sync_tree

    def taken_by_another(directory):
        sync(directory)
        for name in ("1", "2"):
            (tmp_path / name / "variables").mkdir(parents=True)

    monkeypatch.setattr(saved_model, "sync_tree", taken_by_another)
    monkeypatch.setattr(saved_model.os, "listdir", lambda _: [])
    folder = saved_model.export_saved_model(single[0], tokenizer, tmp_path)
    assert folder == str(tmp_path / "3")


def test_it_can_be_read_by_other_users(single):
    umask = os.umask(0)
    os.umask(umask)
    assert (single[1] / "1").stat().st_mode & 0o777 == 0o777 & ~umask


def test_labels_of_any_script_and_the_settings_travel_along(tokenizer, tmp_path):
    model = tiny.classifier(label_names=("坏", "好", "ça va"), text="sentence")
    answer = load_export(export_saved_model(model, tokenizer, tmp_path, max_length=9))
    assert set(answer(TEXTS)["label"]) <= {"坏", "好", "ça va"}
    assert answer.settings["text"] == "sentence" and answer.settings["max_length"] == 9
    expected = model(tokenizer(TEXTS, max_length=9)).numpy()
    np.testing.assert_allclose(answer(TEXTS)["logits"], expected, rtol=0, atol=1e-5)


ALONE = """
import json
import sys
import tensorflow as tf
import tensorflow_text

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "bert_tf":
            raise ImportError(name)

sys.meta_path.insert(0, Refuse())
before = {name for name in sys.modules if name.startswith(("keras", "tf_keras", "bert_tf"))}
loaded = tf.saved_model.load(sys.argv[1])
answer = loaded.signatures["serving_default"]
asked = [["the film is good"], ["not good"] * 21, ["bad"], ["a very good film"]]
found = [answer(text=tf.constant(texts))["logits"].numpy().tolist() for texts in asked]
after = {name for name in sys.modules if name.startswith(("keras", "tf_keras", "bert_tf"))}
# TensorFlow itself imports some of Keras; the export needs no more of it.
assert after == before and not any(name.startswith("bert_tf") for name in after), after - before
assert type(loaded).__module__.startswith("tensorflow."), type(loaded)
print(json.dumps([asked, found]))
"""


@pytest.mark.slow
def test_a_portable_export_loads_with_tensorflow_alone(single, tokenizer, tmp_path):
    model, directory = single
    want = load_export(directory)(TEXTS)
    folder = export_saved_model(model, tokenizer, str(tmp_path / "portable"), portable=True)
    script = """
import json, sys
sys.modules["tensorflow_text"] = None
import tensorflow as tf
answer = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
texts = tf.constant(json.loads(sys.argv[2]))
print(json.dumps(answer(text=texts)["logits"].numpy().tolist()))
"""
    command = [sys.executable, "-c", script, folder, json.dumps(TEXTS)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    np.testing.assert_allclose(json.loads(found), want["logits"], atol=1e-6)


def test_it_answers_with_tensorflow_and_tensorflow_text_alone_and_weights_taken_for_constants(
    single, tokenizer, tmp_path
):
    model, directory = single
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(directory / "1")],
        env={**os.environ, "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS": "1"},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    for texts, found in zip(*json.loads(done.stdout), strict=True):
        np.testing.assert_allclose(found, logits_of(model, tokenizer, texts), atol=1e-5)


def test_the_graph_has_no_keras_objects_and_no_training(single):
    folder = single[1] / "1"
    assert not (folder / "keras_metadata.pb").exists()
    proto = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    graph = proto.meta_graphs[0]
    kinds = {node.user_object.identifier for node in graph.object_graph_def.nodes}
    assert not any("keras" in kind for kind in kinds)
    operations = {
        node.op for function in graph.graph_def.library.function for node in function.node_def
    }
    assert not any("Random" in name or "Dropout" in name for name in operations)


def test_an_export_in_bfloat16_is_smaller_and_near_the_model(single, tokenizer, tmp_path):
    model, float32 = single
    place = export_saved_model(model, tokenizer, str(tmp_path), precision="bfloat16")
    texts = ["a good film", "", "not bad , a very good story"]
    found = load_export(place)(texts)["logits"]
    difference = np.abs(found - logits_of(model, tokenizer, texts)).max()
    assert 0 < difference < 3e-2 * np.abs(found).max(), "it is rounded, and no more than that"
    assert _bytes(Path(place) / "variables") < _bytes(float32 / "1" / "variables")
    loaded = tf.saved_model.load(place)
    kernels = {x.dtype for x in loaded.parameters if "kernel" in x.name}
    assert kernels == {tf.bfloat16}, "once, and in the type in which they are multiplied"
    proto = saved_model_pb2.SavedModel.FromString((Path(place) / "saved_model.pb").read_bytes())
    functions = proto.meta_graphs[0].graph_def.library.function
    constants = [
        node.attr["value"].tensor.ByteSize()
        for function in functions
        for node in function.node_def
        if node.op == "Const" and node.attr["dtype"].type == tf.bfloat16.as_datatype_enum
    ]
    assert max(constants) < 1000, "biases alone: each copy of a graph holds its constants"


@pytest.mark.parametrize(
    "policy, precision",
    [
        ("float32", "bfloat16"),
        pytest.param("mixed_bfloat16", "float32", marks=pytest.mark.slow),
    ],
)
def test_spans_that_are_found_otherwise_for_rounding_do_not_stop_an_export(
    policy, precision, tokenizer, tmp_path
):
    keras.config.set_dtype_policy(policy)
    model = case_of("spans").model  # of random weights: its labels are nearly as likely
    place = export_saved_model(model, tokenizer, str(tmp_path), precision=precision)
    texts = [" ".join(tiny.vocabulary()[5:])] * 3
    assert len(load_export(place).spans(texts)) == 3


def test_a_file_in_bfloat16_that_answers_otherwise_than_its_program_is_refused(
    other, tokenizer, tmp_path, monkeypatch
):
    write = saved_model._write

    def changed(programs, *rest):
        kernel = programs["serving_default"].parameters[-1]
        kept = tf.identity(kernel)
        kernel.assign(kernel + 0.01)
        write(programs, *rest)
        kernel.assign(kept)

    monkeypatch.setattr(saved_model, "_write", changed)
    with pytest.raises(InputError, match="differ from the model's by .*, allowed 1.0e-05"):
        export_saved_model(other, tokenizer, tmp_path, precision="bfloat16")
    assert list(tmp_path.iterdir()) == []


def test_answers_from_a_model_in_memory_follow_what_it_learns(other, tokenizer):
    answer = answer_with(other, tokenizer)
    before, weights = answer(TEXTS)["logits"], other.get_weights()
    for variable in other.weights:
        if variable.name in ("bias", "gamma", "beta"):
            variable.assign(variable + 0.1)
    found = answer(TEXTS)["logits"]
    np.testing.assert_allclose(found, logits_of(other, tokenizer, TEXTS), atol=1e-5)
    assert np.abs(found - before).max() > 1e-2
    other.set_weights(weights)


def _bytes(directory):
    files = (os.path.join(root, name) for root, _, names in os.walk(directory) for name in names)
    return sum(os.path.getsize(file) for file in files)


def test_a_model_in_another_precision_already_is_not_exported_in_bfloat16(tokenizer, tmp_path):
    model = SequenceClassifier(build_encoder(tiny.config(), dtype="mixed_float16"))
    model.data_settings = {"max_length": 24}
    with pytest.raises(ConfigError, match="precision: bfloat16, and the model is in float16"):
        export_saved_model(model, tokenizer, str(tmp_path), precision="bfloat16")
    with pytest.raises(ConfigError, match="precision is 'int8', wanted one of float32, bfloat16"):
        export_saved_model(tiny.classifier(), tokenizer, str(tmp_path), precision="int8")


def test_a_difference_from_the_model_stops_the_export(other, tokenizer, tmp_path, monkeypatch):
    write = saved_model._write

    def changed_meanwhile(*arguments):
        write(*arguments)
        other.head.projection.bias.assign_add([0.1, 0.0])

    monkeypatch.setattr(saved_model, "_write", changed_meanwhile)
    with pytest.raises(InputError, match="differ from the model's by .*, allowed 1.0e-05"):
        export_saved_model(other, tokenizer, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_whose_labels_are_not_the_model_s_is_refused_though_its_numbers_are(
    other, tokenizer, tmp_path, monkeypatch
):
    write, settings = saved_model._write, text_settings(other, tokenizer)

    def wrong(_, *rest):
        other.label_names = ["worse", "better"]
        write({"serving_default": TextModel(other, tokenizer, settings)}, *rest)
        other.label_names = ["bad", "good"]

    monkeypatch.setattr(saved_model, "_write", wrong)
    said = (
        r"the export's label of text 0 is '(worse|better)', the model's '(bad|good)'; nothing was"
    )
    with pytest.raises(InputError, match=said):
        export_saved_model(other, tokenizer, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_no_numbers_stop_the_export(other, tokenizer, tmp_path):
    other.head.projection.bias.assign([np.nan, 0.0])
    with pytest.raises(InputError, match="differ from the model's by nan"):
        export_saved_model(other, tokenizer, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(single, tokenizer, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        with pytest.raises(InputError, match="cannot be written"):
            export_saved_model(single[0], tokenizer, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_a_file_is_named(tokenizer, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="file: cannot be written: Not a directory"):
        export_saved_model(tiny.classifier(), tokenizer, tmp_path / "file")


def test_what_cannot_be_exported_says_so(tokenizer, tmp_path):
    model = tiny.classifier()
    for length in (33, 2, 0, -1):
        with pytest.raises(InputError, match=f"max_length: {length}, wanted 3 to 32"):
            export_saved_model(model, tokenizer, tmp_path, max_length=length)
    with pytest.raises(InputError, match="wanted a task model"):
        export_saved_model(model.encoder, tokenizer, tmp_path)
    model.data_settings["max_length"] = 64
    with pytest.raises(InputError, match="max_length: 64"):
        export_saved_model(model, tokenizer, tmp_path)
    model.data_settings["max_length"] = 0
    with pytest.raises(InputError, match="max_length: 0, wanted 3 to 32"):
        export_saved_model(model, tokenizer, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_vocabulary_larger_than_the_model_is_refused(tmp_path):
    folder = tmp_path / "vocabulary"
    folder.mkdir()
    entries = [*tiny.vocabulary(), "more"]
    (folder / "vocab.txt").write_text("\n".join(entries) + "\n")
    larger = tiny.Tokenizer.from_pretrained(folder)
    with pytest.raises(InputError, match=f"has {len(entries)} entries, and the word emb"):
        export_saved_model(tiny.classifier(), larger, tmp_path / "export")
    assert not (tmp_path / "export").exists()
