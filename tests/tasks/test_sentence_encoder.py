"""Sentence vectors: poolings in numpy, figures, columns and their objectives, refusals, a run."""

import json
import types

import numpy as np
import pytest
import tensorflow as tf

from bert_tf import SentenceEncoder, build_encoder, load_task, read_dataset
from bert_tf.cli import main
from bert_tf.errors import InputError
from bert_tf.layers import new_key
from bert_tf.recipes.finetune_rows import report_lacking
from bert_tf.tasks.classifier_arguments import POOLINGS
from bert_tf.tasks.embedding_metrics import measure
from bert_tf.training.loop import BatchSource
from tests import oracles, tiny

IDS = np.array([[2, 5, 6, 7, 3], [2, 8, 3, 0, 0]], "int32")
INPUTS = {"input_ids": IDS, "attention_mask": (IDS > 0).astype("int32")}
PAIRS = [
    ("a good film", "very good story", 4.5),
    ("the end is bad", "begin a story", 0.5),
    ("two actor", "three actor", 3.0),
    ("not very good", "bad film", 2.5),
]


def encoder(**options):
    model = SentenceEncoder(build_encoder(tiny.config()), **options)
    oracles.randomize(model)
    return model


@pytest.mark.parametrize("pooling", POOLINGS)
def test_tokens_are_pooled_and_brought_to_length_one(pooling):
    model = encoder(pooling=pooling, dense=(6, "tanh"))
    tokens = model.encoder(INPUTS)["sequence_output"].numpy()
    for row, length in enumerate((5, 3)):
        own = tokens[row, :length]
        weights = np.arange(1, length + 1)[:, None]
        vector = {
            "cls": own[0],
            "mean": own.mean(axis=0),
            "max": own.max(axis=0),
            "last": own[-1],
            "weighted": (own * weights).sum(axis=0) / weights.sum(),
        }[pooling]
        vector = np.tanh(vector @ model.head.kernel.numpy() + model.head.bias.numpy())
        got = model(INPUTS)[row]
        np.testing.assert_allclose(got, vector / np.linalg.norm(vector), atol=1e-5)
        model.normalize = False
        np.testing.assert_allclose(model(INPUTS)[row], vector, atol=1e-5)
        model.normalize = True


def test_a_row_of_texts_has_a_vector_for_each_and_zeros_for_none():
    model = encoder()
    rows = {name: np.stack([x, x[::-1]], axis=1) for name, x in INPUTS.items()}
    rows["attention_mask"][1, 1] = 0
    got = model(rows).numpy()
    np.testing.assert_allclose(got[:, 0], model(INPUTS), atol=1e-6)
    np.testing.assert_allclose(got[0, 1], model(INPUTS)[1], atol=1e-6)
    assert not got[1, 1].any()


def test_simcse_reads_a_text_twice_under_two_masks():
    model = encoder()
    rows = {name: x[:, None] for name, x in INPUTS.items()}
    trained = model(rows, training=True, key=new_key(1, 2)).numpy()
    assert trained.shape == (2, 2, 16) and model(rows).shape == (2, 1, 16)
    assert np.abs(trained[:, 0] - trained[:, 1]).max() > 1e-3


def test_matryoshka_adds_the_losses_of_the_first_numbers():
    whole, parts = encoder(), encoder(matryoshka=[4, 8])
    vectors = tf.random.stateless_normal([3, 2, 16], (1, 2))
    labels = {"texts": np.arange(6).reshape(3, 2)}
    for model in (whole, parts):
        model.objective = "multiple_negatives"
    got = float(parts.loss_terms(vectors, labels)["embedding"][0])
    want = float(whole.loss_terms(vectors, labels)["embedding"][0])
    for size in (4, 8):
        whole.width = size
        want += float(whole.loss_terms(vectors, labels)["embedding"][0])
    np.testing.assert_allclose(got, want, rtol=1e-5)


def test_retrieval_counts_equal_texts_once_and_all_right_answers():
    axes = np.eye(4)
    # Row 0 finds its own first, row 1 the other's; the anchor of row 2 has both.
    vectors = np.stack(
        [
            [axes[0], axes[0]],
            [axes[0] + 0.1 * axes[1], axes[1]],
            [axes[2], axes[0] + 0.9 * axes[2]],
            [axes[2], axes[1]],
        ]
    )
    texts = np.array([[1, 10], [2, 11], [3, 12], [3, 11]])
    figures = measure([vectors[:2], vectors[2:]], [{"texts": texts[:2]}, {"texts": texts[2:]}])
    # Row 1: 10 has cosine 0.995, 12 about 0.74, 11 0.1. Anchor 3: 12, then 10 and 11 tie at 0.
    assert figures["rows"] == 4
    np.testing.assert_allclose(figures["mrr@10"], (1 + 1 / 3 + 1) / 3)
    np.testing.assert_allclose(figures["recall@1"], (1 + 0 + 0.5) / 3)
    ideal = 1 + 1 / np.log2(3)
    want = (1 + 1 / np.log2(4) + (1 + 1 / np.log2(4)) / ideal) / 3
    np.testing.assert_allclose(figures["ndcg@10"], want)


def test_rated_pairs_and_categories_are_measured_whole_and_by_size():
    vectors = np.random.default_rng(2).normal(size=(9, 2, 4))
    scores, texts = np.arange(9.0), np.arange(18).reshape(9, 2)
    figures = measure([vectors], [{"texts": texts, "score": scores}], [2])
    assert {"spearman", "pearson", "spearman_2"} < set(figures)
    ties = measure([np.ones((9, 2, 4))], [{"texts": texts, "score": scores}])
    assert ties["spearman"] == 0.0
    near = np.array([[1.0, 0], [1, 0.1], [0, 1], [0.1, 1], [0.9, 0.2]])[:, None]
    labels = {"texts": np.arange(5)[:, None], "category": np.array([0, 0, 1, 1, 1])}
    assert measure([near], [labels])["nearest_accuracy"] == 0.8
    alone = {name: values[:1] for name, values in labels.items()}
    assert measure([near[:1]], [alone])["nearest_accuracy"] == 0, "a row is no neighbour of its own"
    with pytest.raises(InputError, match="1 of 5 rows is not a finite number"):
        measure([np.where(np.arange(5)[:, None, None] == 2, np.nan, near)], [labels])


def test_rated_pairs_train_are_measured_and_saved(tmp_path):
    encoder = build_encoder(tiny.config(num_hidden_layers=1, initializer_range=0.5))
    encoder.save_pretrained(str(tmp_path / "model"), tiny.tokenizer(tmp_path / "words"))
    lines = [json.dumps({"a": one, "b": two, "gold": score}) for one, two, score in PAIRS]
    (tmp_path / "a.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "a.yaml").write_text(
        f"task: sentence_embedding\n"
        f"model: {{path: {tmp_path / 'model'}, options: {{matryoshka: [4]}}}}\n"
        f"data: {{train: {tmp_path / 'a.jsonl'}, validation: {tmp_path / 'a.jsonl'}, text: a,\n"
        "  text_pair: b, columns: {score: gold}, max_length: 16}\n"
        "train: {batch_size: 4, epochs: 1}\n"
    )
    flags = [f"--config={tmp_path / 'a.yaml'}", f"--workdir={tmp_path / 'run'}"]
    assert main(["finetune", *flags]) == 0
    figures = json.loads((tmp_path / "run" / "metrics.json").read_text())["validation"]
    assert {"spearman", "pearson", "spearman_4", "loss"} < set(figures)
    model = load_task(tmp_path / "run" / "model")
    assert (model.objective, model.highest_score, model.matryoshka) == ("cosent", 4.5, [4])


def test_rows_that_teach_nothing_are_warned_of_once(caplog):
    """One category in every batch is a loss of 0 and no gradient: as a file sorted by category."""
    model = encoder(objective="supervised_contrastive")
    batches = [
        (None, {"texts": np.arange(4)[:, None], "category": np.array(x)})
        for x in ([0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 2])
    ]
    source = BatchSource(lambda start, stop: batches[start:stop], None, 2)
    report_lacking(model, source)
    told = "of 8 rows that were looked at 8 teach nothing: 8 have no row of another category in"
    assert told in caplog.text and len(caplog.records) == 1
    caplog.clear()
    report_lacking(model, source._replace(epoch_steps=3), replicas=2)
    assert "of 12 rows that were looked at 12 teach nothing: " in caplog.text
    caplog.clear()
    batches[:2] = []
    report_lacking(model, source._replace(epoch_steps=1))
    assert "of 4 rows that were looked at 2 teach nothing: 2 have no other row of" in caplog.text
    caplog.clear()
    report_lacking(encoder(objective="cosine"), source)
    assert not caplog.records


@pytest.mark.parametrize(
    "row, column, message",
    (
        ({"negatives": ["b", "a"]}, "negatives", "line 2: a negative equals its anchor, 'a'"),
        ({"negative": "b"}, "negative", "line 2: a negative equals its positive, 'b'"),
        ({"score": "high"}, "score", "line 2: key 'score' is 'high', wanted a finite number"),
        ({"category": "x"}, "category", "is 'x' in every row; wanted at least two"),
    ),
)
def test_a_bad_row_is_one_line_that_says_where(tmp_path, row, column, message):
    good = {"text": "x", "text_pair": "y", "negatives": ["z"], "negative": "z", "score": 1}
    rows = [good | {"category": "x"}, good | {"text": "a", "text_pair": "b"} | row]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(x) + "\n" for x in rows))
    with pytest.raises(InputError, match=message):
        read_dataset(
            str(tmp_path / "a.jsonl"),
            tiny.tokenizer(tmp_path / "v"),
            text_pair="text_pair",
            task="sentence_embedding",
            columns={column: column},
        )


@pytest.mark.parametrize(
    "option, message",
    (
        ({"objective": "margin"}, "objective: 'margin', wanted one of simcse, "),
        ({"pooling": "first"}, "pooling: 'first', wanted one of cls, mean, max, last, weighted"),
        ({"matryoshka": [99]}, r"matryoshka: \[99\], wanted a list of sizes up to 16"),
        ({"dense": [4, "sin"]}, "dense: activation 'sin', wanted one of tanh, relu"),
        ({"dense": 4}, "dense: 4, wanted a width and an activation"),
        ({"scale": 0}, "scale: 0, wanted a number above 0"),
    ),
)
def test_arguments_are_checked(option, message):
    with pytest.raises(InputError, match=message):
        SentenceEncoder(build_encoder(tiny.config()), **option)


@pytest.mark.parametrize(
    "objective, message",
    (
        ("cosent", "a.tsv: objective cosent reads score, wanted data.columns.score"),
        ("triplet", "triplet reads negative or negatives, wanted data.columns.negative"),
        ("simcse", "simcse reads single texts, wanted no data.text_pair"),
    ),
)
def test_a_table_without_what_the_objective_reads_is_refused(objective, message):
    table = types.SimpleNamespace(
        name="a.tsv", kinds={"text": "text", "text_pair": "text"}, label=None
    )
    with pytest.raises(InputError, match=message):
        encoder(objective=objective).check_table(table)


@pytest.mark.parametrize(
    "objective, columns",
    (
        ("simcse", ()),
        ("simcse", ("category",)),
        ("multiple_negatives", ("text_pair",)),
        ("multiple_negatives", ("text_pair", "category")),
        ("multiple_negatives", ("text_pair", "score")),
        ("cosent", ("text_pair", "score", "category")),
    ),
)
def test_no_figure_may_be_monitored_that_the_table_is_not_measured_by(objective, columns):
    pairs, model = "text_pair" in columns, encoder(objective=objective)
    kinds = {"text": "text", **dict.fromkeys(columns, "text")}
    model.measured_on(types.SimpleNamespace(name="a", kinds=kinds, label=None))
    rows = np.arange(8).reshape(4, 2)[:, : 1 + pairs]
    labels = {"texts": rows, "score": np.arange(4.0), "category": np.array([0, 0, 1, 1])}
    labels = {name: x for name, x in labels.items() if name == "texts" or name in columns}
    vectors = np.random.default_rng(1).normal(size=(*rows.shape, 4))
    assert {*model.monitors} - {"loss"} == {*measure([vectors], [labels])} - {"rows"}


def test_single_texts_that_measure_nothing_are_refused():
    alone = types.SimpleNamespace(name="b.tsv", kinds={"text": "text"}, label=None)
    encoder(objective="simcse").measured_on(alone)
    with pytest.raises(InputError, match="^b.tsv: single texts say nothing of objective cosent, w"):
        encoder(objective="cosent").measured_on(alone)


def test_columns_guess_the_objective():
    class Labels:
        kinds, label = {}, None

    for kinds, label, want in (
        ({"text": "text"}, None, "simcse"),
        ({"text": "text", "text_pair": "text"}, None, "multiple_negatives"),
        ({"text": "text"}, "category", "supervised_contrastive"),
    ):
        Labels.kinds, Labels.label = kinds, label
        assert SentenceEncoder.arguments_of(Labels) == {"objective": want}


def test_features_group_the_texts_of_a_row(tmp_path):
    tokenizer = tiny.tokenizer(tmp_path / "v")
    cells = {
        "text": tf.constant(["a good film", ""]),
        "text_pair": tf.constant(["bad", "good"]),
        "negatives": tf.ragged.constant([["the end"], ["one", "two"]]),
    }
    inputs, labels = SentenceEncoder.features(
        cells, tokenizer, {"max_length": 8, "padding": "max_length"}
    )
    assert inputs["input_ids"].shape == (2, 4, 8)
    there = inputs["attention_mask"].numpy().any(axis=-1)
    np.testing.assert_array_equal(there, [[1, 1, 1, 0], [1, 1, 1, 1]])
    np.testing.assert_array_equal(labels["texts"].numpy() >= 0, there)
