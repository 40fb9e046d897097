"""Multiple choice: the head in numpy, absent choices, both losses, joined questions, refusals."""

import json

import numpy as np
import pytest
import tensorflow as tf

from bert_tf import BertConfig, ElectraConfig, MultipleChoice, build_encoder, pipeline
from bert_tf.cli import main
from bert_tf.errors import InputError
from bert_tf.layers import LOWEST
from bert_tf.tasks.multiple_choice import _joined
from tests import oracles, tiny

IDS = np.array([[[2, 5, 6, 3], [2, 7, 3, 0], [2, 3, 0, 0]]], "int32")
INPUTS = {"input_ids": IDS, "attention_mask": (IDS > 0).astype("int32")}
LONELY = {**INPUTS, "attention_mask": INPUTS["attention_mask"] * [[[1], [1], [0]]]}


@pytest.fixture(params=(BertConfig, ElectraConfig), ids=("pooled", "dense before the projection"))
def model(request):
    model = MultipleChoice(build_encoder(request.param(**tiny.sizes())))
    oracles.randomize(model)
    return model


def test_every_choice_is_scored_as_a_row_alone(model):
    want = [
        float(model({name: x[:, c : c + 1] for name, x in INPUTS.items()})[0, 0]) for c in (0, 1, 2)
    ]
    np.testing.assert_allclose(model(INPUTS)[0], want, atol=1e-6)
    assert len(set(np.round(want, 4))) == 3


def test_a_choice_that_is_padding_counts_nowhere(model):
    scores = model(LONELY).numpy()
    assert scores[0, 2] == LOWEST
    np.testing.assert_array_equal(scores[:, :2], model(INPUTS)[:, :2])
    two = {name: x[:, :2] for name, x in INPUTS.items()}
    for ranking in (None, "pointwise"):
        model.ranking = ranking
        losses = [
            float(model.loss_terms(model(x), np.array([1]))["choice"][0]) for x in (LONELY, two)
        ]
        assert losses[0] == losses[1]
        cells = {"choices": tf.constant([["a", "b", ""]])}
        answer = model.answer(tf.constant(scores), {}, cells, None)
        assert answer["probabilities"][0, 2] == 0
        assert (
            len(model.record({name: x[0].numpy() for name, x in answer.items()})["probabilities"])
            == 2
        )


def test_the_losses_are_those_of_numpy(model):
    scores = np.array([[1.0, -2.0, 0.5], [3.0, 0.0, LOWEST]], "float32")
    labels, weights = np.array([2, 0]), np.array([0.5, 2.0], "float32")
    exps = np.exp(scores)
    want = weights @ -np.log(exps[[0, 1], labels] / exps.sum(axis=1))
    total, weight = model.loss_terms(scores, labels, weights)["choice"]
    np.testing.assert_allclose([total, weight], [want, 2.5], rtol=1e-5)
    model.ranking = "pointwise"
    right = 1 / (1 + np.exp(-np.maximum(scores, -9)))
    each = [-np.log([1 - right[0, 0], 1 - right[0, 1], right[0, 2]]).mean()]
    each += [-np.log([right[1, 0], 1 - right[1, 1]]).mean()]
    total, _ = model.loss_terms(scores, labels, weights)["choice"]
    np.testing.assert_allclose(total, weights @ each, rtol=1e-5)


def test_questions_and_choices_are_joined_as_their_language_is_written():
    questions = ["Who ?", "他们在做什么？", "", "他们", "Who"]
    choices = ["Bob", "工作", "Bob", "Bob", "工作"]
    want = ["Who ? Bob", "他们在做什么？工作", "Bob", "他们 Bob", "Who 工作"]
    assert [x.decode() for x in _joined(*map(tf.constant, (questions, choices))).numpy()] == want


def test_features_are_pairs_of_the_text_and_each_choice(tmp_path):
    tokenizer = tiny.tokenizer(tmp_path / "v")
    cells = {
        "text": tf.constant(["a good film", "the end"]),
        "question": tf.constant(["is", "was"]),
        "choices": tf.ragged.constant([["bad", "good", "very good"], ["two", "one"]]),
        "label": tf.constant([1, 0]),
    }
    settings = {"max_length": 16, "padding": "longest"}
    inputs, labels = MultipleChoice.features(cells, tokenizer, settings)
    want = tokenizer(["a good film"] * 3, ["is bad", "is good", "is very good"], max_length=16)
    for name, values in want.items():
        np.testing.assert_array_equal(inputs[name][0], values)
    assert inputs["attention_mask"].numpy().any(axis=-1).tolist() == [[1, 1, 1], [1, 1, 0]]
    np.testing.assert_array_equal(labels, [1, 0])


@pytest.mark.parametrize(
    "row, message",
    (
        ({"choices": ["", ""], "label": 0}, "line 2: choices are all empty"),
        ({"choices": [], "label": 0}, "line 2: key 'choices' is [], wanted a list of strings"),
        (
            {"choices": ["a", "b"], "label": 2},
            "line 2: label is 2, wanted the number of a choice: 0, 1",
        ),
        (
            {"choices": ["a", ""], "label": 1},
            "line 2: label is 1, wanted the number of a choice: 0",
        ),
        (
            {"choices": ["a", "b"], "label": "A"},
            "line 2: key 'label' is 'A', wanted a whole number",
        ),
        ({"choices": "a", "label": 0}, "line 2: key 'choices' is 'a', wanted a list of strings"),
    ),
)
def test_a_bad_row_is_one_line_that_says_where(tmp_path, caplog, capsys, row, message):
    tiny.save(tmp_path / "model")
    rows = [{"text": "a", "choices": ["a", "b"], "label": 1}, {"text": "a", **row}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(x) + "\n" for x in rows))
    (tmp_path / "a.yaml").write_text(
        f"task: multiple_choice\nmodel: {{path: {tmp_path / 'model'}}}\n"
        f"data: {{train: {tmp_path / 'a.jsonl'}, max_length: 24}}\n"
    )
    flags = [f"--config={tmp_path / 'a.yaml'}", f"--workdir={tmp_path / 'run'}"]
    assert main(["finetune", *flags]) == 1
    said = caplog.text + capsys.readouterr().err
    assert message in said and "Traceback" not in said


@pytest.mark.parametrize("argument", ({"ranking": "pairwise"}, {"pooling": "first"}))
def test_arguments_are_checked(argument):
    with pytest.raises(InputError, match=f"{next(iter(argument))}: .*wanted one of"):
        MultipleChoice(build_encoder(tiny.config()), **argument)


def test_ranking_and_pooling_are_kept_and_only_pooling_makes_the_files_our_own(tmp_path):
    for name, argument in (("a", {"ranking": "pointwise"}), ("b", {"pooling": "mean"})):
        MultipleChoice(build_encoder(tiny.config()), **argument).save_pretrained(tmp_path / name)
    kinds = [json.loads((tmp_path / x / "config.json").read_text())["model_type"] for x in "ab"]
    assert kinds == ["bert", "bert_tf"]


def test_a_row_without_choices_is_refused_and_told_by_its_number(tmp_path):
    model = MultipleChoice(build_encoder(tiny.config(num_hidden_layers=1)))
    model.save_pretrained(tmp_path / "m", tiny.tokenizer(tmp_path / "v"))
    ask = pipeline(str(tmp_path / "m"))
    found = ask(["good", "the end", "a"], [["a", "b"], ["one", "two", "three"], ["bad"]])
    assert [len(x["probabilities"]) for x in found] == [2, 3, 1]
    assert found[2]["answer"] == "bad" and found[2]["probabilities"] == [1.0]
    with pytest.raises(InputError, match="choices are all empty") as caught:
        ask(["good", "the end"], [["a", "b"], ["", ""]])
    assert caught.value.row == 1
