"""Exports beside the model: lower precision, calibration texts, and figures that may not drop."""

import numpy as np
import pytest

from bert_tf import ExtractiveQA, SentenceEncoder, build_encoder
from bert_tf.errors import InputError
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
    assert report == {"figure": "accuracy", "model": 0.5, "engine": 0.5, "drop": 0.0}
    assert place == str(tmp_path / "export" / "1")
    monkeypatch.setattr(measured_export, "compared", lambda *_: {**report, "drop": 2.0})
    with pytest.raises(InputError, match="2.00 points less, allowed 0.5 "):
        export_for_serving(*places, **asked)
    assert sorted(x.name for x in (tmp_path / "export").iterdir()) == ["1"]


def test_a_drop_above_the_bound_is_refused_unless_it_is_forced(caplog):
    report = {"figure": "accuracy", "model": 0.94, "engine": 0.92, "drop": 2.0}
    assert require_small_drop(report, 2.0, False) == report
    said = r"accuracy 0.9200, the model's is 0.9400: 2.00 points less, allowed 1 \(max_drop\)"
    with pytest.raises(InputError, match=said + "; nothing was exported"):
        require_small_drop(report, 1.0, False)
    assert require_small_drop(report, 1.0, True) == report
    with pytest.raises(InputError, match="nan points less"):
        require_small_drop({**report, "drop": float("nan")}, 1.0, False)


def test_less_agreement_than_the_bound_is_refused_unless_it_is_forced():
    report = {"agreement": 0.94, "agreement_of": "answers", "rows": 300}
    said = r"agreement with the model 0.9400 \(answers\), wanted 0.95; nothing was exported"
    with pytest.raises(InputError, match=said):
        require_agreement(report, False)
    assert require_agreement(report, True) == report
    assert require_agreement({**report, "agreement": 0.95}, False)["rows"] == 300
    with pytest.raises(InputError, match="nan"):
        require_agreement({**report, "agreement": float("nan")}, False)


def test_lower_precision_is_never_published_without_a_word(tokenizer, tmp_path, monkeypatch):
    """The engine is stood in for: the model's own outputs, some of them turned round."""
    told, turned = [], 0.0
    monkeypatch.setattr(measured_export.logging, "warning", lambda *said: told.append(said))
    monkeypatch.setattr(measured_export.engines, "require_packages", lambda *_: None)

    def export(model, tokenizer, output, format, accept, **options):
        def answers(batches):
            found = [np.asarray(model.outputs_of_ids(batch)["logits"]) for batch in batches]
            return [
                {"logits": x * (-1 if place < turned * len(found) else 1)}
                for place, x in enumerate(found)
            ]

        return accept(answers)

    monkeypatch.setattr(measured_export.engines, "export_for_engine", export)
    tiny.classifier().save_pretrained(tmp_path / "model", tokenizer)
    places = (str(tmp_path / "model"), str(tmp_path / "x"), "onnx", "int8")
    report = export_for_engine(*places)
    assert report == {"agreement": 1.0, "agreement_of": "answers", "rows": 100}
    assert "not measured on labelled rows, --data=FILE does that" in told[0]
    (tmp_path / "texts.txt").write_text("a good film\nbad\n" * 60)
    assert export_for_engine(*places, str(tmp_path / "texts.txt"))["rows"] == 120
    turned = 0.2
    with pytest.raises(InputError, match="agreement with the model 0.6800 .*nothing was exported"):
        export_for_engine(*places)
    assert export_for_engine(*places, force=True)["agreement"] < 0.95


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
