"""What bert_tf 0.1 wrote opens as it did: the same numbers, labels and answers.

The files beside this one were made by make_old.py and make_old_runs.py with 0.1.0; they are not
made again when the code changes. Only public names and commands are called here.
"""

import functools
import json
import pathlib

import numpy as np
import pytest

import bert_tf
from bert_tf import cli

HERE = pathlib.Path(__file__).parent
MODELS = json.loads((HERE / "models.json").read_text(encoding="utf-8"))
FOLDERS = {folder: name for name, told in MODELS.items() for folder in told["folders"]}
TASKS = [name for name, told in MODELS.items() if not told["class"].endswith("Encoder")]
PREDICTING = [name for name, told in MODELS.items() if "predict" in told]
# What takes longest is tried on a model of each kind in every run, and on all under `make slow`.
PREDICTED_ALWAYS = ("bert-regression-pairs", "bert-masked-lm", "own-bert-single")
SAVED_ALWAYS = ("albert-groups", "bert-labels", "electra-pretraining", "own-albert-pretraining")
# On the processor that made the files the numbers are equal; another one rounds otherwise, by up to
# 5e-6 for what was tried.
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def some(names, always):
    """Cases: those that are always tried, and the others, which are slow."""
    return [pytest.param(x, marks=() if x in always else pytest.mark.slow) for x in names]


def arrays_of(name):
    """Inputs and outputs of a model, as 0.1 computed them: two dicts."""
    arrays = dict(np.load(HERE / "models" / f"{name}.npz"))
    inputs = {key[3:]: value for key, value in arrays.items() if key.startswith("in_")}
    return inputs, {key[4:]: value for key, value in arrays.items() if key.startswith("out_")}


@functools.cache
def opened(folder):
    """The model in a folder, an encoder or a task model as 0.1 had it."""
    is_encoder = MODELS[FOLDERS[folder]]["class"].endswith("Encoder")
    load = bert_tf.load_encoder if is_encoder else bert_tf.load_task
    return load(str(HERE / "models" / folder))


def assert_same_answers(model, name):
    inputs, wanted = arrays_of(name)
    found = model(inputs, training=False)
    found = found if isinstance(found, dict) else {"answer": found}
    # An encoder whose file has no pooler gets one, as it did.
    found = {
        key: np.asarray(found[key]) for key in found if key != "pooled_output" or key in wanted
    }
    assert set(found) == set(wanted)
    for key, value in wanted.items():
        np.testing.assert_allclose(found[key], value, **CLOSE, err_msg=key)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_model_opens_with_the_same_numbers(folder):
    assert_same_answers(opened(folder), FOLDERS[folder])


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_what_it_was(name):
    model, told = opened(name), MODELS[name]
    assert type(model).__name__ == told["class"]
    for key in ("num_labels", "label_names", "problem_type", "sentence_objective", "extra_labels"):
        assert getattr(model, key, None) == told.get(key), key


@pytest.mark.parametrize("name", some(MODELS, SAVED_ALWAYS))
def test_a_model_saved_again_opens_with_the_same_numbers(name, tmp_path):
    model = opened(name)
    model.save_pretrained(str(tmp_path))
    load = bert_tf.load_task if name in TASKS else bert_tf.load_encoder
    assert_same_answers(load(str(tmp_path)), name)


@pytest.mark.parametrize("name", some(PREDICTING, PREDICTED_ALWAYS))
def test_predict_answers_the_same(name, tmp_path):
    told = MODELS[name]["predict"]
    source, target = tmp_path / "asked.jsonl", tmp_path / "answers.jsonl"
    source.write_text("".join(json.dumps(each) + "\n" for each in told["asked"]))
    flags = [f"--model={HERE / 'models' / name}", f"--input={source}", f"--output={target}"]
    assert cli.main(["predict", *flags]) == 0
    answers = [json.loads(line) for line in target.read_text().splitlines()]
    # Later versions say more of a row than 0.1 did.
    answers = [
        {name: answer[name] for name in wanted}
        for answer, wanted in zip(answers, told["answers"], strict=True)
    ]
    assert_like(answers, told["answers"])


def assert_like(found, wanted):
    """Both of the same shape, strings equal, numbers nearly."""
    if isinstance(wanted, dict):
        assert set(found) == set(wanted)
        for key in wanted:
            assert_like(found[key], wanted[key])
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_like(one, other)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=1e-5, abs=1e-6)
    else:
        assert found == wanted
