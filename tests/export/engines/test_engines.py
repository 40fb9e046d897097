"""Exports for engines: what goes in, what stands beside, and what is refused in a line."""

import json
import sys

import numpy as np
import pytest

from bert_tf import MultipleChoice, SentenceEncoder, TokenClassifier, build_encoder, cli
from bert_tf.errors import ConfigError, InputError
from bert_tf.export.engines import answers, export_for_engine, require_packages
from bert_tf.export.engines.agreement import agreement, at_tokens
from bert_tf.export.engines.folder import write_folder
from bert_tf.export.engines.ids import (
    ids_program,
    input_names,
    require_equal,
    sample_batches,
)
from tests import oracles, tiny


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("vocabulary"))


def test_the_program_takes_any_shape_and_says_what_the_model_says():
    model = tiny.classifier()
    batches, wanted = sample_batches(model, 32)
    assert [batch["input_ids"].shape for batch in batches] == [(1, 5), (3, 17), (2, 32)]
    assert all(batch["input_ids"].dtype == np.int64 for batch in batches)
    assert (batches[1]["attention_mask"].sum(axis=1) < 17).any()
    program = ids_program(model)
    found = [
        {name: x.numpy() for name, x in program(*map(batch.get, input_names(model))).items()}
        for batch in batches
    ]
    assert require_equal(found, wanted, 1e-5, "it") < 1e-5
    tokens = model({name: x.astype(np.int32) for name, x in batches[1].items()})
    np.testing.assert_allclose(found[1]["logits"], tokens, atol=1e-5)


def test_token_types_go_in_where_the_model_tells_them_apart():
    assert input_names(tiny.classifier())[2:] == ("token_type_ids",)
    model = SentenceEncoder(build_encoder(tiny.config(type_vocab_size=1)))
    assert input_names(model) == ("input_ids", "attention_mask")


def test_a_sentence_encoder_gives_what_readers_pool_and_its_own_vector():
    model = SentenceEncoder(build_encoder(tiny.config()), pooling="cls", dense=(6, "tanh"))
    oracles.randomize(model)
    (batch, *_), (found, *_) = sample_batches(model, 12)
    assert list(found) == ["last_hidden_state", "sentence_embedding"]
    assert found["last_hidden_state"].shape == (1, 5, 16)
    vector = model({name: x.astype(np.int32) for name, x in batch.items()})
    np.testing.assert_allclose(found["sentence_embedding"], vector, atol=1e-6)


def names(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_folder_is_laid_out_as_readers_look_for_it(tokenizer, tmp_path):
    write_folder(tiny.classifier(), tokenizer, tmp_path, 24)
    beside = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"}
    assert names(tmp_path) == {"config.json", *beside}
    read = {
        name: json.loads((tmp_path / name).read_text()) for name in names(tmp_path) - {"vocab.txt"}
    }
    whole, config = read["tokenizer.json"], read["config.json"]
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert config["id2label"] == {"0": "bad", "1": "good"}
    assert read["tokenizer_config.json"]["model_max_length"] == 24
    assert whole["truncation"]["max_length"] == 24
    assert (whole["padding"]["pad_id"], whole["padding"]["pad_token"]) == (0, "[PAD]")
    assert read["special_tokens_map.json"]["mask_token"] == "[MASK]"


def test_a_sentence_encoder_has_its_modules_beside(tokenizer, tmp_path):
    model = SentenceEncoder(build_encoder(tiny.config()), dense=(6, "tanh"))
    write_folder(model, tokenizer, tmp_path, 24)
    found = names(tmp_path)
    assert {"modules.json", "1_Pooling/config.json", "2_Dense/model.safetensors"} <= found
    assert "model.safetensors" not in found


@pytest.mark.parametrize("package", ["tf2onnx", "onnxruntime"])
def test_a_package_that_is_missing_is_named_with_its_extra(monkeypatch, package):
    for name in ("onnx", "tf2onnx", "onnxruntime"):
        module = type(sys)(name)
        module.__spec__ = object()
        monkeypatch.setitem(sys.modules, name, None if name == package else module)
    said = rf"format: onnx needs {package}: pip install bert_tf\[onnx\]"
    with pytest.raises(ConfigError, match=said):
        require_packages("onnx")


def test_the_command_says_it_in_a_line_and_writes_nothing(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "onnx", None)
    tiny.save(tmp_path / "m")
    flags = ["export", f"--model={tmp_path / 'm'}", f"--output={tmp_path / 'x'}", "--format=onnx"]
    assert cli.main(flags) == 2
    told = capsys.readouterr().err
    assert "needs onnx: pip install bert_tf[onnx]" in told and told.count("\n") == 1
    assert cli.main([*flags, "--portable"]) == 2
    assert "--portable: of the format saved_model alone" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_a_precision_that_a_format_does_not_have_is_refused():
    wanted = "wanted int8 of onnx, int4 of onnx, int8 of openvino, int8 of litert"
    with pytest.raises(ConfigError, match=f"quantize: 'int4' of openvino, {wanted}"):
        require_packages("openvino", "int4")
    with pytest.raises(ConfigError, match=f"quantize: 'int2' of onnx, {wanted}"):
        require_packages("onnx", "int2")
    with pytest.raises(ConfigError, match="calibration: int4 takes none"):
        require_packages("onnx", "int4", ["a text"])
    for format in ("litert", "openvino"):
        with pytest.raises(ConfigError, match=f"calibration: int8 of {format} takes none"):
            require_packages(format, "int8", ["a text"])


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        ({"logits": [[1, 2], [3, 0]]}, {"logits": [[0, 9], [1, 2]]}, 0.5),
        # The third token of the second row is padding, and counts for nothing.
        (
            {"logits": [[[1, 2]] * 3, [[3, 0]] * 3]},
            {"logits": [[[1, 2], [2, 1], [0, 5]], [[3, 0], [3, 0], [0, 9]]]},
            0.8,
        ),
        (
            {"start_logits": [[1, 2, 0], [3, 0, 0]], "end_logits": [[0, 1, 2], [1, 0, 0]]},
            {"start_logits": [[1, 2, 0], [3, 0, 0]], "end_logits": [[0, 1, 2], [0, 5, 0]]},
            0.75,
        ),
    ],
)
def test_answers_agree_where_the_same_one_is_likeliest(ours, theirs, found):
    batch = {"attention_mask": np.array([[1, 1, 1], [1, 1, 0]])}
    arrays = [{name: np.array(x, np.float32) for name, x in y.items()} for y in (theirs, ours)]
    report = agreement([arrays[0]], [arrays[1]], [batch])
    assert report == {"agreement": pytest.approx(found), "agreement_of": "answers", "rows": 2}


@pytest.mark.parametrize(
    ("theirs", "found"),
    [([0, 0, 0, 0, 0], 0.0), ([0, 2, 1, 0, 0], 1.0), ([3, 2, 1, 0, 0], 2 / 3)],
)
def test_an_engine_that_finds_no_span_does_not_agree(theirs, found):
    sides = [[{"logits": np.eye(4)[[x]]}] for x in (theirs, [0, 2, 1, 0, 0])]
    batch = {"attention_mask": np.ones((1, 5), int)}
    assert agreement(*sides, [batch], outside=0)["agreement"] == pytest.approx(found)
    nothing = [{"logits": np.eye(4)[[[0] * 5]]}]
    assert agreement(nothing, nothing, [batch], outside=0)["agreement"] == 1


def test_what_stands_at_padding_is_compared_with_nothing():
    batch = {"attention_mask": np.array([[1, 1, 0], [1, 0, 0]])}
    outputs = {"logits": np.arange(12.0).reshape(2, 3, 2), "pooled": np.arange(6.0).reshape(2, 3)}
    found = at_tokens(outputs, batch)
    assert found["logits"].tolist() == [[0, 1], [2, 3], [6, 7]]
    assert found["pooled"] is outputs["pooled"]


def test_vectors_agree_by_their_cosine():
    batch = {"attention_mask": np.ones((3, 2), int)}
    ours = np.array([[1, 0], [0, 2], [0, 0]], np.float32)
    hidden = np.zeros((3, 2, 2), np.float32)
    for angle, wanted in ((0, 1), (np.pi / 3, 2 / 3)):
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        names = ("last_hidden_state", "sentence_embedding")
        both = [dict(zip(names, (hidden, x), strict=True)) for x in (ours @ turn, ours)]
        report = agreement(both[:1], both[1:], [batch])
        assert report["agreement_of"] == "cosine"
        assert report["agreement"] == pytest.approx(wanted), "two of nothing are alike"


def numbers_agree(theirs, ours):
    """The agreement of numbers [N, K], which are asked in two batches."""
    sides = [np.asarray(x, np.float32).reshape(len(x), -1) for x in (theirs, ours)]
    cut = (len(ours) + 1) // 2
    sides = [[{"logits": x[:cut]}, {"logits": x[cut:]}] for x in sides]
    batches = [{"attention_mask": np.ones((len(x["logits"]), 2), int)} for x in sides[0]]
    report = agreement(*sides, batches, "regression")
    assert report["agreement_of"] == "concordance" and report["rows"] == len(ours)
    return report["agreement"]


def test_an_engine_whose_scores_tell_nothing_of_the_model_s_does_not_agree():
    scores = np.linspace(2, 5, 64)
    assert numbers_agree(scores, scores) == pytest.approx(1)
    assert numbers_agree(np.full(64, 3.5), scores) == 0, "the same of all texts"
    assert numbers_agree(scores[::-1], scores) == pytest.approx(-1)
    assert numbers_agree(scores + 2, scores) < 0.5, "all too high"
    assert numbers_agree(2 * (scores - 3.5) + 3.5, scores) == pytest.approx(0.8), "2 r / (1 + 4)"
    noise = np.random.default_rng(0).normal(size=64) * 0.05
    assert 0.99 < numbers_agree(scores + noise, scores) < 1
    one = {"attention_mask": np.ones((64, 2), int)}
    sides = [[{"logits": x[:, None]}] for x in (np.full(64, 3.5), scores)]
    assert agreement(*sides, [one])["agreement"] == 0, "a single number, whatever the task"
    # Of several numbers a row each has its own: the first is the model's, the second reversed.
    both = np.stack([scores, scores + 9], axis=1)
    other = np.stack([scores, scores[::-1] + 9], axis=1)
    assert numbers_agree(other, both) == pytest.approx(0)


def test_numbers_that_never_vary_agree_by_how_far_they_are_apart():
    assert numbers_agree([[0.5], [0.5]], [[0.5], [0.5]]) == 1
    assert numbers_agree([[0.4]], [[0.5]]) == pytest.approx(0.9), "a single row"
    assert numbers_agree([[18.0]] * 3, [[20.0]] * 3) == pytest.approx(0.9), "in proportion"
    assert numbers_agree([[3.0], [3.00002]], [[3.00002], [3.0]]) > 0.999, "rounded otherwise"


def test_several_labels_a_row_agree_where_exactly_the_same_are_given():
    ours = np.full((4, 20), -3.0, np.float32)
    ours[:, 0] = [3, 3, 3, -0.1]
    batch = {"attention_mask": np.ones((4, 2), int)}

    def found(theirs, thresholds=None):
        kind = ("multi_label_classification", thresholds)
        report = agreement([{"logits": theirs}], [{"logits": ours}], [batch], *kind)
        assert report["agreement_of"] == "answers" and report["rows"] == 4
        return report["agreement"]

    assert found(ours * 0.5) == 1
    # 19 of 20 labels are none of any row's: an engine that gives none has most of them right.
    assert found(np.full_like(ours, -3)) == 0.25
    flipped = ours.copy()
    flipped[3, 0] = 0.1
    flipped[2, 5] = 0.1  # not the largest logit
    assert found(flipped) == 0.5
    assert found(flipped, [0.8] * 20) == 1, "by the model's own thresholds"


def test_a_format_nobody_knows_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="format: 'onx', wanted one of .*did you mean onnx"):
        require_packages("onx")


def test_tasks_that_read_or_answer_more_than_rows_of_tokens_are_refused():
    crf = TokenClassifier(build_encoder(tiny.config()), 3, ["O", "B-A", "I-A"], crf=True)
    for model in (MultipleChoice(build_encoder(tiny.config())), crf):
        with pytest.raises(InputError, match=f"{type(model).__name__}: reads more than"):
            sample_batches(model, 12)


def test_an_engine_that_does_not_run_it_is_named_and_no_folder_is_left(
    tokenizer, tmp_path, monkeypatch
):
    from bert_tf.export import engines

    def write(model, path, asked):
        path.write_bytes(b"no model")

    fake = engines.FORMATS["onnx"]._replace(packages=("numpy",), write=write)
    monkeypatch.setitem(engines.FORMATS, "onnx", fake)
    with pytest.raises(InputError, match="ONNX Runtime does not run it: .+"):
        export_for_engine(tiny.classifier(), tokenizer, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"logits": [[1.0, 2.0]]}, "logits has shape"),
        ({"scores": [[1.0], [2.0]]}, "the outputs are scores, the model's are logits"),
        ({"logits": [[1.0], [np.nan]]}, "logits holds no finite numbers"),
        (
            {"logits": [[1.0], [2.01]]},
            "logits differs from the model's by 5.0e-03, allowed 1.0e-04",
        ),
    ],
)
def test_other_answers_than_the_model_s_are_no_export(value, said):
    found = [{name: np.array(x, np.float32) for name, x in value.items()}]
    with pytest.raises(InputError, match=f"it: {said}.*nothing was exported"):
        require_equal(found, [{"logits": np.array([[1.0], [2.0]], np.float32)}], 1e-4, "it")


def test_batches_come_back_in_their_order(tmp_path, monkeypatch):
    """The script runs whatever its format's function gives; here a stand-in for an engine."""
    from bert_tf.export.engines import run

    monkeypatch.setitem(run.ENGINES, "sums", lambda file: lambda batch: {"sum": batch["a"].sum()})
    inputs = {f"{i}.a": np.full((2, 2), i) for i in range(11)}
    np.savez(tmp_path / "in.npz", **inputs)
    run.main("sums", "", str(tmp_path / "in.npz"), str(tmp_path / "out.npz"))
    with np.load(tmp_path / "out.npz") as found:
        assert {name: int(found[name]) for name in found.files} == {
            f"{i}.sum": 4 * i for i in range(11)
        }


def test_answers_of_an_engine_that_is_not_there_say_so(tmp_path):
    batch = [{"input_ids": np.zeros((1, 2), np.int64)}]
    with pytest.raises(InputError, match="ONNX Runtime does not run it"):
        answers("onnx", tmp_path / "absent.onnx", batch)
