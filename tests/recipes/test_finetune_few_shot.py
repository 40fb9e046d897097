"""Few texts: pairs of them, a fitted head that is the vectors' own, and a classifier of a run."""

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from bert_tf import SentenceEncoder, build_encoder, load_task
from bert_tf.cli import main
from bert_tf.data import read_table
from bert_tf.data.text_pairs import TextPairs, drawn
from bert_tf.errors import InputError
from bert_tf.tasks.few_shot import classifier_of, sentence_encoder
from tests import oracles, tiny

ROWS = [(f"{'good' if x % 2 else 'bad'} {word}", x % 2) for x, word in enumerate(tiny.WORDS[2:14])]


def table(folder, rows=ROWS):
    lines = ["text\tlabel", *(f"{text}\t{label}" for text, label in rows)]
    (folder / "a.tsv").write_text("\n".join(lines) + "\n")
    places, kinds = {"text": "text", "label": "label"}, {"text": "text", "label": "label"}
    return read_table(str(folder / "a.tsv"), places, kinds)


def test_every_text_is_paired_with_its_class_and_with_others(tmp_path):
    pairs = TextPairs(table(tmp_path), 3, 7)
    cells = pairs.cells(np.arange(len(pairs)))
    assert len(pairs) == 2 * 3 * 12
    class_of = dict(ROWS)
    for text, partner, score in zip(*cells.values(), strict=True):
        assert text != partner and (class_of[text] == class_of[partner]) == (score == 1.0)
    assert sorted(cells["text"]) == sorted([text for text, _ in ROWS] * 6)
    assert pairs.cells([0, 40]) == TextPairs(table(tmp_path), 3, 7).cells([0, 40])
    assert pairs.cells(range(9)) != TextPairs(table(tmp_path), 3, 8).cells(range(9))


def test_texts_are_drawn_by_the_seed_so_many_a_class(tmp_path):
    found = drawn(table(tmp_path), 3, 1)
    assert sorted(found.labels(np.arange(6))) == [0, 0, 0, 1, 1, 1]
    with pytest.raises(InputError, match="6 texts of the class '0', wanted 7"):
        drawn(table(tmp_path), 7, 1)
    with pytest.raises(InputError, match="one text of the class '1', wanted two"):
        TextPairs(table(tmp_path, [("a", 0), ("b", 0), ("c", 1)]), 2, 1)


@pytest.mark.parametrize("classes", ([0, 1] * 5, [0, 1, 2] * 3 + [0]))
def test_the_head_is_the_logistic_regression_of_the_vectors(classes):
    model = SentenceEncoder(build_encoder(tiny.config()), dense=(6, "tanh"), normalize=False)
    oracles.randomize(model)
    ids = np.random.default_rng(1).integers(5, 40, (10, 6)).astype("int32")
    vectors = model({"input_ids": ids}).numpy().astype("float64")
    names = [f"class {number}" for number in range(max(classes) + 1)]
    classifier = classifier_of(model, vectors, np.array(classes), names)
    vectors /= np.linalg.norm(vectors, axis=1).mean()
    want = LogisticRegression(max_iter=1000).fit(vectors, classes).predict_proba(vectors)
    logits = classifier({"input_ids": ids}).numpy()
    exps = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(exps / exps.sum(axis=1, keepdims=True), want, atol=1e-4)


def test_a_layer_that_no_classifier_has_is_refused():
    model = SentenceEncoder(build_encoder(tiny.config()), dense=(4, "identity"))
    with pytest.raises(InputError, match="which a classifier does not have"):
        sentence_encoder(model)


def test_a_run_gives_a_classifier(tmp_path, capsys):
    table(tmp_path)
    encoder = build_encoder(tiny.config(num_hidden_layers=1, initializer_range=0.5))
    model = SentenceEncoder(encoder, pooling="max")
    model.save_pretrained(str(tmp_path / "m"), tiny.tokenizer(tmp_path / "v"))
    (tmp_path / "a.yaml").write_text(
        f"model: {{path: {tmp_path / 'm'}}}\n"
        f"data: {{train: {tmp_path / 'a.tsv'}, validation: {tmp_path / 'a.tsv'}, max_length: 12}}\n"
        "few_shot: {pairs: 2, per_class: 4}\ntrain: {batch_size: 8, epochs: 1}\n"
    )
    flags = [f"--config={tmp_path / 'a.yaml'}", f"--workdir={tmp_path / 'run'}"]
    assert main(["finetune", *flags]) == 0
    figures = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert figures["steps"] == 4 and figures["validation"]["accuracy"] > 0.5
    back = load_task(tmp_path / "run" / "model")
    assert (type(back).__name__, back.pooling) == ("SequenceClassifier", "max")
    assert main(["finetune", *flags, "--set=data.text_pair=label"]) == 2
    assert "few_shot.pairs is 2 and data.text_pair label" in capsys.readouterr().err
