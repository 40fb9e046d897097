"""SequenceClassifier: its losses against numpy, its heads, and plain Keras around it."""

import keras
import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf import BertConfig, InputError, SequenceClassifier, build_encoder
from bert_tf.data.packing import Packing, pack_rows
from bert_tf.layers import new_key
from tests import tiny

CONFIG = BertConfig(**tiny.sizes(num_hidden_layers=1))
INPUTS = {
    "input_ids": np.array([[2, 5, 6, 7], [2, 8, 3, 0], [2, 9, 9, 3]], "int32"),
    "attention_mask": np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1]], "int32"),
    "token_type_ids": np.array([[0, 0, 1, 1], [0, 0, 0, 0], [0, 1, 1, 1]], "int32"),
}
WEIGHTS = np.array([0.5, 2.0, 0.0])  # float64, as NumPy makes them


def model_of(num_labels=3, **options):
    return oracles.randomize(SequenceClassifier(build_encoder(CONFIG), num_labels, **options))


def sigmoid_losses(logits, labels):
    probs = 1 / (1 + np.exp(-np.asarray(logits, float)))
    return -(labels * np.log(probs) + (1 - labels) * np.log(1 - probs)).mean(axis=1)


# problem type -> (num_labels, labels, losses of rows by numpy)
PROBLEMS = {
    "single_label_classification": (
        3,
        np.array([2, 0, 1], "int32"),
        lambda logits, labels: [
            oracles.cross_entropy(row, label) for row, label in zip(logits, labels, strict=True)
        ],
    ),
    "multi_label_classification": (
        3,
        np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1]], "float32"),
        sigmoid_losses,
    ),
    "regression": (
        1,
        np.array([0.5, -1.0, 3.0], "float32"),
        lambda logits, labels: (np.asarray(logits)[:, 0] - labels) ** 2,
    ),
}


@pytest.fixture(params=PROBLEMS)
def problem(request):
    """A model, labels, and the losses of the rows."""
    num_labels, labels, losses_of = PROBLEMS[request.param]
    model = model_of(num_labels, problem_type=request.param)
    return model, labels, np.array(losses_of(model(INPUTS).numpy(), labels))


def test_loss_is_a_sum_with_its_weight(problem):
    model, labels, losses = problem
    total, weight = model.loss_terms(model(INPUTS), labels)["classification"]
    assert float(total) == pytest.approx(losses.sum(), rel=1e-5) and float(weight) == 3


def test_rows_weigh_as_they_are_told(problem):
    model, labels, losses = problem
    total, weight = model.loss_terms(model(INPUTS), labels, WEIGHTS)["classification"]
    assert float(total) == pytest.approx((losses * WEIGHTS).sum(), rel=1e-5)
    assert float(weight) == 2.5
    assert float(model.loss_weights(labels, WEIGHTS)["classification"]) == 2.5


def test_classes_weigh_in_the_loss_as_they_are_told():
    factors = np.array([0.5, 2.0, 3.0])
    _, labels, losses_of = PROBLEMS["single_label_classification"]
    model = model_of(3)
    model.class_weights = factors.tolist()
    logits = model(INPUTS)
    losses, rows = np.array(losses_of(logits.numpy(), labels)), factors[labels]
    total, weight = model.loss_terms(logits, labels, WEIGHTS)["classification"]
    assert float(total) == pytest.approx((losses * rows * WEIGHTS).sum(), rel=1e-5)
    assert float(weight) == float(model.loss_weights(labels, WEIGHTS)["classification"])
    assert float(weight) == pytest.approx((rows * WEIGHTS).sum())
    assert float(model.metric_terms(logits, labels)["accuracy"][1]) == 3


def test_labels_that_are_there_weigh_as_they_are_told():
    factors = np.array([0.5, 2.0, 3.0])
    _, labels, _ = PROBLEMS["multi_label_classification"]
    model = model_of(3, problem_type="multi_label_classification")
    model.class_weights = factors.tolist()
    logits = model(INPUTS).numpy()
    probs = 1 / (1 + np.exp(-logits.astype(float)))
    each = -(labels * factors * np.log(probs) + (1 - labels) * np.log(1 - probs))
    total, weight = model.loss_terms(logits, labels)["classification"]
    assert float(total) == pytest.approx(each.mean(axis=1).sum(), rel=1e-5) and float(weight) == 3


def test_labels_in_a_column_are_labels(problem):
    model, labels, _ = problem
    logits = model(INPUTS)
    column = labels.reshape(3, -1)
    for terms in (model.loss_terms, model.metric_terms):
        for plain, other in zip(
            terms(logits, labels).values(), terms(logits, column).values(), strict=True
        ):
            np.testing.assert_allclose(plain, other)


def test_terms_of_two_halves_add_up_to_the_whole(problem):
    model, labels, _ = problem
    logits = model(INPUTS)
    whole = model.terms(logits, labels, WEIGHTS)
    first = model.terms(logits[:2], labels[:2], WEIGHTS[:2])
    second = model.terms(logits[2:], labels[2:], WEIGHTS[2:])
    for name, term in whole.items():
        np.testing.assert_allclose(np.add(first[name], second[name]), term, rtol=1e-6)


def test_evaluate_is_the_weighted_mean_over_uneven_batches(problem):
    model, labels, losses = problem
    model.compile()
    data = tf.data.Dataset.from_tensor_slices((INPUTS, labels))
    assert model.evaluate(data.batch(2), verbose=0, return_dict=True)["loss"] == pytest.approx(
        losses.mean(), rel=1e-5
    )
    weighted = tf.data.Dataset.from_tensor_slices((INPUTS, labels, WEIGHTS)).batch(2)
    assert model.evaluate(weighted, verbose=0, return_dict=True)["loss"] == pytest.approx(
        (losses * WEIGHTS).sum() / 2.5, rel=1e-5
    )


@pytest.mark.parametrize(
    ("problem", "form"),
    [
        pytest.param("single_label_classification", "pairs", marks=pytest.mark.slow),
        ("single_label_classification", "weighted dicts"),
        pytest.param("multi_label_classification", "dicts", marks=pytest.mark.slow),
        pytest.param("regression", "weighted", marks=pytest.mark.slow),
    ],
    indirect=["problem"],
)
def test_plain_keras_takes_pairs_and_dicts(problem, form):
    model, labels, losses = problem
    weights = np.ones(3, "float32")
    data = {
        "pairs": (INPUTS, labels),
        "weighted": (INPUTS, labels, weights),
        "dicts": INPUTS | {"labels": labels},
        "weighted dicts": INPUTS | {"labels": labels, "sample_weight": weights},
    }[form]
    data = tf.data.Dataset.from_tensor_slices(data).batch(2)
    np.testing.assert_allclose(model.predict(data, verbose=0), model(INPUTS), atol=1e-5)
    model.compile(keras.optimizers.SGD(0.05))
    before = model.evaluate(data, verbose=0, return_dict=True)
    assert before["loss"] == pytest.approx(losses.mean(), rel=1e-5)
    history = model.fit(data, epochs=12, verbose=0).history
    assert model.evaluate(data, verbose=0, return_dict=True)["loss"] < before["loss"]
    assert {"loss", "gradient_norm"} <= set(history)
    assert ("accuracy" in history) == (model.problem_type != "regression")


def test_accuracy_counts_rows_or_single_decisions():
    model = model_of()
    logits = np.array([[1, 0, 0], [0, 2, 1], [3, 0, 1.0]], "float32")
    right, rows = model.metric_terms(logits, np.array([0, 2, 0]))["accuracy"]
    assert (float(right), float(rows)) == (2, 3)
    several = model_of(problem_type="multi_label_classification")
    labels = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 1]], "float32")
    right, rows = several.metric_terms(logits, labels)["accuracy"]
    assert float(right) / float(rows) == pytest.approx(8 / 9)


@pytest.mark.parametrize("pooling", ["cls", "mean", "max"])
def test_pooling_reads_the_sequence_and_no_pooler(pooling):
    model = model_of(pooling=pooling)
    assert model.encoder.pooler is None
    got = model(INPUTS).numpy()
    for row in range(3):
        real = int(INPUTS["attention_mask"][row].sum())
        tokens = [INPUTS[name][row, :real] for name in ("input_ids", "token_type_ids")]
        last = oracles.bert(model.encoder, tokens[0], types=tokens[1])["hidden_states"][-1]
        vector = last[0] if pooling == "cls" else getattr(last, pooling)(axis=0)
        np.testing.assert_allclose(
            got[row], oracles.linear(model, "head.projection", vector), atol=1e-5
        )


def test_published_head_is_pooled_output_and_a_bare_projection():
    model = model_of()
    want = model.encoder(INPUTS)["pooled_output"].numpy().astype(float)
    np.testing.assert_allclose(
        model(INPUTS), oracles.linear(model, "head.projection", want), atol=1e-5
    )


def test_head_layers_stand_between():
    model = model_of(head_layers=[6, (5, "relu")], pooling="cls")
    assert model.head_layers == [[6, "tanh"], [5, "relu"]]
    x = model.encoder(INPUTS)["sequence_output"].numpy()[:, 0].astype(float)
    x = np.tanh(oracles.linear(model, "head.hidden.0", x))
    x = np.maximum(oracles.linear(model, "head.hidden.1", x), 0)
    np.testing.assert_allclose(
        model(INPUTS), oracles.linear(model, "head.projection", x), atol=1e-5
    )
    assert model_of(head_layers=[]).head_layers == []


@pytest.mark.slow  # the contract takes a step of it
@pytest.mark.parametrize("options", [{}, {"pooling": "mean"}, {"head_layers": [6]}])
def test_every_weight_takes_part_and_learns(options):
    model = model_of(**options)
    before = [weight.numpy() for weight in model.weights]
    model.compile(keras.optimizers.SGD(0.1))
    model.fit(tf.data.Dataset.from_tensors((INPUTS, np.array([0, 1, 2]))), verbose=0)
    for weight, old in zip(model.weights, before, strict=True):
        assert (weight.numpy() != old).any(), weight.path


def test_padding_changes_no_answer():
    for pooling in (None, "mean", "max"):
        model = model_of(pooling=pooling)
        wide = {name: np.pad(values, ((0, 0), (0, 3))) for name, values in INPUTS.items()}
        wide["input_ids"][:, -3:] = 4
        np.testing.assert_allclose(model(wide), model(INPUTS), atol=1e-5)


@pytest.mark.parametrize("pooling", [None, "cls", "mean", "max"])
@pytest.mark.parametrize("kind", PROBLEMS)
def test_packed_examples_have_the_losses_they_have_alone(kind, pooling):
    num_labels, labels, _ = PROBLEMS[kind]
    model = model_of(num_labels, problem_type=kind, pooling=pooling)
    rows = np.array([0, 0, 1])
    packed, packed_labels = pack_rows(
        {name: tf.constant(values) for name, values in INPUTS.items()},
        {"labels": tf.constant(labels)},
        rows,
        2,
        10,
        Packing(3),
    )
    weights = packed.pop("sentence_weights") * [[0.5, 2.0, 7.0], [3.0, 7.0, 7.0]]
    wanted = (
        np.maximum(packed_labels["labels"], 0) if kind != "regression" else packed_labels["labels"]
    )
    answers = model(packed)
    assert answers.shape == (2, 3, num_labels)
    there = answers.numpy()[weights.numpy() > 0]
    np.testing.assert_allclose(there, model(INPUTS), atol=1e-6)
    alone = model.terms(model(INPUTS), labels, np.array([0.5, 2.0, 3.0], "float32"))
    together = model.terms(answers, wanted, weights)
    for name, term in alone.items():
        np.testing.assert_allclose(together[name], term, rtol=1e-5)


def test_dropout_of_the_head_follows_the_key():
    model, key = model_of(), new_key(0, 0)
    first = model(INPUTS, training=True, key=key)
    np.testing.assert_array_equal(first, model(INPUTS, training=True, key=key))
    assert np.abs(first - model(INPUTS, training=True, key=new_key(0, 1))).max() > 1e-3
    np.testing.assert_array_equal(model(INPUTS), model(INPUTS, training=False, key=key))


def test_classifier_dropout_outranks_hidden_dropout():
    config = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    for own, equal in ((None, True), (0.5, False)):
        model = SequenceClassifier(build_encoder(CONFIG, classifier_dropout=own, **config))
        oracles.randomize(model)
        trained = model(INPUTS, training=True, key=new_key(0, 0))
        assert np.array_equal(trained, model(INPUTS)) == equal


@pytest.mark.parametrize(
    "policy", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)]
)
def test_low_precision_answers_and_trains_in_float32_at_the_ends(policy):
    want = model_of()
    keras.config.set_dtype_policy(policy)
    model = SequenceClassifier(build_encoder(CONFIG), 3)
    model.set_weights(want.get_weights())
    assert model(INPUTS).dtype == "float32"
    np.testing.assert_allclose(model(INPUTS), want(INPUTS), atol=0.3)
    model.compile(keras.optimizers.SGD(0.05))
    data = tf.data.Dataset.from_tensors((INPUTS, np.array([0, 1, 2])))
    losses = model.fit(data.repeat(25), epochs=2, verbose=0).history["loss"]
    assert np.isfinite(losses).all() and losses[1] < losses[0]


def test_float16_gradients_are_true_whatever_the_loss_scale():
    keras.config.set_dtype_policy("mixed_float16")
    model = model_of()
    model.compile(keras.optimizers.SGD(0.0))
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    data = tf.data.Dataset.from_tensors((INPUTS, np.array([0, 1, 2])))
    norms = []
    for scale in (None, 2.0**7, 2.0**10):
        if scale:
            model.optimizer.dynamic_scale.assign(scale)
        model.optimizer.inner_optimizer.iterations.assign(0)  # the same dropout again
        norms += model.fit(data, verbose=0).history["gradient_norm"]
    np.testing.assert_allclose(norms, norms[0], rtol=0.02)


@pytest.mark.parametrize(
    "kind", ["run_eagerly", pytest.param("jit_compile", marks=pytest.mark.slow)]
)
def test_eager_and_compiled_steps_are_the_plain_ones(kind):
    weights = []
    for options in ({}, {kind: True}):
        keras.utils.set_random_seed(3)
        model = model_of()
        model.compile(keras.optimizers.SGD(0.1), **options)
        data = tf.data.Dataset.from_tensors((INPUTS, np.array([0, 1, 2])))
        model.fit(data.repeat(2), verbose=0)
        weights.append(model.get_weights())
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(num_labels=0), "num_labels: 0"),
        (dict(num_labels=2.0), "num_labels: 2.0"),
        (dict(num_labels=True), "num_labels: True"),
        (dict(label_names=["a"]), "label_names: 1 names for num_labels: 3"),
        (dict(label_names=["a", "b", "a"]), "label_names: 'a' twice"),
        (dict(problem_type="multi_label"), "problem_type: 'multi_label', wanted one of single"),
        (dict(num_labels=1, problem_type="single_label_classification"), "num_labels: 1"),
        (dict(pooling="first"), "pooling: 'first', wanted one of cls, mean, max"),
        (dict(head_layers=[0]), "head_layers: width 0"),
        (dict(head_layers=[(8, "gelo")]), "head_layers: activation 'gelo'"),
        (dict(head_layers=[(8, ["gelu"])]), "head_layers: activation \\['gelu'\\]"),
        (dict(head_layers=8), "head_layers: 8"),
        (dict(head_layers=["big"]), "head_layers: width 'big'"),
    ],
)
def test_a_bad_argument_is_one_line(options, message):
    with pytest.raises(InputError, match=message) as caught:
        model_of(**options)
    assert "\n" not in str(caught.value)


def test_an_encoder_without_pooler_needs_another_pooling():
    bare = build_encoder(CONFIG).without_pooler()
    with pytest.raises(InputError, match="pooling: .*no pooler"):
        SequenceClassifier(bare)
    assert SequenceClassifier(bare, pooling="mean")(INPUTS).shape == (3, 2)


def test_one_label_is_regression_and_names_are_filled_in():
    assert model_of(1).problem_type == "regression"
    assert model_of(2).label_names == ["LABEL_0", "LABEL_1"]
    assert model_of(2, label_names=("no", "yes")).label_names == ["no", "yes"]


def test_predict_answers_raw_text_as_a_call_does(tmp_path):
    model, tokenizer = tiny.classifier(), tiny.tokenizer(tmp_path / "v")
    batch = tokenizer(["good film", "a very bad story, not good"])
    want = model(batch)
    got = model.predict({name: values.numpy() for name, values in batch.items()}, verbose=0)
    np.testing.assert_allclose(got, want, atol=1e-5)
