"""Token classification: labels of pieces, windows, answers with offsets, figures, the whole way."""

import json
import types

import numpy as np
import pytest
import tensorflow as tf

from bert_tf import TokenClassifier, build_encoder
from bert_tf.cli import main
from bert_tf.data import read_table
from bert_tf.data.span_arrays import flatten, restore
from bert_tf.data.spans import Annotation, marked
from bert_tf.errors import InputError
from bert_tf.export import answer_with
from bert_tf.loading import load_with_tokenizer
from bert_tf.tags import TagSet, names_of
from bert_tf.tasks.features import features_of
from bert_tf.tasks.span_metrics import measure, spans_by_number
from bert_tf.tasks.tagged_spans import spans_of_words
from tests import tiny

NAMES = names_of(("film", "actor"), "IOB2")  # O 0, B-film 1, I-film 2, B-actor 3, I-actor 4


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("vocabulary") / "v")


def labels_of(tokenizer, texts, annotations, names=NAMES, **settings):
    cells = [marked(found, TagSet(names)) for found in annotations]
    cells = {"text": tf.constant(texts), "label": restore(*map(tf.constant, flatten(cells)))}
    settings = {"max_length": 24, **settings}
    return features_of(TokenClassifier, tokenizer, settings, padding="longest")(cells)


def test_the_first_piece_of_a_word_has_its_label(tokenizer):
    text = "the good-xy film was bad"  # pieces: the good - x ##y film was bad
    spans = [(4, 16, "film"), (21, 24, "actor")]
    words = [(0, 3), (4, 11), (12, 16), (17, 20), (21, 24)]
    inputs, labels = labels_of(tokenizer, [text] * 2, [Annotation(words, None, spans)] * 2)
    n = -100
    assert labels[0].numpy().tolist() == [n, 0, 1, n, n, n, 2, 0, 3, n]
    assert inputs["owned"][0].numpy().tolist() == [0, 1, 1, 0, 0, 0, 1, 1, 1, 0]
    places = inputs["offsets"].numpy()[0][inputs["owned"].numpy()[0] > 0]
    assert places.tolist() == [list(word) for word in words]
    # Without words the tokenizer's own; of spans that end within one the whole word.
    inputs, labels = labels_of(tokenizer, [text], [Annotation([], None, [(4, 10, "film")])])
    assert labels[0].numpy().tolist() == [n, 0, 1, 2, 2, n, 0, 0, 0, n]
    assert inputs["offsets"][0, 4].numpy().tolist() == [9, 11]
    _, labels = labels_of(
        tokenizer, [text], [Annotation(words, None, spans)], label_all_pieces=True
    )
    assert labels[0].numpy().tolist() == [n, 0, 1, 2, 2, 2, 2, 0, 3, n]
    _, labels = labels_of(
        tokenizer, [text], [Annotation(words, None, spans)], names_of(("film", "actor"), "BIOES")
    )
    assert labels[0].numpy().tolist() == [n, 0, 1, n, n, n, 3, 0, 8, n]


def test_a_piece_may_cover_several_words(tmp_path):
    """The digits of a number in a file of characters."""
    (tmp_path / "vocab.txt").write_text("\n".join([*tiny.SPECIAL, "2008", "年", "中"]) + "\n")
    from bert_tf import Tokenizer

    tokenizer = Tokenizer.from_pretrained(tmp_path)
    words = [(n, n + 1) for n in range(6)]
    tags = "O B-film I-film I-film I-film I-film".split()
    inputs, labels = labels_of(tokenizer, ["中2008年"], [Annotation(words, tags, None)])
    assert labels[0].numpy().tolist() == [-100, 0, 1, 2, -100]
    assert inputs["offsets"][0, 1:4].numpy().tolist() == [[0, 1], [1, 5], [5, 6]]


def test_windows_own_each_word_once_and_keep_its_label(tokenizer):
    words = "the actor was very good and not bad".split() * 3
    text, at, places = " ".join(words), 0, []
    for word in words:
        places.append((at, at + len(word)))
        at += len(word) + 1
    spans = [(*places[n], "actor") for n, word in enumerate(words) if word == "actor"]
    note = Annotation(places, None, [*spans[:1], (places[8][0], places[12][1], "film"), *spans[2:]])
    inputs, labels = labels_of(tokenizer, [text, "good"], [note, Annotation([], None, [])])
    few = {"max_length": 12, "overlap": 4}
    cut, parts = labels_of(tokenizer, [text, "good"], [note, Annotation([], None, [])], **few)
    assert len(parts) > len(labels) == 2 or len(labels) > 2
    one, other = (x.numpy()[y["owned"].numpy() > 0] for x, y in ((labels, inputs), (parts, cut)))
    np.testing.assert_array_equal(one, other)
    assert one.tolist().count(2) == 4


def test_spans_in_the_graph_are_those_of_the_metrics():
    numbers = np.random.default_rng(3)
    known = TagSet(names_of(("x", "y"), "BIOES"))
    tags = numbers.integers(0, len(known.names), (40, 9)).astype("int32")
    there = np.arange(9)[None] < numbers.integers(0, 9, 40)[:, None]
    places = np.stack([np.arange(9), np.arange(9) + 1], axis=1)[None].repeat(40, axis=0)
    chances = numbers.random((40, 9)).astype("float32")
    texts = ["é😂中\0bcdef"] * 40
    found = spans_of_words(
        *map(tf.constant, (tags, chances, places.astype("int32"), there, texts)), known
    )
    records = [
        TokenClassifier.record({name: x[row].numpy() for name, x in found.items()})["spans"]
        for row in range(40)
    ]
    for row, spans in enumerate(records):
        want = spans_by_number(tags[row][there[row]], places[row][there[row]], known)
        assert {(x["start"], x["end"], x["label"]) for x in spans} == want
        for span in spans:
            assert span["text"] == texts[row][span["start"] : span["end"]]
            mean = chances[row, span["start"] : span["end"]].mean()
            assert span["score"] == pytest.approx(mean, rel=1e-5)
    assert sum(map(len, records)) > 50


def test_figures_are_those_of_counting_by_hand():
    true = [{(0, 1, "x"), (2, 3, "y")}, {(0, 2, "x")}, set()]
    found = [{(0, 1, "x"), (2, 3, "x")}, {(0, 2, "x")}, {(4, 5, "z")}]
    figures = measure(true, found)
    assert (figures["precision"], figures["recall"]) == (2 / 4, 2 / 3)
    assert figures["f1"] == pytest.approx(4 / 7)
    assert figures["labels"]["x"] == {
        **{"f1": 0.8, "precision": 2 / 3, "recall": 1.0},
        **{"support": 2, "predicted": 3},
    }
    assert figures["labels"]["y"]["f1"] == figures["labels"]["z"]["precision"] == 0.0
    assert figures["f1_macro"] == pytest.approx(0.8 / 3)
    assert measure([set()], [set()])["f1"] == 0.0


def test_labels_unseen_in_training_are_measured_by_their_names(tmp_path):
    """One model of x; y and z are missed, each in its own line, as seqeval counts them."""
    model = TokenClassifier(build_encoder(tiny.config()), 3, ["O", "B-x", "I-x"])
    rows = ("a B-x, b O, c B-y, d I-y", "e B-z, f O, g B-x", "h B-y, i O")
    text = "\n".join("".join(f"{x.strip()}\n" for x in row.split(",")) for row in rows)
    (tmp_path / "a.conll").write_text(text)
    kinds = {"text": "text", "label": "spans"}
    table = read_table(tmp_path / "a.conll", {x: x for x in kinds}, kinds, like=model)
    table = types.SimpleNamespace(rows=np.arange(3), cells=table.cells)
    given = np.array([[1, 0, -1, -1], [-1, 0, 1, -100], [-1, 0, -100, -100]])
    found = np.array([[1, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]], np.int32)
    places = np.array([2 * np.arange(4), 2 * np.arange(4) + 1]).T[None].repeat(3, axis=0)
    owned = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0]])
    predictions = [(found, owned, places, np.zeros((3, 4), np.float32))]
    figures = model.final_metrics(predictions, [given], [np.arange(3)], table)
    nothing = {"f1": 0.0, "precision": 0.0, "recall": 0.0, "predicted": 0}
    assert figures.pop("labels") == {
        "x": {"f1": 0.8, "precision": 2 / 3, "recall": 1.0, "support": 2, "predicted": 3},
        "y": {**nothing, "support": 2},
        "z": {**nothing, "support": 1},
    }
    wanted = {"f1": 0.5, "precision": 2 / 3, "recall": 2 / 5}
    wanted |= {"f1_macro": 0.8 / 3, "precision_macro": 2 / 9, "recall_macro": 1 / 3}
    assert figures == pytest.approx({"rows": 3, "words": 9, "accuracy": 5 / 9, **wanted})


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A workdir of `bert-tf finetune`: actors are names, in a file of words, with a CRF."""
    folder = tmp_path_factory.mktemp("tagging")
    encoder = build_encoder(tiny.config(num_hidden_layers=1, initializer_range=0.2))
    encoder.save_pretrained(str(folder / "encoder"), tiny.tokenizer(folder / "vocabulary"))
    numbers = np.random.default_rng(5)
    for name, count in (("train", 64), ("dev", 12)):
        lines = []
        for _ in range(count):
            for word in numbers.choice(tiny.WORDS[:12], numbers.integers(2, 30)):
                tag = {"actor": "I-who", "film": "I-what", "story": "I-what"}.get(word, "O")
                lines.append(f"{word}\t{tag}\n")
            lines.append("\n")
        (folder / f"{name}.conll").write_text("".join(lines))
    (folder / "a.yaml").write_text(
        f"task: token_classification\nmodel: {{path: {folder}/encoder, options: {{crf: true}}}}\n"
        f"data: {{train: {folder}/train.conll, validation: {folder}/dev.conll, max_length: 16}}\n"
        "train: {batch_size: 16, epochs: 8, learning_rate: 1.0e-2, evaluate_every: 100}\n"
    )
    assert main(["finetune", f"--config={folder}/a.yaml", f"--workdir={folder}/run"]) == 0
    return folder


def test_it_learns_and_is_measured_by_spans(trained, capsys):
    results = json.loads((trained / "run" / "metrics.json").read_text())["validation"]
    assert results["f1"] > 0.9 and results["accuracy"] > 0.9 and results["rows"] == 12
    assert set(results["labels"]) == {"who", "what"}
    argv = [f"--model={trained}/run/model", f"--data={trained}/dev.conll"]
    assert main(["evaluate", *argv]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["f1"] == results["f1"] and again["loss"] == pytest.approx(
        results["loss"], rel=1e-4
    )
    config = json.loads((trained / "run/model/config.json").read_text())
    assert config["model_type"] == "bert_tf" and config["id2label"]["1"] == "B-what"


@pytest.mark.slow  # the contract asks exports too
def test_model_export_and_files_give_the_same_spans(trained, tmp_path):
    argv = [f"--model={trained}/run/model", f"--output={tmp_path}/export"]
    assert main(["export", *argv]) == 0
    found = {}
    for name in ("run/model", "export"):
        place = trained / name if name == "run/model" else tmp_path / name
        output = tmp_path / f"{name.replace('/', '-')}.jsonl"
        argv = [f"--model={place}", f"--input={trained}/dev.conll", f"--output={output}"]
        assert main(["predict", *argv]) == 0
        found[name] = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    assert len(found["export"]) == 12 and list(found["export"][0]) == ["spans", "text"]
    for one, other in zip(found["run/model"], found["export"], strict=True):
        assert one["text"] == other["text"] and len(one["spans"]) == len(other["spans"])
        for span, same in zip(one["spans"], other["spans"], strict=True):
            assert span["text"] == one["text"][span["start"] : span["end"]]
            assert span.pop("score") == pytest.approx(same.pop("score"), abs=1e-5)
            assert span == same
    # The words of the file are those of its texts here: the answers score as `evaluate` does.
    lines = "".join(json.dumps(row) + "\n" for row in found["export"])
    (tmp_path / "found.jsonl").write_text(lines)
    argv = [f"--model={trained}/run/model", f"--data={tmp_path}/found.jsonl"]
    assert main(["evaluate", *argv, f"--output={tmp_path}/figures.json"]) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["accuracy"] > 0.97  # windows are decoded alone there, texts as a whole here


def test_python_finds_spans_of_any_text(trained):
    texts = ["an actor 😂", "", "the film \0and the ACTÓR", "good story " * 30]
    model, tokenizer = load_with_tokenizer(f"{trained}/run/model")
    answer = answer_with(model, tokenizer)
    found = answer.records(texts)
    assert found[1] == {"spans": []} and len(found[3]["spans"]) == 30
    for text, record in zip(texts, found, strict=True):
        for span in record["spans"]:
            assert span["text"] == text[span["start"] : span["end"]]
            assert 0 < span["score"] <= 1.0001
    assert [x["text"] for x in found[2]["spans"]] == ["film", "ACTÓR"]
    for span, same in zip(answer.spans(texts[:1])[0], found[0]["spans"], strict=True):
        assert span.pop("score") == pytest.approx(same.pop("score"), abs=1e-5)
        assert span == same
    assert answer([""])["start"].shape == (1, 0)


def test_rows_whose_spans_overlap_are_not_learned_from():
    for spans, fault in (
        ([(0, 3, "x"), (2, 4, "y")], "spans that overlap"),
        ([(0, 3, "x"), (3, 4, "y")], None),
        ([], None),
    ):
        assert TokenClassifier.fault({"text": "", "label": Annotation([], None, spans)}) == fault
    assert TokenClassifier.fault({"text": "", "label": Annotation([(0, 1)], ["O"], None)}) is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    (
        ({"num_labels": 1}, "num_labels: 1, wanted a whole number of 2 or more"),
        ({"num_labels": 3, "label_names": ["O", "B-x"]}, "label_names: 2 names for num_labels: 3"),
        ({"label_names": ["O", "O"]}, "label_names: .?O.? twice"),
        ({"crf": "yes"}, "crf: 'yes', wanted true or false"),
    ),
)
def test_arguments_are_checked(arguments, told):
    with pytest.raises(InputError, match=told):
        TokenClassifier(build_encoder(tiny.config()), **arguments)
