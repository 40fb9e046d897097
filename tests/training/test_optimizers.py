"""AdamW: the numbers of Keras and of the papers, no decay where BERT has none, factors."""

import keras
import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf.training.optimizers import LARGE, NO_DECAY, AdamW
from tests import tiny

SHAPES = {"kernel": (4, 3), "table": (5, 2), "bias": (3,), "gamma": (4,), "beta": (4,)}


def variables_of(shapes=SHAPES, seed=0):
    numbers = np.random.default_rng(seed)
    values = {name: numbers.standard_normal(shape) for name, shape in shapes.items()}
    return [keras.Variable(value.astype("float32"), name=name) for name, value in values.items()]


def gradients_of(shapes=SHAPES, steps=8, seed=1):
    numbers = np.random.default_rng(seed)
    shapes = list(shapes.values())
    return [
        [numbers.standard_normal(s).astype("float32") * 10.0 ** (step % 3 - 1) for s in shapes]
        for step in range(steps)
    ]


def run(optimizer, variables, gradients, apply="apply", *options):
    for each in gradients:
        getattr(optimizer, apply)([tf.constant(x) for x in each], variables, *options)
    return [variable.numpy() for variable in variables]


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_the_numbers_of_keras(decay):
    theirs = keras.optimizers.AdamW(0.01, weight_decay=decay)
    theirs.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    want = run(theirs, variables_of(), gradients_of())
    got = run(AdamW(0.01, weight_decay=decay), variables_of(), gradients_of())
    for ours, keras_ in zip(got, want, strict=True):
        np.testing.assert_allclose(ours, keras_, atol=2e-6)


@pytest.mark.parametrize("large", [False, True])
def test_the_numbers_of_the_paper_under_a_schedule(large):
    shapes = {"kernel": (LARGE // 256 + 3, 256)} if large else SHAPES
    rates = [0.01, 0.02, 0.01, 0.0]

    def schedule(step):
        return tf.gather(tf.constant(rates), tf.cast(step, "int32"))

    class Listed(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return schedule(step)

    gradients = gradients_of(shapes, steps=4)
    got = run(AdamW(Listed(), weight_decay=0.1), variables_of(shapes), gradients)
    for place, name in enumerate(shapes):
        start = variables_of(shapes)[place].numpy().astype(float)
        decay = 0.0 if NO_DECAY.search(name) else 0.1
        want = oracles.adamw(start, [np.float64(g[place]) for g in gradients], rates, decay)
        np.testing.assert_allclose(got[place], want, atol=2e-6)


@pytest.mark.parametrize("large", [False, True])
def test_a_factor_on_the_gradient_is_a_scaled_gradient(large):
    shapes = {"kernel": (LARGE,)} if large else SHAPES
    gradients = gradients_of(shapes, steps=3)
    want = run(AdamW(0.01), variables_of(shapes), [[0.25 * x for x in each] for each in gradients])
    got = run(AdamW(0.01), variables_of(shapes), gradients, "apply_scaled", tf.constant(0.25))
    for ours, theirs in zip(got, want, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_rows_of_a_table_move_as_the_whole_table_would():
    numbers = np.random.default_rng(4)
    ends = []
    for whole in (lambda step: True, lambda step: False, lambda step: step == 3):
        (table,) = variables_of({"word_embeddings": (9, 4)})
        optimizer, numbers = AdamW(0.05, weight_decay=0.3), np.random.default_rng(4)
        for step, rows in enumerate(([2, 7], [7, 0], [4], [2, 3], [8, 2], [0])):
            values = tf.constant(numbers.standard_normal((len(rows), 4)), tf.float32)
            gradient = tf.IndexedSlices(values, tf.constant(rows), tf.constant([9, 4]))
            gradient = tf.convert_to_tensor(gradient) if whole(step) else gradient
            optimizer.apply_scaled([gradient], [table], 0.5)
        ends.append([table.numpy(), *(x.numpy() for x in optimizer.variables[2:4])])
        assert optimizer.variables[4].numpy().tolist() == [
            row in (0, 2, 3, 4, 7, 8) or whole(3) for row in range(9)
        ]
    for other in ends[1:]:
        for one, another in zip(ends[0], other, strict=True):
            np.testing.assert_allclose(one, another, atol=5e-6)


@pytest.mark.parametrize(("how", "sum_of"), [("apply_scaled", 1), ("apply", 2)])
def test_sums_over_replicas_are_not_summed_again(how, sum_of):
    strategy = tiny.mirrored(["CPU:0", "CPU:1"])
    with strategy.scope():
        (variable,), optimizer = variables_of({"kernel": (3,)}), AdamW(0.1)
        optimizer.build([variable])

    @tf.function
    def step():
        options = (1.0,) if how == "apply_scaled" else ()
        strategy.run(lambda: getattr(optimizer, how)([tf.ones(3)], [variable], *options))

    step()
    np.testing.assert_allclose(optimizer.first_moments[0], 0.1 * sum_of * np.ones(3), rtol=1e-6)


def test_weights_that_no_bert_recipe_decays_are_not_decayed():
    model = tiny.classifier(layers=2)
    optimizer = AdamW(0.5, weight_decay=0.1)
    before = model.get_weights()
    zeros = [tf.zeros(weight.shape) for weight in model.trainable_variables]
    optimizer.apply(zeros, model.trainable_variables)
    for weight, old in zip(model.weights, before, strict=True):
        kept = weight.path.split("/")[-1] in ("bias", "gamma", "beta", "output_bias")
        np.testing.assert_allclose(weight, old if kept else old * 0.95, rtol=1e-6)
    assert sum(weight.path.endswith("bias") for weight in model.weights) == 10


@pytest.mark.parametrize("large", [False, True])
def test_factor_0_leaves_a_variable_untouched_and_a_half_halves_its_rate(large):
    shape = (LARGE,) if large else (7,)
    shapes = dict.fromkeys(("a", "b", "c"), shape)
    gradients = gradients_of(shapes, steps=3)
    factors = AdamW(0.02, 0.1, rate_factors=lambda step: tf.constant([0.0, 0.5, 1.0]))
    start, got = variables_of(shapes), run(factors, variables_of(shapes), gradients)
    np.testing.assert_array_equal(got[0], start[0])
    for rate, place in ((0.01, 1), (0.02, 2)):
        want = run(AdamW(rate, 0.1), variables_of(shapes), gradients)
        np.testing.assert_allclose(got[place], want[place], atol=1e-6)


def test_factors_are_a_function_of_the_step():
    seen = []

    def factors(step):
        seen.append(int(step))
        return tf.constant([float(int(step) >= 2)])

    shapes = {"kernel": (4,)}
    variables = variables_of(shapes)
    optimizer = AdamW(0.1, rate_factors=factors)
    states = [variables[0].numpy()]
    for each in gradients_of(shapes, steps=4):
        states.append(run(optimizer, variables, [each])[0])
    moved = [bool((a != b).any()) for a, b in zip(states, states[1:], strict=False)]
    assert moved == [False, False, True, True] and set(seen) == {0, 1, 2, 3}


def test_without_bias_correction_it_is_googles():
    gradients = gradients_of(steps=3)
    got = run(AdamW(0.01, 0.1, epsilon=1e-6, bias_correction=False), variables_of(), gradients)
    variable = variables_of()[0].numpy().astype(float)
    first = second = 0.0
    for each in gradients:
        first = 0.9 * first + 0.1 * each[0]
        second = 0.999 * second + 0.001 * np.float64(each[0]) ** 2
        variable = variable - 0.01 * (first / (np.sqrt(second) + 1e-6) + 0.1 * variable)
    np.testing.assert_allclose(got[0], variable, atol=1e-5)


def test_an_optimizer_survives_its_config():
    one = AdamW(0.01, 0.1, beta_1=0.8, beta_2=0.95, epsilon=1e-4)
    other = AdamW.from_config(one.get_config())
    gradients = gradients_of(steps=3)
    for ours, theirs in zip(
        run(one, variables_of(), gradients), run(other, variables_of(), gradients), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
