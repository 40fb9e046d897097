"""Pretraining from text to a model directory: phases, beginnings, and what survives a stop."""

import functools
import json
import os
import signal

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file

from bert_tf import Tokenizer, load_task
from bert_tf import config as configs
from bert_tf.config import Masking, PretrainConfig
from bert_tf.errors import ConfigError, InputError
from bert_tf.pretraining_data.batches import evaluation_batches
from bert_tf.pretraining_data.masking import MaskingVocabulary
from bert_tf.pretraining_data.records.table import RecordTable
from bert_tf.recipes import pretrain as recipe
from bert_tf.recipes.interruption import Interrupted
from bert_tf.recipes.predict import predict
from bert_tf.recipes.pretrain import pretrain
from tests import tiny

from .corpus import config_of, corpus, records, refused

slow = functools.partial(pytest.param, marks=pytest.mark.slow)

NARROW = "model.changes.embedding_size=8"
# What a run is about -> the objective of its records, and its settings.
KINDS = {
    "bert": ("next_sentence", ["model.family=bert"]),
    "roberta": ("none", ["model.family=bert", "noise={insertion: 0.1, deletion: 0.1}"]),
    "packed": ("next_sentence", ["model.family=bert", "phases.1.packing=true"]),
    "three_way": ("sentence_order_3", ["model.family=bert", "masking.unit=span"]),
    "albert": ("sentence_order", ["model.family=albert", NARROW, "masking.unit=ngram"]),
    "electra": (
        "none",
        ["model.family=electra", NARROW, "objective.words=replaced_tokens"]
        + ["model.generator={hidden_size: 8, intermediate_size: 16}"],
    ),
    "causal": (
        "none",
        ["model.family=gpt2", "objective.words=causal_lm", "phases.1.packing=true"],
    ),
    "skip_gram": (
        "none",
        ["model.family=word2vec", "model.changes.num_hidden_layers=0"]
        + ["model.changes.num_attention_heads=0"]
        + ["objective.words=skip_gram", "train.optimizer=adagrad"],
    ),
    "both_ways": (
        "none",
        ["model.family=elmo", "objective.words=bidirectional_lm", "phases.1.packing=true"]
        + ["objective.sampled_words=9", "model.changes.num_attention_heads=0"]
        + ["model.changes={hidden_size: 16, intermediate_size: 12, num_hidden_layers: 1}"],
    ),
    "infilling": (
        "none",
        ["model.family=bert", "objective.words=blank_infilling", "masking.unit=span"]
        + ["model.changes.type_vocab_size=32"],
    ),
    "denoising": (
        "none",
        ["model.family=bert", "objective.words=denoising", "denoising={sentences: true}"]
        + ["model.options={decoder: {model_type: bert}}"],
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A corpus with a part held out, its vocabulary, and records of it, made when asked for."""
    return corpus(tmp_path_factory.mktemp("corpus"))


def weights_of(workdir, part="model"):
    return load_file(workdir / part / "model.safetensors")


def assert_same_bits(one, other):
    ours, theirs = weights_of(one), weights_of(other)
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


@pytest.fixture(scope="module")
def two_phases(folder, tmp_path_factory):
    """A finished run of two phases, the second with longer rows: its workdir and results."""
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    config = config_of(
        folder, "model.family=bert", "phases.2.learning_rate=0.001", lengths=(16, 24)
    )
    return config, workdir, pretrain(config, str(workdir))


def test_a_run_leaves_what_is_promised(two_phases):
    config, workdir, results = two_phases
    assert {path.name for path in workdir.iterdir()} == set(
        "config.yaml data.json metrics.json model phase_1 phase_2".split()
    )
    assert {path.name for path in (workdir / "phase_2").iterdir()} == set(
        "checkpoints curves.png events metrics.json metrics.jsonl".split()
    )
    assert json.loads((workdir / "metrics.json").read_text()) == results
    assert configs.load(PretrainConfig, str(workdir / "config.yaml")) == config
    figures = results["phase_2"]["validation"]
    assert figures["rows"] > 1 and figures["perplexity"] == np.exp(figures["masked_lm"])
    assert {"sentence_accuracy", "masked_lm_accuracy"} <= set(figures)
    assert figures["loss"] == pytest.approx(figures["masked_lm"] + figures["sentence"])


@pytest.mark.slow  # test_predict_words.py asks such a model
def test_the_model_of_a_run_fills_masks_in(two_phases, tmp_path):
    _, workdir, _ = two_phases
    (tmp_path / "in.txt").write_text("the [MASK] is good\n")
    predict(str(workdir / "model"), str(tmp_path / "in.txt"), str(tmp_path / "out.jsonl"))
    (mask,) = json.loads((tmp_path / "out.jsonl").read_text())["masks"]
    assert len(mask) == 5


def test_the_second_phase_goes_on_from_the_weights_of_the_first(two_phases):
    _, workdir, results = two_phases
    lines = [
        json.loads(line)
        for line in (workdir / "phase_2" / "metrics.jsonl").read_text().split("\n")[:-1]
    ]
    # At a tenth of the rate, it begins about where the first one ended, far below log(101).
    after = next(line["masked_lm"] for line in lines if line["part"] == "validation")
    assert abs(after - results["phase_1"]["validation"]["masked_lm"]) < 0.3 and after < 4


def test_a_finished_run_answers_again_and_another_configuration_is_refused(two_phases, folder):
    config, workdir, results = two_phases
    before = {path: path.stat().st_mtime_ns for path in workdir.rglob("*")}
    assert pretrain(config, str(workdir)) == results
    assert {path: path.stat().st_mtime_ns for path in workdir.rglob("*")} == before
    other = config_of(folder, "model.family=bert", "phases.2.learning_rate=0.002", lengths=(16, 24))
    refused(ConfigError, lambda: pretrain(other, str(workdir)), "phases.2.learning_rate (0.001")


def interrupted_at(evaluation, monkeypatch):
    """Makes the n-th evaluation of a run send SIGTERM; the step after it is made and saved."""
    measure, seen = recipe.mean_terms, []

    def interrupt(*arguments):
        seen.append(1)
        if len(seen) == evaluation:
            os.kill(os.getpid(), signal.SIGTERM)
        return measure(*arguments)

    monkeypatch.setattr(recipe, "mean_terms", interrupt)


@pytest.mark.slow  # stops in a phase: training/test_loop.py, old/test_old_runs.py
def test_a_stop_in_the_second_phase_changes_no_bit(two_phases, tmp_path, monkeypatch):
    config, workdir, results = two_phases
    # The first phase, whose last weights are its best, has two evaluations.
    interrupted_at(3, monkeypatch)
    with pytest.raises(Interrupted, match="saved at step 4 of 6"):
        pretrain(config, str(tmp_path))
    monkeypatch.undo()
    first = (tmp_path / "phase_1" / "metrics.json").stat().st_mtime_ns
    again = pretrain(config, str(tmp_path))
    assert (tmp_path / "phase_1" / "metrics.json").stat().st_mtime_ns == first
    assert again["phase_2"]["validation"] == results["phase_2"]["validation"]
    assert_same_bits(tmp_path, workdir)


@pytest.mark.slow
def test_a_stop_between_phases_changes_no_bit(two_phases, tmp_path, monkeypatch):
    config, workdir, _ = two_phases

    def stop(model, feed, steps, folder, *arguments):
        if folder.endswith("phase_2"):
            raise KeyboardInterrupt
        return train(model, feed, steps, folder, *arguments)

    train = recipe.train
    monkeypatch.setattr(recipe, "train", stop)
    with pytest.raises(KeyboardInterrupt):
        pretrain(config, str(tmp_path))
    monkeypatch.undo()
    pretrain(config, str(tmp_path))
    assert_same_bits(tmp_path, workdir)


@pytest.mark.parametrize("kind", [slow(kind) for kind in KINDS])
def test_a_stopped_run_ends_with_the_same_bits_under_every_objective(
    kind, folder, tmp_path, monkeypatch
):
    objective, overrides = KINDS[kind]
    config = config_of(folder, *overrides, objective=objective)
    results = pretrain(config, str(tmp_path / "whole"))
    interrupted_at(1, monkeypatch)
    with pytest.raises(Interrupted, match="saved at step 4 of 6"):
        pretrain(config, str(tmp_path / "run"))
    monkeypatch.undo()
    again = pretrain(config, str(tmp_path / "run"))
    assert again["phase_1"]["validation"] == results["phase_1"]["validation"]
    assert_same_bits(tmp_path / "run", tmp_path / "whole")
    if kind == "electra":
        generator = load_task(tmp_path / "run" / "model" / "generator")
        assert generator.data_settings == {"max_length": 24}
        generators = [weights_of(tmp_path / run, "model/generator") for run in ("run", "whole")]
        for name, values in generators[0].items():
            np.testing.assert_array_equal(values, generators[1][name])
    back = load_task(tmp_path / "run" / "model")
    names = {"roberta": "MaskedLM", "electra": "ElectraPretraining", "causal": "CausalLM"}
    names |= {
        "skip_gram": "SkipGram",
        "both_ways": "BidirectionalLM",
        "infilling": "BlankInfilling",
        "denoising": "Seq2Seq",
    }
    assert type(back).__name__ == names.get(kind, "Pretraining")


@pytest.mark.parametrize(
    "kind, overrides, parts",
    [
        (ConfigError, ["objective.sentences=sentence_order"], ["made for next_sentence"]),
        (
            ConfigError,
            ["model.changes.max_position_embeddings=20"],
            ["phases.1.records", "24", "20"],
        ),
        (ConfigError, ["train.best_metric=acuracy"], ["train.best_metric is acuracy"]),
        (
            ConfigError,
            ["objective.extra_labels={topic: {of: token, num_labels: 4}}"],
            ["extra_labels.topic", "which has none"],
        ),
        (ConfigError, ["phases.1.batch_size=6", "train.accumulate=4"], ["batch_size"]),
        (ConfigError, ["masking.mask_share=0.95", "masking.random_share=0.2"], ["0.95 and 0.2"]),
        (ConfigError, ["noise={deletion: 0.9, replacement: 0.5}"], ["at most 1 together"]),
        (ConfigError, ["train.warmup=7"], ["train.warmup: 7", "6"]),
        (ConfigError, ["model.changes.type_vocab_size=1"], ["phases.1.records", "two segments"]),
        (InputError, ["phases.1.records=absent/*"], ["absent/*", "no file"]),
    ],
)
def test_what_cannot_work_is_one_line_and_the_workdir_stays_free(
    folder, tmp_path, kind, overrides, parts
):
    def run():
        pretrain(config_of(folder, "model.family=bert", *overrides), str(tmp_path / "run"))

    refused(kind, run, *parts)
    assert not (tmp_path / "run").exists()


def test_a_phase_that_diverged_is_not_finished_and_no_model_is_written(folder, tmp_path):
    settings = ["model.family=bert", "phases.1.learning_rate=1e30", "train.steps=2"]
    config = config_of(folder, *settings, "train.warmup=0")
    parts = ["phase_1", "diverged", "up to step 2", "learning_rate is 1e+30"]
    refused(InputError, lambda: pretrain(config, str(tmp_path / "run")), *parts)
    for name in ("metrics.json", "model", "phase_1/metrics.json"):
        assert not (tmp_path / "run" / name).exists()


def test_records_that_do_not_go_together_are_one_line(folder, tmp_path):
    other = records(folder, "dev", max_length=16)
    twice = records(folder, "train", dupe_factor=2)
    order = records(folder, "train", "sentence_order")
    for overrides, parts in (
        ([f"phases.1.validation={other}"], ["phases.1.validation", "another max_length"]),
        (
            [f"phases.1.records={twice}", "phases.1.validation=0.1"],
            ["every text 2 times", "records of other texts"],
        ),
        (
            [f"phases.2={{records: {order}, validation: 0.1}}"],
            ["next_sentence and sentence_order", "one objective"],
        ),
    ):
        config = config_of(folder, "model.family=bert", *overrides)
        refused(ConfigError, lambda config=config: pretrain(config, str(tmp_path / "x")), *parts)


def test_masks_that_the_records_have_are_not_drawn_again(folder, tmp_path):
    masking = Masking(max_predictions=4)
    static = records(folder, "train", masking=masking)
    overrides = ("model.family=bert", f"phases.1.records={static}", "phases.1.validation=0.1")
    config = config_of(folder, *overrides, "masking.unit=word")
    refused(ConfigError, lambda: pretrain(config, str(tmp_path / "x")), "masks of its own")


@pytest.mark.slow  # pretraining_data/test_batches.py: batches of records with masks
def test_records_with_masks_are_trained_on(folder, tmp_path):
    static = records(folder, "train", masking=Masking(max_predictions=4))
    overrides = ("model.family=bert", f"phases.1.records={static}", "phases.1.validation=0.1")
    results = pretrain(config_of(folder, *overrides, steps=1), str(tmp_path / "run"))
    assert results["phase_1"]["steps"] == 1


@pytest.mark.slow
def test_held_out_records_may_have_masks_of_their_own(folder, tmp_path, monkeypatch):
    """So that runs with other masks in training are measured on the very same words."""
    static = records(folder, "dev", masking=Masking(max_predictions=4))
    overrides = (f"phases.1.validation={static}", "model.family=bert", "masking.probability=0.4")
    measured = []

    def measure(model, batches):
        measured.append(list(batches))
        return {"loss": 1.0, "masked_lm": 1.0}

    monkeypatch.setattr(recipe, "mean_terms", measure)
    pretrain(config_of(folder, *overrides, steps=1), str(tmp_path / "run"))
    tokenizer = Tokenizer.from_pretrained(folder / "vocabulary")
    table, vocabulary = RecordTable(static), MaskingVocabulary.of(tokenizer)
    wanted = list(evaluation_batches(table, None, vocabulary, batch_size=8))
    assert len(measured[0]) == len(wanted)
    for one, other in zip(*map(tf.nest.flatten, (measured[0], wanted)), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_replicas_and_micro_batches_end_at_the_weights_of_one_device(folder, tmp_path, monkeypatch):
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    overrides = [
        "model.family=bert",
        f"model.changes={json.dumps(still)}",
        "phases.1.packing=true",
        "train.learning_rate=0.001",
    ]
    pretrain(config_of(folder, *overrides), str(tmp_path / "whole"))
    devices = tf.config.list_logical_devices("CPU")[:2]
    monkeypatch.setattr(
        tf.config, "list_logical_devices", lambda kind=None: [] if kind == "GPU" else devices
    )
    parts = ["distribution.strategy=mirrored", "train.accumulate=2"]
    pretrain(config_of(folder, *overrides, *parts), str(tmp_path / "parts"))
    one, other = weights_of(tmp_path / "whole"), weights_of(tmp_path / "parts")
    for name in one:
        if not name.endswith("attention.self.key.bias"):  # the softmax does not see it
            np.testing.assert_allclose(one[name], other[name], atol=1e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, part, name",
    [
        ("bert", "", "BertForPreTraining"),
        ("roberta", "", "BertForMaskedLM"),
        ("albert", "", "AlbertForPreTraining"),
        ("electra", "", "ElectraForPreTraining"),
        ("electra", "generator", "ElectraForMaskedLM"),
    ],
)
def test_what_is_pretrained_here_opens_in_transformers_with_its_heads(
    kind, part, name, folder, tmp_path
):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    objective, overrides = KINDS[kind]
    pretrain(config_of(folder, *overrides, objective=objective, steps=1), str(tmp_path))
    directory = str(tmp_path / "model" / part)
    theirs, told = getattr(transformers, name).from_pretrained(directory, output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"]
    numbers = np.random.default_rng(0)
    batch = {
        "input_ids": numbers.integers(5, len(tiny.vocabulary()), (2, 9)).astype("int32"),
        "attention_mask": np.array([[1] * 9, [1] * 6 + [0] * 3], "int32"),
    }
    ours = load_task(directory)(batch)
    ours = list(ours.values()) if isinstance(ours, dict) else [ours]
    with torch.no_grad():
        given = {key: torch.tensor(value.astype("int64")) for key, value in batch.items()}
        answers = theirs.eval()(**given).to_tuple()
    assert len(ours) == len(answers)
    for one, other in zip(ours, answers, strict=True):
        one, other = one.numpy(), other.numpy()
        if one.shape[1] == 9:  # what padding is told is nobody's business
            one, other = (x[batch["attention_mask"] > 0] for x in (one, other))
        np.testing.assert_allclose(one, other, atol=2e-6)
