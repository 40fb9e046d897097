"""Exports beside the model: lower precision, calibration texts, and figures that may not drop."""

import json

import numpy as np
import pytest

from bert_tf import ExtractiveQA, Reranker, SentenceEncoder, build_encoder
from bert_tf.errors import ConfigError, InputError
from bert_tf.recipes import measured_export
from bert_tf.recipes.evaluate import labelled_batches
from bert_tf.recipes.measured_export import (
    as_rows,
    calibration_rows,
    compared,
    export_for_engine,
    export_for_serving,
    in_batches,
    outputs_of,
    require_agreement,
    require_small_drop,
    sample_rows,
)
from bert_tf.training import evaluation
from tests import oracles, tiny

LABELLED = [
    "text\tlabel",
    *(f"{x}\t{y}" for x in ("a film", "not very", "two") for y in ("good", "bad")),
]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("vocabulary"))


def asking(model, batches, change=lambda outputs: outputs):
    """What an engine would give of each batch: the model's own outputs of ids, changed."""
    for inputs, *_ in batches:
        rows = as_rows(model, inputs)
        assert all(x.dtype == np.int64 and x.ndim == 2 for x in rows.values())
        found = model.outputs_of_ids(rows)
        yield outputs_of(model, {name: change(np.asarray(x)) for name, x in found.items()}, inputs)


def test_an_engine_is_measured_as_its_model_is(tokenizer, tmp_path):
    (tmp_path / "dev.tsv").write_text("\n".join(LABELLED) + "\n")
    model = tiny.classifier()
    table, batches = labelled_batches(model, tokenizer, str(tmp_path / "dev.tsv"))
    report = compared(model, table, batches, asking(model, batches))
    assert report["figure"] == "accuracy" and report["model"] == report["engine"] == 0.5
    assert report["drop"] == 0
    # A text has both labels once; only a change within pairs of rows moves the accuracy.
    rows = iter([1, -1] * 10)
    turned = compared(
        model,
        table,
        batches,
        asking(
            model,
            batches,
            lambda x: x * 0 + np.array([next(rows) for _ in x])[:, None] * [1.0, -1.0],
        ),
    )
    assert turned["engine"] != 0.5 and turned["model"] == 0.5
    assert turned["drop"] == pytest.approx(100 * (0.5 - turned["engine"]))
    assert (
        evaluation.evaluate(model, batches, table)["accuracy"] == 0.5
    )  # the model is itself again


@pytest.mark.slow  # a second traced evaluation; the one above shows the same for single texts
def test_vectors_of_several_texts_a_row_are_measured_too(tokenizer, tmp_path):
    lines = [
        "text\ttext_pair\tscore",
        "a good film\tgood\t1",
        "bad\ta story\t0",
        "two\tone two\t0.5",
    ]
    (tmp_path / "dev.tsv").write_text("\n".join(lines) + "\n")
    model = SentenceEncoder(build_encoder(tiny.config()), objective="cosent")
    oracles.randomize(model)
    model.data_settings = {"max_length": 24, "text_pair": "text_pair", "score": "score"}
    table, batches = labelled_batches(model, tokenizer, str(tmp_path / "dev.tsv"))
    report = compared(model, table, batches, asking(model, batches))
    assert report["figure"] == "spearman"
    assert report["engine"] == pytest.approx(report["model"], abs=1e-6)


def test_a_saved_model_in_bfloat16_is_measured_and_refused_where_it_drops(
    tokenizer, tmp_path, monkeypatch
):
    lines = ["review\tmood", *LABELLED[1:]]
    (tmp_path / "dev.tsv").write_text("\n".join(lines) + "\n")
    model = tiny.classifier()
    model.save_pretrained(tmp_path / "model", tokenizer)
    places = (str(tmp_path / "model"), str(tmp_path / "export"))
    asked = {"precision": "bfloat16", "data": str(tmp_path / "dev.tsv")}
    asked["columns"] = {"text": "review", "label": "mood", "text_pair": None}
    place, report = export_for_serving(*places, **asked)
    wanted = {"figure": "accuracy", "model": 0.5, "engine": 0.5, "drop": 0.0}
    assert report == {**wanted, "drop_in": "points"}
    assert place == str(tmp_path / "export" / "1")
    monkeypatch.setattr(measured_export, "compared", lambda *_: {**report, "drop": 2.0})
    with pytest.raises(InputError, match="2.00 points less, allowed 0.5 "):
        export_for_serving(*places, **asked)
    assert sorted(x.name for x in (tmp_path / "export").iterdir()) == ["1"]
    (tmp_path / "file").write_text("mine")
    monkeypatch.setattr(measured_export, "compared", None)  # a place is looked at before
    with pytest.raises(ConfigError, match="--output: .*file is no folder, wanted another"):
        export_for_serving(places[0], str(tmp_path / "file"), **asked)


def test_a_drop_above_the_bound_is_refused_unless_it_is_forced(caplog):
    report = {"figure": "accuracy", "model": 0.94, "engine": 0.92}
    report |= {"drop": 2.0, "drop_in": "points"}
    assert require_small_drop(report, 2.0, False) == report
    said = r"accuracy 0.9200, the model's is 0.9400: 2.00 points less, allowed 1 \(max_drop\)"
    with pytest.raises(InputError, match=said + "; nothing was exported"):
        require_small_drop(report, 1.0, False)
    assert require_small_drop(report, 1.0, True) == report
    with pytest.raises(InputError, match="nan points less"):
        require_small_drop({**report, "drop": float("nan")}, 1.0, False)


@pytest.mark.parametrize(
    ("ours", "theirs", "drop"),
    [(1.0, 1.2, 20.0), (0.5, 0.4, -20.0), (0.0, 0.0, 0.0), (0.0, 0.2, 2e7), (-2.0, -1.0, 50.0)],
)
def test_what_is_better_when_lower_is_worse_by_per_cent_of_the_model_s(
    ours, theirs, drop, monkeypatch
):
    model, losses = tiny.classifier(), iter([ours, theirs])
    monkeypatch.setattr(measured_export.evaluation, "evaluate", lambda *_: {"loss": next(losses)})
    report = compared(model, None, None, None)
    wanted = {"figure": "loss", "model": ours, "engine": theirs, "drop": pytest.approx(drop)}
    assert report == {**wanted, "drop_in": "%"}
    json.dumps(report, allow_nan=False)
    if drop > 0:
        said = rf"loss {theirs:.4f}, the model's is {ours:.4f}: {drop:.2f} % more, allowed 0.5 \("
        with pytest.raises(InputError, match=said):
            require_small_drop(report, 0.5, False)
    else:
        assert require_small_drop(report, 0.5, False) == report


def test_less_agreement_than_the_bound_is_refused_unless_it_is_forced():
    report = {"agreement": 0.94, "agreement_of": "answers", "rows": 300}
    said = r"agreement with the model 0.9400 \(answers\), wanted 0.95; nothing was exported"
    with pytest.raises(InputError, match=said):
        require_agreement(report, False)
    assert require_agreement(report, True) == report
    assert require_agreement({**report, "agreement": 0.95}, False)["rows"] == 300
    with pytest.raises(InputError, match="nan"):
        require_agreement({**report, "agreement": float("nan")}, False)


@pytest.fixture
def asked(monkeypatch):
    """Stands in for the engine: the model's own logits, to which a test may put a change, function
    of them and the number of the batch; the list of how often it was asked."""
    made = {"change": lambda logits, place: logits, "times": 0}
    monkeypatch.setattr(measured_export.engines, "require_packages", lambda *_: None)

    def export(model, tokenizer, output, format, accept, **options):
        def answers(batches):
            found = [np.asarray(model.outputs_of_ids(batch)["logits"]) for batch in batches]
            return [{"logits": made["change"](x, place)} for place, x in enumerate(found)]

        made["times"] += 1
        return accept(answers)

    monkeypatch.setattr(measured_export.engines, "export_for_engine", export)
    return made


def test_lower_precision_is_never_published_without_a_word(tokenizer, tmp_path, monkeypatch, asked):
    told = []
    monkeypatch.setattr(measured_export.logging, "warning", lambda *said: told.append(said))
    tiny.classifier().save_pretrained(tmp_path / "model", tokenizer)
    places = (str(tmp_path / "model"), str(tmp_path / "x"), "onnx", "int8")
    report = export_for_engine(*places)
    assert report == {"agreement": 1.0, "agreement_of": "answers", "rows": 100}
    assert "not measured on labelled rows, --data=FILE does that" in told[0]
    (tmp_path / "texts.txt").write_text("a good film\nbad\n" * 60)
    assert export_for_engine(*places, str(tmp_path / "texts.txt"))["rows"] == 120
    asked["change"] = lambda logits, place: -logits if place == 0 else logits
    with pytest.raises(InputError, match="agreement with the model 0.6800 .*nothing was exported"):
        export_for_engine(*places)
    assert export_for_engine(*places, force=True)["agreement"] < 0.95


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ({"label_names": ("LABEL_0",), "problem_type": "regression"}, "a constant"),
        ({"label_names": ("x", "y", "z"), "problem_type": "multi_label_classification"}, "less"),
    ],
)
def test_an_engine_is_asked_for_what_the_model_s_kind_of_problem_answers(
    options, changed, tokenizer, tmp_path, asked
):
    model = tiny.classifier(**options)
    oracles.randomize(model)
    if changed == "less":  # the third label is likeliest, and two others are given beside
        model.thresholds = [0.9, 0.9, 0.9]
        model.head.projection.bias.assign([9.0, 9.0, 19.0])
    model.save_pretrained(tmp_path / "model", tokenizer)
    places = (str(tmp_path / "model"), str(tmp_path / "x"), "onnx", "int8")
    assert export_for_engine(*places)["agreement"] == 1
    moved = [0, -8, 0]  # to a probability of more than 0.5, and less than 0.9
    change = (lambda x, _: x + moved) if changed == "less" else (lambda x, _: x * 0 + 0.1)
    asked["change"] = change
    with pytest.raises(InputError, match="agreement with the model 0.0"):
        export_for_engine(*places)


@pytest.mark.parametrize("kind", ["windows", "candidates"])
def test_labels_of_several_rows_of_tokens_are_refused_before_the_engine_is_made(
    kind, tokenizer, tmp_path, asked
):
    """An engine answers single rows; a text in windows is several, as are a query's candidates."""
    encoder, lines = build_encoder(tiny.config()), ["text\ttext_pair\tscore", "a film\tgood\t1"]
    model = SentenceEncoder(encoder, objective="cosent") if kind == "windows" else Reranker(encoder)
    model.data_settings = {"max_length": 12, "text_pair": "text_pair", "score": "score"}
    if kind == "windows":
        model.data_settings |= {"windows": 3, "overlap": 3}
    else:
        model.data_settings = {"max_length": 12, "label": "score"}
    (tmp_path / "dev.tsv").write_text("\n".join([*lines, "a film\tbad\t0"]) + "\n")
    model.save_pretrained(tmp_path / "model", tokenizer)
    whose = "SentenceEncoder with windows: 3" if kind == "windows" else "Reranker"
    said = f"data: .*dev.tsv: a {whose} has labels of several rows of tokens together.*wanted none"
    with pytest.raises(InputError, match=said):
        export_for_engine(
            str(tmp_path / "model"), str(tmp_path / "x"), "onnx", data=str(tmp_path / "dev.tsv")
        )
    assert asked["times"] == 0 and not (tmp_path / "x").exists()


def test_rows_of_like_lengths_are_asked_together(tokenizer):
    rows = sample_rows(tiny.classifier(), tokenizer)
    batches = in_batches(rows)
    assert [len(batch["input_ids"]) for batch in batches] == [32, 32, 32, 4]
    assert sum(batch["attention_mask"].sum() for batch in batches) == sum(
        row["input_ids"].size for row in rows
    )
    shortest = min(rows, key=lambda row: row["input_ids"].size)["input_ids"]
    found = batches[0]["input_ids"][0]
    assert found[: shortest.size].tolist() == shortest[0].tolist()
    assert not found[shortest.size :].any()


def test_calibration_texts_become_rows_without_padding(tokenizer, tmp_path):
    (tmp_path / "texts.txt").write_text("a good film\n\nnot bad , a very good story\n")
    found = calibration_rows(tiny.classifier(), tokenizer, str(tmp_path / "texts.txt"))
    assert [row["input_ids"].shape for row in found] == [(1, 5), (1, 9)]
    assert all(row["attention_mask"].all() for row in found)
    assert set(found[0]) == {"input_ids", "attention_mask", "token_type_ids"}
    wanted = tokenizer(["a good film"])["input_ids"].numpy()
    assert found[0]["input_ids"].tolist() == wanted.tolist()


def test_pairs_calibrate_as_pairs(tokenizer, tmp_path):
    (tmp_path / "pairs.txt").write_text("who ?\ta good actor\n")
    model = ExtractiveQA(build_encoder(tiny.config()))
    model.data_settings = {"max_length": 24}
    (row,) = calibration_rows(model, tokenizer, str(tmp_path / "pairs.txt"))
    assert row["token_type_ids"].sum() == 4


@pytest.mark.parametrize("content", ["", "\n \n\n"])
def test_calibration_without_a_text_is_refused(tokenizer, tmp_path, content):
    (tmp_path / "texts.txt").write_text(content)
    said = r"texts.txt: has no text, calibration wants a few hundred real ones"
    with pytest.raises(InputError, match=said):
        calibration_rows(tiny.classifier(), tokenizer, str(tmp_path / "texts.txt"))
