"""Reranking: the losses in numpy, the figures by definition, groups of a table, the files."""

import json

import numpy as np
import pytest
import tensorflow as tf

from bert_tf import Reranker, build_encoder, load_task, pipeline, read_dataset
from bert_tf.cli import main
from bert_tf.errors import InputError
from bert_tf.tasks import ranking_losses, ranking_metrics
from bert_tf.tasks.ranking_losses import NO_SCORE, RANKINGS
from tests import tiny

SCORES = np.array([[1.0, -2.0, 0.5], [3.0, 0.0, -6e4]], "float32")
LABELS = np.array([[0.0, 1.0, 3.0], [1.0, 0.0, NO_SCORE]], "float32")


def log_softmax(x):
    return x - np.log(np.exp(x).sum())


def by_hand(ranking, scores, labels):
    gains = np.maximum(labels, 0)
    if ranking == "listwise":
        return -(gains / gains.sum()) @ log_softmax(scores)
    if ranking == "listnet":
        return -np.exp(log_softmax(labels)) @ log_softmax(scores)
    if ranking == "regression":
        return np.mean((scores - labels) ** 2)
    if ranking == "pointwise":
        shares, right = 1 / (1 + np.exp(-scores)), np.clip(labels, 0, 1)
        return -np.mean(right * np.log(shares) + (1 - right) * np.log(1 - shares))
    pairs = [(i, j) for i in range(len(labels)) for j in range(len(labels))]
    pairs = [(i, j) for i, j in pairs if labels[i] > labels[j]]
    return np.mean([np.log(1 + np.exp(scores[j] - scores[i])) for i, j in pairs])


@pytest.mark.parametrize("ranking", RANKINGS)
def test_a_loss_is_that_of_numpy_and_absent_candidates_count_nowhere(ranking):
    want = [by_hand(ranking, SCORES[0], LABELS[0]), by_hand(ranking, SCORES[1, :2], LABELS[1, :2])]
    loss, usable = RANKINGS[ranking]
    np.testing.assert_allclose(loss(SCORES, LABELS), want, rtol=1e-5)
    assert np.asarray(usable(LABELS)).all()


def test_a_query_of_which_nothing_can_be_learned_has_no_weight():
    model = Reranker(build_encoder(tiny.config()))
    labels = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, NO_SCORE]], "float32")
    for ranking, count in (("listwise", 1), ("pairwise", 1), ("pointwise", 2), ("listnet", 2)):
        model.ranking = ranking
        total, weight = model.loss_terms(SCORES, labels)["ranking"]
        assert float(weight) == count and np.isfinite(float(total))
    model.ranking = "listwise"
    with tf.GradientTape() as tape:  # and its gradient is finite
        scores = tf.Variable(SCORES)
        total, _ = model.loss_terms(scores, labels)["ranking"]
    assert np.isfinite(tape.gradient(total, scores).numpy()).all()


def test_the_figures_are_those_of_their_definitions():
    scores, labels = [np.array([[3.0, 2.0, 1.0]])], [np.array([[0.0, 2.0, 1.0]])]
    dcg, ideal = 2 / np.log2(3) + 1 / 2, 2 + 1 / np.log2(3)
    figures = ranking_metrics.measure(scores, labels)
    assert figures["ndcg@10"] == pytest.approx(dcg / ideal) and figures["mrr@10"] == 0.5
    assert (figures["rows"], figures["candidates"]) == (1, 3)
    # A model that says the same of all earns nothing by the order of the file.
    equal = ranking_metrics.measure([np.zeros((1, 3))], [np.array([[1.0, 0.0, 0.0]])])
    assert equal["mrr@10"] == pytest.approx(1 / 3) and equal["ndcg@10"] < 0.75
    none = ranking_metrics.measure([np.zeros((2, 2))], [np.array([[0.0, 0.0], [1.0, NO_SCORE]])])
    assert none["without_relevant"] == 1 and none["ndcg@10"] == none["mrr@10"] == 1.0
    late = ranking_metrics.reciprocal_rank(np.arange(12.0), np.arange(12) == 0)
    assert late == 0.0
    with pytest.raises(InputError, match="1 of 2 rows is no finite number"):
        ranking_metrics.measure([np.array([[np.nan, 0.0]])], [np.array([[1.0, 0.0]])])


QUERIES = ("good film", "bad story", "the end")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    home = tmp_path_factory.mktemp("reranking")
    tiny.save(home / "start")
    rows = [
        (query, text, int(query == text) * 2)
        for text in (*QUERIES, "two three")  # the rows of a query do not stand together
        for query in QUERIES * 2
        if (query, text) != ("the end", "two three")
    ]
    lines = "".join(f"{query}\t{text}\t{score}\n" for query, text, score in rows)
    (home / "rows.tsv").write_text("query\ttext\tscore\n" + lines)
    (home / "config.yaml").write_text(
        f"task: reranking\nmodel: {{path: {home}/start, options: {{ranking: pairwise}}}}\n"
        f"data: {{train: {home}/rows.tsv, validation: 0.4, test: {home}/rows.tsv, "
        "max_length: 16}\n"
        "train: {batch_size: 2, steps: 3}\n"
    )
    return home


@pytest.fixture(scope="module")
def trained(folder):
    argv = [f"--config={folder}/config.yaml", f"--workdir={folder}/run"]
    assert main(["finetune", *argv]) == 0
    return folder


def test_rows_of_a_query_are_one_wherever_they_stand(folder):
    tokenizer = tiny.tokenizer(folder / "vocabulary")
    dataset = read_dataset(folder / "rows.tsv", tokenizer, task="reranking", max_length=16)
    batches = list(dataset)
    assert sum(len(labels) for _, labels in batches) == 3
    inputs, labels = batches[0]
    assert inputs["input_ids"].shape[:2] == labels.shape == (3, 8)
    counts = (labels.numpy() > NO_SCORE / 2).sum(axis=1)
    assert counts.tolist() == (inputs["attention_mask"].numpy().any(-1)).sum(axis=1).tolist()
    assert sorted(counts) == [6, 8, 8]
    row = int(np.flatnonzero(counts == 6)[0])
    want = tokenizer(["the end"], ["good film"], max_length=16)["input_ids"][0].numpy()
    np.testing.assert_array_equal(inputs["input_ids"][row, 0, : len(want)], want)


def test_a_saved_model_is_measured_query_by_query(folder, tmp_path, capsys):
    model = Reranker(load_task(folder / "start").encoder, ranking="pairwise")
    model.data_settings = {**model.places, "max_length": 16}
    model.save_pretrained(str(tmp_path), tiny.tokenizer(tmp_path))
    back = load_task(tmp_path)
    assert type(back) is Reranker and back.ranking == "pairwise"
    assert main(["evaluate", f"--model={tmp_path}", f"--data={folder}/rows.tsv"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["rows"], figures["candidates"]) == (3, 22)
    assert 0 < figures["ndcg@10"] <= 1 and 0 < figures["mrr@10"] <= 1


@pytest.mark.slow  # its parts are tried above, and by the contract
def test_the_whole_way_through_the_commands(trained, capsys):
    folder = trained
    results = json.loads((folder / "run" / "metrics.json").read_text())
    assert results["validation"]["rows"] == 1 and results["test"]["rows"] == 3
    assert 0 < results["test"]["ndcg@10"] <= 1 and 0 < results["test"]["mrr@10"] <= 1
    assert main(["evaluate", f"--model={folder}/run/model", f"--data={folder}/rows.tsv"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["ndcg@10"] == pytest.approx(results["test"]["ndcg@10"])
    config = json.loads((folder / "run/model/config.json").read_text())
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert config["problem_type"] == "regression" and list(config["id2label"]) == ["0"]
    model = load_task(folder / "run" / "model")
    assert type(model) is Reranker and model.ranking == "pairwise"
    assert main(["export", f"--model={folder}/run/model", f"--output={folder}/export"]) == 0
    asked = (["good film", "bad story"], ["good film", "the end"])
    scores = [
        [x["score"] for x in pipeline(f"{folder}/{x}")(*asked)] for x in ("run/model", "export")
    ]
    np.testing.assert_allclose(*scores, atol=1e-5)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("good\tbad\thigh", "line 3: column 2 is 'high', wanted a finite number"),
        ("good\tbad", "line 3: has 2 columns, wanted the header's 3"),
    ],
)
def test_a_bad_row_is_one_line_that_says_where(folder, tmp_path, row, told):
    (tmp_path / "rows.tsv").write_text(f"query\ttext\tscore\na\tb\t1\n{row}\n")
    tokenizer = tiny.tokenizer(tmp_path / "vocabulary")
    with pytest.raises(InputError, match=told):
        read_dataset(tmp_path / "rows.tsv", tokenizer, task="reranking")


@pytest.mark.parametrize(
    "argument", [{"ranking": "lambda"}, {"num_labels": 2}, {"problem_type": "multi"}]
)
def test_arguments_are_checked(argument):
    with pytest.raises(InputError, match=f"{next(iter(argument))}: .*wanted one of"):
        Reranker(build_encoder(tiny.config()), **argument)


@pytest.mark.slow
def test_sentence_transformers_opens_it_and_scores_alike(trained):
    folder = trained
    peers = pytest.importorskip("sentence_transformers")
    import torch

    theirs = peers.CrossEncoder(str(folder / "run/model"), activation_fn=torch.nn.Identity())
    asked = [("good film", "bad story"), ("the end", "two three , one")]
    ours = [x["score"] for x in pipeline(str(folder / "run/model"))(*map(list, zip(*asked)))]  # noqa: B905
    np.testing.assert_allclose(theirs.predict(asked), ours, atol=1e-5)


def test_no_score_is_no_rating():
    assert not np.asarray(ranking_losses.is_candidate(np.array([[NO_SCORE]], "float32"))).any()
