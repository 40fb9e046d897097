"""Every optimizer a configuration can ask for: what it is, on replicas, and across a restart."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.config import TrainSection
from bert_tf.training.adafactor import Adafactor
from bert_tf.training.adagrad import Adagrad
from bert_tf.training.averaging import Averaged
from bert_tf.training.checkpoints import RunningCheckpoint
from bert_tf.training.freezing import freeze
from bert_tf.training.lamb import Lamb
from bert_tf.training.loop import BatchSource, train
from bert_tf.training.optimizer_choice import choose_optimizer, rate_factors
from bert_tf.training.optimizers import AdamW
from tests import tiny

from . import moves

CHOICES = {
    "adamw": {},
    "google_adamw": {"optimizer": "google_adamw", "schedule": "inverse_sqrt"},
    "lamb": {"optimizer": "lamb", "schedule": "cosine", "ema": 0.9},
    "adafactor": {"optimizer": "adafactor", "weight_decay": 0.1},
    "adagrad": {"optimizer": "adagrad", "weight_decay": 0.1, "ema": 0.9},
    "lookahead": {"lookahead": 3},
    "all_at_once": {"optimizer": "lamb", "lookahead": 3, "ema": 0.9, "beta_2": 0.98},
}
# What the last one holds too is tried by itself under `make slow`.
EACH = [
    pytest.param(name, marks=pytest.mark.slow) if name in ("lamb", "lookahead") else name
    for name in CHOICES
]


def chosen(name):
    settings = TrainSection(learning_rate=2e-2, **CHOICES[name])
    return lambda: choose_optimizer(None, settings, 10, 5)


@pytest.mark.parametrize("name", EACH)
def test_two_replicas_move_as_one_device_does(name):
    strategy = tf.distribute.MirroredStrategy(
        ["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice()
    )
    one, two = moves.Mover(chosen(name)), moves.Mover(chosen(name), strategy)
    moves.assert_near(two.move(moves.gradients(10)), one.move(moves.gradients(10)))
    for variable, other in zip(one.optimizer.variables, two.optimizer.variables, strict=True):
        np.testing.assert_allclose(other.numpy(), variable.numpy(), rtol=1e-6, atol=1e-7)
    for variable in (*two.variables, *two.optimizer.variables):
        first, second = (part.numpy() for part in variable.value.values)
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", EACH)
def test_a_restart_in_the_middle_changes_no_bit(name, tmp_path):
    every = moves.gradients(10)
    whole = moves.Mover(chosen(name))
    whole.move(every[:4])
    state = tf.train.Checkpoint(optimizer=whole.optimizer, variables=whole.variables)
    prefix = state.write(str(tmp_path / "state"))
    expected = whole.move(every[4:])
    again = moves.Mover(chosen(name))
    state = tf.train.Checkpoint(optimizer=again.optimizer, variables=again.variables)
    state.read(prefix).assert_consumed()
    moves.assert_near(again.move(every[4:]), expected, 0)
    pairs = zip(whole.optimizer.variables, again.optimizer.variables, strict=True)
    assert all(np.array_equal(one.numpy(), other.numpy()) for one, other in pairs)


def test_settings_reach_the_optimizer():
    kinds = {"adamw": AdamW, "google_adamw": AdamW, "lamb": Lamb, "adafactor": Adafactor}
    kinds["adagrad"] = Adagrad
    for name, kind in kinds.items():
        optimizer = choose_optimizer(None, TrainSection(optimizer=name, weight_decay=0.3), 10, 5)
        assert type(optimizer) is kind and optimizer.decay == 0.3
    assert (chosen("adamw")().epsilon, chosen("adamw")().bias_correction) == (1e-7, True)
    google = chosen("google_adamw")()
    assert (google.epsilon, google.beta_2, google.bias_correction) == (1e-6, 0.999, False)
    settings = TrainSection(optimizer="google_adamw", epsilon=1e-8, beta_2=0.98)
    google = choose_optimizer(None, settings, 10, 5)
    assert (google.epsilon, google.beta_2) == (1e-8, 0.98)
    outer = chosen("all_at_once")()
    assert [type(x) for x in (outer, outer.inner, outer.inner.inner)] == [Averaged, Averaged, Lamb]
    assert (outer.every, outer.inner.every) == (1, 3)


def test_adafactor_decays_and_scales_as_the_others_do():
    def adafactor(decay, factors=None):
        return moves.Mover(
            lambda: Adafactor(1e-2, decay, factors and (lambda step: tf.constant(factors)))
        ).move(moves.gradients(1))

    begin, plain, decayed = moves.start(), adafactor(0.0), adafactor(0.5)
    # The move is in proportion to the kernel's size, so decay shrinks both alike.
    np.testing.assert_allclose(decayed["kernel"], 0.995 * plain["kernel"], rtol=1e-5)
    for name in ("bias", "gamma"):
        np.testing.assert_array_equal(plain[name], decayed[name])
    scaled = adafactor(0.0, [0.5, 0.0, 2.0])
    for name, factor in (("kernel", 0.5), ("bias", 0.0), ("gamma", 2.0)):
        moved = plain[name] - begin[name]
        np.testing.assert_allclose(scaled[name] - begin[name], factor * moved, rtol=1e-4, atol=1e-7)


def test_layer_decay_is_electras_formula_and_multiplies_gradual_unfreezing():
    model = tiny.classifier(layers=2)
    factors = rate_factors(model, TrainSection(layer_decay=0.8))(0).numpy()
    expected = {"embeddings": 0.8**4, "blocks.0": 0.8**3, "blocks.1": 0.8**2, "pooler": 0.8}
    encoder = model.encoder
    parts = [encoder.embeddings, *encoder.blocks, encoder.pooler]
    depth = {
        id(v): share
        for part, share in zip(parts, expected.values(), strict=True)
        for v in part.variables
    }
    wanted = [depth.get(id(v), 1.0) for v in model.trainable_variables]
    np.testing.assert_allclose(factors, wanted, rtol=1e-6)
    assert set(expected.values()) | {1.0} == set(wanted)
    both = TrainSection(layer_decay=0.8, freeze="gradual", unfreeze_every=10)
    for step, frozen in ((9, {0.8**4, 0.8**3, 0.8**2}), (10, {0.8**4, 0.8**3}), (30, set())):
        np.testing.assert_allclose(
            rate_factors(model, both)(step).numpy(),
            [0.0 if share in frozen else share for share in wanted],
            rtol=1e-6,
        )
    assert rate_factors(model, TrainSection()) is None
    freeze(model, "encoder")
    np.testing.assert_array_equal(rate_factors(model, TrainSection(layer_decay=0.8))(0), 1.0)


def run(workdir, seen, **choice):
    """Six steps of the training loop; what an evaluation finds as weights goes into `seen`."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(3)
    model = tiny.classifier()
    ids = np.random.default_rng(4).integers(5, 20, [36, 8]).astype("int32")
    inputs = {"input_ids": ids, "attention_mask": ids * 0 + 1, "token_type_ids": ids * 0}
    labels = ids[:, 1] % 2
    settings = TrainSection(
        learning_rate=1e-2,
        evaluate_every=6,
        checkpoint_every=2,
        **choice,
    )
    model.compile(choose_optimizer(model, settings, 6, 6), seed=1)
    source = BatchSource(
        batches=lambda start, stop: (
            tf.data.Dataset.from_tensor_slices((inputs, labels)).batch(6).skip(start)
        ),
        rows_of_step=None,
        epoch_steps=6,
    )

    def evaluate():
        seen.append([weight.numpy() for weight in model.trainable_weights])
        return {"loss": 1.0}

    train(model, source, 6, str(workdir), settings, evaluate, ("loss", False))
    return model


def test_a_run_is_evaluated_by_its_averages(tmp_path):
    evaluated = []
    model = run(tmp_path / "whole", evaluated, ema=0.9)
    weights = [weight.numpy() for weight in model.trainable_weights]
    np.testing.assert_equal(weights, evaluated[0])
    np.testing.assert_equal(weights, [x.numpy() for x in model.optimizer.averages])


@pytest.mark.slow
def test_a_stop_of_a_run_with_averages_changes_no_bit(tmp_path, monkeypatch):
    choice = {"layer_decay": 0.9, **CHOICES["all_at_once"]}
    model = run(tmp_path / "whole", [], **choice)
    weights = [weight.numpy() for weight in model.trainable_weights]
    save = RunningCheckpoint.save

    def save_and_die(self, step):
        save(self, step)
        if step == 4:
            raise ZeroDivisionError

    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(RunningCheckpoint, "save", save_and_die)
        run(tmp_path / "stopped", [], **choice)
    again = run(tmp_path / "stopped", [], **choice)
    np.testing.assert_equal([weight.numpy() for weight in again.trainable_weights], weights)
