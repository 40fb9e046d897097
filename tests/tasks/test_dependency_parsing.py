"""Dependency parsing: words and their pieces, scores against numpy, trees, figures, bad rows."""

import copy
import json

import numpy as np
import pytest
import tensorflow as tf

from bert_tf import DependencyParser, InputError, SequenceClassifier, build_encoder, cli, pipeline
from bert_tf.errors import ConfigError
from bert_tf.export import Answer, answer_with
from bert_tf.export.text_model import text_settings
from bert_tf.layers import Biaffine
from tests import task_contract, tiny


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("vocabulary"))


@pytest.fixture(scope="module")
def parser(tokenizer):
    """A model of the contract, and its Answer: the graph is made once."""
    model = task_contract.case_of("trees").model
    return model, answer_with(model, tokenizer)


def log_softmax(x):
    x = x - x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def features(texts, tokenizer, max_length=12, **labels):
    cells = {"text": tf.constant(texts), **{k: tf.ragged.constant(v) for k, v in labels.items()}}
    settings = {"max_length": max_length, "padding": "longest"}
    inputs, labels = DependencyParser.features(cells, tokenizer, settings)
    plain = {name: value.numpy().tolist() for name, value in inputs.items()}
    return plain, labels and {name: value.numpy().tolist() for name, value in labels.items()}


def test_a_word_begins_at_its_first_piece_whatever_stands_between_words(tokenizer):
    inputs, labels = features(["good  film\tis badly bad", "", "two\u00a0three end"], tokenizer)
    assert inputs["words"] == [5, 0, 2] and labels is None
    assert inputs["word_starts"][0][:5] == [1, 2, 3, 4, 7]  # badly: bad ##l ##y
    assert inputs["word_starts"][2][:2] == [1, 3]


def test_a_word_without_pieces_has_no_token_and_words_cut_off_have_no_labels(tokenizer):
    text = "good \u200d film is badly bad"
    heads, relations = [[6, 1, 1, 0, 4, 4]], [[0, 1, 2, 3, 4, -1]]
    inputs, labels = features([text], tokenizer, 6, heads=heads, relations=relations)
    assert inputs["words"] == [5] and inputs["word_starts"][0][:5] == [1, 0, 2, 3, 4]
    assert labels["heads"][0][:6] == [-1, 1, 1, 0, 4, -1]
    assert labels["relations"][0][:6] == [-1, 1, 2, 3, 4, -1] and labels["words"] == [6]


def test_the_biaffine_form_is_the_sum_of_its_four_terms():
    layer = Biaffine(3)
    layer.build((None, 4))
    draw = np.random.default_rng(1).normal
    x, y = draw(size=(5, 4)).astype("float32"), draw(size=(5, 4)).astype("float32")
    kernel = layer.kernel.numpy()
    want = np.einsum("xi,irj,xj->xr", x, kernel[:4, :, :4], y)
    want += x @ kernel[:4, :, 4] + y @ kernel[4, :, :4].T + kernel[4, :, 4]
    np.testing.assert_allclose(layer(x, y), want, rtol=1e-5, atol=1e-5)


def test_losses_are_the_cross_entropies_of_words_with_labels():
    case = task_contract.case_of("trees")
    outputs = case.model(case.inputs)
    terms = case.model.loss_terms(outputs, case.labels)
    arcs = log_softmax(outputs["arc_logits"].numpy())
    heads = np.maximum(case.labels["heads"], 0)
    relations = log_softmax(case.model.relation_logits(outputs, heads).numpy())
    wanted = {"arc": (arcs, "heads"), "relation": (relations, "relations")}
    for name, (scores, column) in wanted.items():
        known = np.argwhere(case.labels[column] >= 0)
        total = -sum(scores[b, w, case.labels[column][b, w]] for b, w in known)
        np.testing.assert_allclose(terms[name], (total, len(known)), rtol=1e-5)


def test_answers_are_trees_with_one_root_and_no_head_beyond_the_words(parser):
    _, ask = parser
    texts = ["good film is very very bad", "the end", "", "a story is a very bad story \u200d"]
    answer, records = ask(texts), ask.records(texts)
    for row, (text, words, heads, names) in enumerate(zip(texts, *answer.values(), strict=True)):
        count = len(text.encode().split())
        read = count - text.endswith("\u200d")
        assert words[:count].tolist() == text.split() and not any(words[count:])
        assert (heads[:read] == 0).sum() == min(read, 1) and (heads[read:] == -1).all()
        assert heads.max() <= read and all(names[:read]) and not any(names[read:])
        assert {name: len(values) for name, values in records[row].items()} == dict.fromkeys(
            ("word", "head", "relation"), count
        )
    assert {name: len(values) for name, values in ask([]).items()} == dict.fromkeys(answer, 0)


def test_a_segmenter_cuts_texts_without_spaces_into_words(
    parser, tokenizer, tmp_path, capsys, monkeypatch
):
    pytest.importorskip("jieba")
    model, ask = parser
    folder = str(tmp_path / "model")
    model.save_pretrained(folder, tokenizer)
    text, words = "我们在北京大学 读书。", "我们 在 北京大学 读书 。"
    (want,) = ask.records([words])
    assert want["word"] == words.split()
    # The command and `pipeline` make the very graph that `ask` holds, seconds each.
    monkeypatch.setattr("bert_tf.export.ask.answer_with", lambda *_: copy.copy(ask))
    monkeypatch.setattr("bert_tf.recipes.predict.answer_with", lambda *_, **__: copy.copy(ask))
    assert pipeline(folder, segmenter="jieba")([text]) == [want]
    (tmp_path / "in.txt").write_text(text + "\n", encoding="utf-8")
    argv = ["predict", f"--model={folder}", f"--input={tmp_path / 'in.txt'}", "--segmenter=jieba"]
    assert cli.main(argv) == 0
    assert json.loads(capsys.readouterr().out) == {**want, "text": text}
    with pytest.raises(ConfigError, match="segmenter: 'jeiba', wanted jieba"):
        pipeline(folder, segmenter="jeiba")
    assert cli.main([*argv, "--labels=a,b"]) == 2
    assert "--segmenter is given" in capsys.readouterr().err


def test_who_reads_no_words_has_no_segmenter_and_who_does_says_so(parser, tokenizer, caplog):
    model = SequenceClassifier(build_encoder(tiny.config()))
    settings = text_settings(model, tokenizer)
    with pytest.raises(ConfigError, match="segmenter: a SequenceClassifier reads texts as they"):
        Answer(None, type(model), settings, None).cut_by("jieba")
    trees, ask = parser
    assert text_settings(trees, tokenizer)["words"] == "separated by spaces"
    assert "words" not in settings
    with caplog.at_level("WARNING", "absl"):
        ask.records(["我们在北京大学读书，他们在上海工作。", "我们"])
    assert "words are what stands between spaces; segmenter=jieba" in caplog.text


def test_figures_count_every_word_and_subtypes_apart():
    model = task_contract.case_of("trees").model
    model.label_names = ["nsubj", "nsubj:pass", "root"]
    labels = {
        "heads": np.array([[2, 0, 2, -1, -1]]),
        "relations": np.array([[0, 2, -1, -1, -1]]),  # the third was unknown in training
        "words": np.array([4]),  # the fourth was cut off
    }
    heads, relations = np.array([[2, 0, 2]]), np.array([[1, 2, 0]])
    figures = model.final_metrics([(heads, relations)], [labels])
    assert figures == {"rows": 1, "words": 4, "uas": 0.75, "las": 0.25, "las_universal": 0.5}
    labels["relations"][0, 2] = -3  # nsubj:outer, of which training knew nsubj alone
    figures = model.final_metrics([(heads, relations)], [labels])
    assert (figures["las"], figures["las_universal"]) == (0.25, 0.75)


def fault(heads, text="a b c", relations=("x", "y", "z")):
    return DependencyParser.fault({"text": text, "heads": heads, "relations": list(relations)})


def test_rows_that_are_no_tree_are_named():
    assert fault([2, 0, 2]) is None and fault([0, 0, 1]) is None
    assert fault([2, 1, 0]) == "the heads are no tree"
    with pytest.raises(InputError, match="heads: 2 of them for 3 words"):
        fault([2, 0])
    with pytest.raises(InputError, match="heads: 4 for word 1, wanted 0 or the number of another"):
        fault([4, 0, 1])
    with pytest.raises(InputError, match="heads: 2 for word 2"):
        fault([2, 2, 0])
