"""The one train step: one division, one clipping, one update, however the batch is cut."""

import keras
import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf import BertConfig, Pretraining, SequenceClassifier, build_encoder
from bert_tf.training import step
from bert_tf.training.optimizers import AdamW
from tests import tiny

from .stand_in import DATA, LABELS, batch, line, same_bits

CONFIG = BertConfig(
    **tiny.sizes(num_hidden_layers=1, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
)
NUMBERS = np.random.default_rng(1)
INPUTS = {
    "input_ids": NUMBERS.integers(1, 20, (5, 6)).astype("int32"),
    "attention_mask": (np.arange(6) < np.array([[6], [2], [4], [3], [5]])).astype("int32"),
}
PRETRAINING_LABELS = {
    "masked_ids": NUMBERS.integers(0, 20, (5, 3)),
    "masked_weights": np.array([[1, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 0], [1, 0, 0]], "float32"),
    "next_sentence_labels": np.array([0, 1, 1, 0, 1]),
}


def classifier(accumulate, **options):
    return compiled(SequenceClassifier(build_encoder(CONFIG), 3), accumulate, **options)


def pretraining(accumulate, **options):
    return compiled(Pretraining(build_encoder(CONFIG)), accumulate, **options)


def compiled(model, accumulate, rate=1.0, **options):
    numbers = np.random.default_rng(7)
    for weight in model.weights:
        weight.assign(numbers.standard_normal(weight.shape) * 0.4)
    model.compile(keras.optimizers.SGD(rate), accumulate=accumulate, **options)
    return model


POSITIONS = {"masked_positions": np.array([[1, 2, 4]] * 5, "int32")}
WHOLES = {
    "classifier": (classifier, (INPUTS, np.array([0, 2, 1, 1, 0]))),
    "weighted": (classifier, (INPUTS, np.array([0, 2, 1, 1, 0]), np.array([1, 0, 3, 0.5, 1]))),
    "pretraining": (pretraining, (INPUTS | POSITIONS, PRETRAINING_LABELS)),
}


def tensors(data):
    return tf.nest.map_structure(tf.constant, data)


@pytest.mark.parametrize("whole", WHOLES)
@pytest.mark.parametrize("accumulate", [2, 4])  # 5 rows: 3 and 2; 2, 2, 1 and none at all
def test_micro_batches_of_uneven_rows_make_the_step_of_the_whole(whole, accumulate):
    build, data = WHOLES[whole]
    one, parts = build(1), build(accumulate)
    logs = [model.train_step(tensors(data)) for model in (one, parts)]
    for ours, theirs in zip(one.get_weights(), parts.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert logs[0].keys() == logs[1].keys()
    for name, value in logs[0].items():
        assert float(logs[1][name]) == pytest.approx(float(value), rel=1e-5), name


def test_the_step_descends_the_mean_loss_along_its_clipped_gradient():
    inputs, labels = WHOLES["classifier"][1]
    for clip_norm in (None, 0.01, 1e6):
        model = classifier(1, clip_norm=clip_norm)
        before = model.get_weights()
        with tf.GradientTape() as tape:
            terms = model.loss_terms(model(inputs), labels)["classification"]
            loss = terms[0] / terms[1]
        gradients = tape.gradient(loss, [weight.value for weight in model.weights])
        gradients = [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]
        norm = np.sqrt(sum(np.sum(gradient.astype(float) ** 2) for gradient in gradients))
        logs = model.train_step(tensors((inputs, labels)))
        assert float(logs["gradient_norm"]) == pytest.approx(norm, rel=1e-5)
        assert float(logs["loss"]) == pytest.approx(float(loss), rel=1e-6)
        share = 1.0 if clip_norm is None else min(1.0, clip_norm / norm)
        for now, old, gradient in zip(model.get_weights(), before, gradients, strict=True):
            np.testing.assert_allclose(now, old - share * gradient, atol=1e-6)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_few_rows_of_the_word_table_learn_as_all_of_them_would(accumulate, monkeypatch):
    data = tensors((INPUTS, np.array([0, 2, 1, 1, 0])))
    ends = []
    for sparse_gradients in (True, False):
        monkeypatch.setattr(AdamW, "sparse_gradients", sparse_gradients)
        model = classifier(1)
        model.compile(AdamW(0.1, 0.1), accumulate=accumulate)
        logs = [model.train_step(data) for _ in range(3)][-1]
        table = model.encoder.embeddings.word_embeddings.numpy()
        ends.append([table, logs["gradient_norm"].numpy(), logs["loss"].numpy()])
        (touched,) = (x for x in model.optimizer.variables if x.dtype == "bool")
        whole = not sparse_gradients or accumulate > 1
        assert set(np.where(touched)[0]) == set(range(20) if whole else INPUTS["input_ids"].flat)
    for one, other in zip(*ends, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-6)


@pytest.mark.slow  # 12 s of XLA
def test_the_step_compiles_under_xla_and_moves_every_weight():
    data = tf.data.Dataset.from_tensors(tensors((INPUTS, np.array([0, 2, 1, 1, 0]))))
    ends = []
    for jit in (False, True):
        model = classifier(1)
        model.compile(AdamW(0.01, 0.1), jit_compile=jit)
        model.fit(data, verbose=0)
        ends.append(model.encoder.embeddings.word_embeddings.numpy())
    np.testing.assert_allclose(*ends, atol=1e-5)


@pytest.mark.parametrize("rows", [6, pytest.param(5, marks=pytest.mark.slow)])
def test_micro_batches_compile_under_xla_with_dropout(rows):
    """Dropout wants shapes that XLA knows, and the rows are not told to the trace."""
    model = line(accumulate=3, jit_compile=True)
    spec = tf.nest.map_structure(lambda x: tf.TensorSpec([None, *x.shape[1:]], x.dtype), batch(0))
    step = tf.function(model.train_step, [spec], autograph=False, jit_compile=True)
    model.optimizer.build(model.trainable_variables)
    plain = line(accumulate=5 if rows == 5 else 3)
    data = tensors(batch(0, rows=rows))
    assert float(step(data)["loss"]) == pytest.approx(float(plain.train_step(data)["loss"]))
    for one, other in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_row_weights_scale_out_and_rows_of_weight_0_are_not_there():
    inputs, labels = WHOLES["classifier"][1]
    few = {name: values[[0, 2, 4]] for name, values in inputs.items()}
    models = [classifier(1) for _ in range(3)]
    models[0].train_step(tensors((few, labels[[0, 2, 4]])))
    models[1].train_step(tensors((inputs, labels, np.array([7.0, 0, 7, 0, 7]))))
    models[2].train_step(tensors((inputs, labels, np.array([1, 0, 1, 0, 1]))))
    for model in models[1:]:
        for ours, theirs in zip(models[0].get_weights(), model.get_weights(), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_a_loss_factor_scales_the_loss_and_its_gradient():
    logs = [
        line(rate=0.0, factor=factor, clip_norm=None).train_step(tensors(batch(0)))
        for factor in (1.0, 3.0)
    ]
    for name in ("loss", "gradient_norm"):
        assert float(logs[1][name]) == pytest.approx(3 * float(logs[0][name]), rel=1e-5)


def norms(model, steps=3):
    data = tensors(batch(0))
    return [float(model.train_step(data)["gradient_norm"]) for _ in range(steps)]


def test_dropout_follows_seed_update_and_micro_batch():
    still = keras.optimizers.SGD
    first = norms(line(still(0.0)))
    assert len(set(first)) == 3 and first == norms(line(still(0.0)))
    other = line(still(0.0))
    other.compile(still(0.0), seed=6)
    assert not set(first) & set(norms(other))
    # Twice the same rows: were the masks of both micro-batches alike, so were the halves' sums.
    twice = tf.nest.map_structure(lambda x: tf.concat([x, x], 0), tensors(batch(0)))
    cut, whole = line(still(0.0), accumulate=2), line(still(0.0))
    assert float(cut.train_step(twice)["gradient_norm"]) != pytest.approx(
        float(whole.train_step(tensors(batch(0)))["gradient_norm"]), rel=1e-6
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("compiled", [False, True])
def test_an_update_that_is_not_finite_changes_nothing(value, compiled):
    model, twin = line(keras.optimizers.Adam()), line(keras.optimizers.Adam())
    run = tf.function(model.train_step) if compiled else model.train_step
    inputs, labels = batch(0)
    for number in range(3):
        run(tensors(batch(number)))
        twin.train_step(tensors(batch(number)))
        bad = labels.copy()
        bad[2] = value
        logs = run(tensors((inputs, bad)))
        assert float(logs["applied"]) == 0 and np.isfinite(float(logs["loss"]))
    assert int(model.optimizer.iterations.numpy()) == 3
    for ours, theirs in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_an_update_above_max_loss_changes_nothing():
    loss = float(line(rate=0.0).train_step(tensors(batch(0)))["loss"])
    for limit, applied in ((loss * 0.99, 0), (loss * 1.01, 1)):
        model, fresh = line(rate=0.0, max_loss=limit), line(rate=0.0)
        logs = model.train_step(tensors(batch(0)))
        assert float(logs["applied"]) == applied
        assert same_bits(model, fresh) == (not applied)


def test_a_weight_without_part_in_the_loss_is_named():
    model = classifier(1)
    model.pooling = "mean"  # the pooler is there, and nobody reads it
    with pytest.raises(ValueError, match="pooler.* takes no part in the loss"):
        model.train_step(tensors(WHOLES["classifier"][1]))


def test_frozen_weights_stay_and_the_others_learn():
    model = classifier(1)
    model.encoder.trainable = False
    before, head = model.get_weights(), {id(weight) for weight in model.head.weights}
    model.train_step(tensors(WHOLES["classifier"][1]))
    for weight, old in zip(model.weights, before, strict=True):
        assert np.array_equal(weight.numpy(), old) == (id(weight) not in head), weight.path


def test_fit_on_a_linear_task_is_gradient_descent_in_numpy():
    model = line(keras.optimizers.SGD(0.1), rate=0.0, clip_norm=None)
    kernel = oracles.get(model, "encoder.kernel")[:, 0]
    bias = oracles.get(model, "encoder.bias")[0]
    for start in range(0, 64, 16):
        x, y = DATA[start : start + 16].astype(float), LABELS[start : start + 16]
        error = x @ kernel + bias - y
        kernel, bias = kernel - 0.1 * 2 * error @ x / 16, bias - 0.1 * 2 * error.mean()
    data = tf.data.Dataset.from_tensor_slices(({"x": DATA}, LABELS)).batch(16)
    model.fit(data, verbose=0)
    np.testing.assert_allclose(oracles.get(model, "encoder.kernel")[:, 0], kernel, atol=1e-5)
    np.testing.assert_allclose(oracles.get(model, "encoder.bias")[0], bias, atol=1e-5)


def test_fit_traces_the_step_once_whose_optimizer_has_variables_of_its_own(monkeypatch):
    traces, train_step = [], step.train_step
    monkeypatch.setattr(step, "train_step", lambda *x: traces.append(x) or train_step(*x))
    model = line(AdamW(0.1))
    data = tf.data.Dataset.from_tensor_slices(({"x": DATA}, LABELS)).batch(16)
    model.fit(data, verbose=0)
    assert len(traces) == 1 and int(model.optimizer.iterations) == 4
