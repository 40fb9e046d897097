"""The loop: fit's very steps, the best weights, patience, interruption without a trace."""

import functools
import json
import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.config import TrainSection
from bert_tf.errors import InputError
from bert_tf.training import loop
from bert_tf.training.journal import read_journal
from bert_tf.training.loop import BatchSource, Interrupted, train

from .stand_in import batch, batches, line, same_bits

slow = functools.partial(pytest.param, marks=pytest.mark.slow)

STEPS = 12


def adam():
    return line(keras.optimizers.Adam(0.01))


def source_of(batches=batches):
    return BatchSource(batches, lambda step: list(range(4 * step, 4 * step + 4)), epoch_steps=6)


def run(folder, model, scores=None, source=None, higher=True, steps=STEPS, **settings):
    """Trains; the evaluation after step n finds scores[n], else n."""

    def evaluate():
        step = int(model.optimizer.iterations.numpy())
        score = (scores or {}).get(step, step)
        return {"score": float(score() if callable(score) else score), "rows": 4}

    settings = TrainSection(**{"log_every": 2, "evaluate_every": 2, **settings})
    source, monitor = source or source_of(), ("score", higher)
    outcome = train(model, source, steps, str(folder), settings, evaluate, monitor)
    seconds = outcome.pop("seconds")
    assert list(seconds) == ["waiting", "training", "logging", "evaluating", "saving"]
    return outcome


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run from start to end, and its model."""
    folder, model = tmp_path_factory.mktemp("whole"), adam()
    return run(folder, model), model, folder


def test_fit_makes_the_same_steps(whole):
    outcome, model, _ = whole
    fitted = adam()
    fitted.fit(batches(0, STEPS), epochs=1, verbose=0)
    assert outcome == {"best_step": 12, "steps": 12, "skipped": 0, "stopped_early": False}
    assert same_bits(model, fitted)


def test_the_journal_holds_a_line_a_log_step_and_one_an_evaluation(whole):
    lines = read_journal(str(whole[2]))
    assert [line["step"] for line in lines if line["part"] == "train"] == [2, 4, 6, 8, 10, 12]
    evaluations = [line for line in lines if line["part"] == "validation"]
    assert [(line["step"], line["score"]) for line in evaluations] == [
        (step, float(step)) for step in (2, 4, 6, 8, 10, 12)
    ]
    first = lines[0]
    assert first["epoch"] == pytest.approx(2 / 6, abs=1e-4)
    assert {
        "loss",
        "gradient_norm",
        "learning_rate",
        "tokens_per_second",
        "steps_per_second",
        "padding_share",
        "waiting_share",
    } <= set(first)
    assert first["padding_share"] == 0 and first["tokens_per_second"] > 0
    losses = [line["loss"] for line in lines if line["part"] == "train"]
    model, means = adam(), []
    for step in range(STEPS):
        if step % 2 == 0:
            model.reset_metrics()
        logs = model.train_step(tf.nest.map_structure(tf.constant, batch(step)))
        means.append(float(logs["loss"]))
    np.testing.assert_allclose(losses, means[1::2], rtol=1e-5)


def test_tensorboard_events_are_written(whole):
    assert any((whole[2] / "events").iterdir())


@pytest.mark.parametrize("higher", [True, False])
def test_the_best_weights_are_in_the_model_at_the_end(tmp_path, higher):
    best = 0.9 if higher else 0.1
    model, kept = adam(), {}

    def score_at_6():
        kept["weights"] = model.get_weights()
        return best

    scores = dict.fromkeys(range(0, 13, 2), 0.5) | {6: score_at_6}
    outcome = run(tmp_path, model, scores, higher=higher)
    assert outcome["best_step"] == 6 and not outcome["stopped_early"]
    assert all(map(np.array_equal, model.get_weights(), kept["weights"]))


def test_patience_stops_early(tmp_path):
    scores = {2: 0.3, 4: 0.5, 6: 0.5, 8: 0.4, 10: 0.9}
    outcome = run(tmp_path, adam(), scores, patience=2)
    assert outcome == {"best_step": 4, "steps": 8, "skipped": 0, "stopped_early": True}
    # Started once more, it knows that it is over.
    again = adam()
    assert run(tmp_path, again, scores, patience=2) == outcome
    assert [x["step"] for x in read_journal(str(tmp_path)) if x["part"] == "train"] == [2, 4, 6, 8]


def killed_at(step):
    """A BatchSource whose process dies while it reads the batch of a step."""

    def dying(start, stop):
        yield from batches(start, min(step, stop))
        raise RuntimeError("killed")

    def make(start, stop):
        signature = batches(0, 1).element_spec
        return tf.data.Dataset.from_generator(
            lambda: dying(start, stop), output_signature=signature
        )

    return source_of(make)


@pytest.mark.parametrize("step", [slow(1), 5, slow(9)])
def test_a_killed_run_continues_to_the_same_bits(tmp_path, whole, step):
    with pytest.raises(Exception, match="killed"):
        run(tmp_path, adam(), source=killed_at(step), checkpoint_every=3)
    model = adam()
    assert run(tmp_path, model, checkpoint_every=3) == whole[0]
    assert same_bits(model, whole[1])
    ours, theirs = (read_journal(str(folder)) for folder in (tmp_path, whole[2]))
    assert [x["step"] for x in ours] == [x["step"] for x in theirs]
    losses = [[x["loss"] for x in lines if x["part"] == "train"] for lines in (ours, theirs)]
    assert losses[0][-1] == losses[1][-1]


@pytest.mark.parametrize("kind", [signal.SIGTERM, slow(signal.SIGINT), slow(signal.SIGHUP)])
def test_a_signal_saves_and_the_same_command_goes_on(tmp_path, whole, kind):
    if kind == signal.SIGHUP:  # the tests themselves may run under nohup
        signal.signal(kind, signal.SIG_DFL)
    before = signal.getsignal(kind)

    def stop():
        os.kill(os.getpid(), kind)
        return 0.0

    with pytest.raises(Interrupted, match="saved at step 5 of 12; run the same command again"):
        run(tmp_path, adam(), {4: stop}, checkpoint_every=100)
    assert signal.getsignal(kind) is before
    model = adam()
    assert run(tmp_path, model, checkpoint_every=100)["steps"] == 12
    assert same_bits(model, whole[1])


def test_a_finished_run_that_starts_again_trains_nothing(tmp_path):
    first = adam()
    outcome = run(tmp_path, first)
    again = adam()

    def nothing(start, stop):
        assert start == stop == STEPS
        return batches(start, stop)

    assert run(tmp_path, again, source=source_of(nothing)) == outcome
    assert same_bits(first, again)


@pytest.mark.parametrize("step", [9, STEPS])
def test_a_run_whose_best_weights_are_lost_goes_on(tmp_path, whole, step):
    if step < STEPS:
        with pytest.raises(Exception, match="killed"):
            run(tmp_path, adam(), source=killed_at(step), checkpoint_every=2)
    else:
        run(tmp_path, adam(), checkpoint_every=2)
    best = tmp_path / "checkpoints" / f"best-{step // 2 * 2}.index"
    best.write_bytes(b"")
    model = adam()
    assert run(tmp_path, model, checkpoint_every=2) == whole[0]
    assert same_bits(model, whole[1])
    assert not best.exists() or best.stat().st_size


def poisoned(*steps, value=np.nan):
    """A BatchSource whose labels of these steps are not finite."""

    def make(start, stop):
        def poison(number, each):
            inputs, labels = each
            bad = tf.reduce_any(number + start == tf.constant(steps, tf.int64))
            return inputs, tf.where(bad, tf.constant(value, tf.float32), labels)

        return batches(start, stop).enumerate().map(poison)

    return source_of(make)


def test_a_step_that_is_not_finite_is_skipped_and_its_rows_are_named(tmp_path, capsys):
    model = adam()
    outcome = run(tmp_path, model, source=poisoned(4, 7), max_skips=1)
    assert outcome["skipped"] == 2 and outcome["steps"] == 12
    printed = capsys.readouterr().err
    assert "step 5: loss or gradient not finite" in printed and "rows 16, 17, 18, 19" in printed
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_too_many_bad_steps_end_the_run_in_one_line_and_keep_good_weights(tmp_path):
    with pytest.raises(InputError, match="train.max_skips is 2") as caught:
        run(tmp_path, adam(), source=poisoned(*range(5, 12)), max_skips=2, checkpoint_every=1)
    message = str(caught.value)
    assert "\n" not in message and "step 8" in message and "learning_rate" in message
    model = adam()
    assert run(tmp_path, model, checkpoint_every=1)["steps"] == 12
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_a_run_without_any_update_is_an_error_each_time_it_is_asked_for(tmp_path):
    for _ in range(2):
        model = line(max_loss=1e-9)
        with pytest.raises(InputError, match="none of 3 updates was applied") as caught:
            run(tmp_path, model, steps=3, max_loss=1e-9)
        assert "train.max_loss, 1e-09" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("figures", ({"score": np.nan}, {"score": 0.5, "loss": np.nan}))
def test_a_run_whose_evaluations_are_all_not_finite_has_diverged(tmp_path, figures):
    settings = TrainSection(evaluate_every=2, learning_rate=7.0)
    for _ in range(2):
        with pytest.raises(InputError, match="no evaluation up to step 4 has a finite") as caught:
            train(adam(), source_of(), 4, str(tmp_path), settings, lambda: figures, ("score", True))
        assert "learning_rate is 7.0" in str(caught.value) and "\n" not in str(caught.value)


def test_a_metric_nobody_measures_is_one_line(tmp_path):
    settings = TrainSection(evaluate_every=2)
    with pytest.raises(InputError, match="train.best_metric: 'f1', wanted one of score") as caught:
        train(adam(), source_of(), 4, str(tmp_path), settings, lambda: {"score": 0.5}, ("f1", True))
    assert "\n" not in str(caught.value)


def test_a_score_of_nan_is_no_best_and_is_written_as_null(tmp_path):
    outcome = run(tmp_path, adam(), {2: np.nan, 4: 0.5, 6: 0.4, 8: np.nan}, steps=8)
    assert outcome["best_step"] == 4
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    scores = [json.loads(x, parse_constant=pytest.fail) for x in lines]
    assert [x["score"] for x in scores if x["part"] == "validation"] == [None, 0.5, 0.4, None]


def test_the_step_is_traced_once_for_all_shapes_and_steps():
    model = adam()
    model.optimizer.build(model.trainable_variables)
    spec = tf.nest.map_structure(lambda x: tf.TensorSpec([None, *x.shape[1:]], x.dtype), batch(0))
    run = loop.step_function(model, model.distribute_strategy, spec)
    for rows in (4, 4, 3, 5, 4):
        data = tf.nest.map_structure(tf.constant, batch(0, rows=rows))
        outcome = run(data, tf.constant(False))
        assert float(outcome["tokens"]) == 3 * rows and bool(outcome["applied"])
    assert run.experimental_get_tracing_count() == 1
