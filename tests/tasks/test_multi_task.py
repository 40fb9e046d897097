"""Several tasks over one encoder: whose rows count for what, what is learned, what is refused."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf import (
    ConfigError,
    InputError,
    MultiTask,
    SentenceEncoder,
    SequenceClassifier,
    TokenClassifier,
    build_encoder,
    convert,
    load_encoder,
    load_task,
)
from bert_tf.tasks.embedding_losses import IN_BATCH
from bert_tf.tasks.multi_task import part_of
from tests import tiny

IDS = np.array([[2, 5, 6, 7, 3], [2, 8, 9, 3, 0], [2, 5, 5, 6, 3]], "int32")
ROWS = {"input_ids": IDS, "attention_mask": (IDS > 0).astype("int32")}
NONE = {name: x[:0] for name, x in ROWS.items()}
LABELS = {"topic": np.array([1, 0, 1], "int32"), "score": np.array([0.5, -1, 3], "float32")}


def two_tasks(**options):
    keras.utils.set_random_seed(3)
    encoder = build_encoder(tiny.config(num_hidden_layers=1, initializer_range=0.5))
    parts = {
        "topic": SequenceClassifier(encoder, 2, ["a", "b"]),
        "score": SequenceClassifier(encoder, 1, problem_type="regression", pooling="mean"),
    }
    return MultiTask(encoder, parts, **options)


def step(model, inputs, labels, optimizer=None):
    model.compile(optimizer or keras.optimizers.SGD(0.1), clip_norm=None, seed=1)
    return model.train_step(tf.nest.map_structure(tf.constant, (inputs, labels)))


@pytest.mark.parametrize("name, other", [("topic", "score"), ("score", "topic")])
def test_a_batch_of_one_task_moves_what_that_task_alone_would_move(name, other):
    model, alone = two_tasks(), two_tasks().parts[name]
    alone.set_weights(model.parts[name].get_weights())
    before = [x.numpy() for x in model.parts[other].head.weights]
    inputs, labels = {name: ROWS, other: NONE}, {name: LABELS[name], other: LABELS[other][:0]}
    logs = step(model, inputs, labels)
    # The key of the dropout masks has the task folded in.
    alone.step_key = lambda *x: two_tasks_key(model, name, *x)
    want = step(alone, ROWS, LABELS[name])
    for one, same in zip(model.parts[name].weights, alone.weights, strict=True):
        np.testing.assert_allclose(one, same, atol=1e-6)
    for one, same in zip(model.parts[other].head.weights, before, strict=True):
        np.testing.assert_array_equal(one, same)
    np.testing.assert_allclose(float(logs["loss"]), float(want["loss"]), rtol=1e-5)


def two_tasks_key(model, name, *place):
    from bert_tf.layers import fold_in

    return fold_in(model.step_key(*place), model.task_names.index(name))


@pytest.mark.parametrize("objective", IN_BATCH)
def test_a_loss_over_a_batch_is_over_its_own_rows_and_nothing_without_any(objective):
    encoder = build_encoder(tiny.config(num_hidden_layers=1, initializer_range=0.5))
    part = SentenceEncoder(encoder, objective=objective)
    model = MultiTask(encoder, {"near": part, "topic": SequenceClassifier(encoder, 2)})
    texts = 1 if objective in ("simcse", "supervised_contrastive") else 2
    rows = {name: np.stack([x, x[::-1]][:texts], axis=1) for name, x in ROWS.items()}
    labels = {"texts": np.arange(3 * texts).reshape(3, texts)}
    labels |= {"score": np.array([1.0, 0.2, 0.5], "float32"), "category": np.array([0, 1, 0])}
    alone = part.loss_terms(part(rows), labels)["embedding"]
    found = model.loss_terms(model({"near": rows}), {"near": labels})["near_embedding"]
    np.testing.assert_allclose(found, alone, rtol=1e-6)
    # What `mixed_batches` gives in a step of another task: no rows, of any number of texts of one.
    few = 1 if objective == "multiple_negatives" else texts
    none = {name: tf.constant(x[:0, :few]) for name, x in rows.items()}
    nothing = {
        name: tf.constant(x[:0, :few] if x.ndim > 1 else x[:0]) for name, x in labels.items()
    }
    with tf.GradientTape() as tape:
        outputs = model({"near": none, "topic": ROWS}, training=True, key=np.array([1, 2]))
        terms = model.loss_terms(outputs, {"near": nothing, "topic": LABELS["topic"]})
        total = sum(term[0] for term in terms.values())
    assert [float(x) for x in terms["near_embedding"]] == [0, 0]
    gradients = tape.gradient(total, model.encoder.trainable_variables)
    assert all(np.isfinite(tf.convert_to_tensor(x)).all() for x in gradients if x is not None)


def test_rows_that_are_told_apart_are_not_cut_into_micro_batches():
    encoder = build_encoder(tiny.config())
    model = MultiTask(encoder, {"near": SentenceEncoder(encoder, objective="simcse")})
    with pytest.raises(ConfigError, match="accumulate: 2, and the rows of task near are told apa"):
        model.compile(accumulate=2)


def test_the_loss_is_the_sum_of_the_tasks_means_by_their_weights():
    model = two_tasks(task_weights={"score": 3.0})
    both = dict.fromkeys(model.parts, ROWS)
    logs = model.test_step((both, LABELS))
    want = {
        name: float(part.loss_terms(part(ROWS), LABELS[name])["classification"][0]) / 3
        for name, part in model.parts.items()
    }
    assert float(logs["topic_classification"]) == pytest.approx(want["topic"], rel=1e-5)
    assert float(logs["loss"]) == pytest.approx(want["topic"] + 3 * want["score"], rel=1e-5)
    assert model.monitors[:3] == ("average", "loss", "topic_accuracy")
    assert model.higher_is_better("average") and model.higher_is_better("topic_accuracy")
    assert not model.higher_is_better("loss")
    assert not model.higher_is_better("score_mean_squared_error")


def test_fit_evaluate_and_predict_take_dicts_of_tasks():
    model = two_tasks()
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    rows = tf.data.Dataset.from_tensors((dict.fromkeys(model.parts, ROWS), LABELS))
    assert np.isfinite(model.fit(rows, verbose=0).history["loss"]).all()
    assert model({"score": ROWS})["score"].shape == (3, 1)
    assert set(model({"score": ROWS})) == {"score"}


def test_learned_weights_are_those_of_kendall_and_arrive():
    model = two_tasks(learned_weights=True)
    model.uncertainty.assign([0.002, -0.003])
    s = np.array([0.2, -0.3])
    np.testing.assert_allclose(model.log_variances, s, rtol=1e-5)
    outputs = {name: part(ROWS) for name, part in model.parts.items()}
    plain = two_tasks()  # the outputs are given
    want, got = plain.loss_terms(outputs, LABELS), model.loss_terms(outputs, LABELS)
    for place, name in enumerate(want):
        total, weight = (float(x) for x in want[name])
        told = np.exp(-s[place]) * total + s[place] / 2 * weight
        assert float(got[name][0]) == pytest.approx(told, rel=1e-4)
        assert float(got[name][1]) == weight
    # d/ds: -exp(-s) loss + 1/2, as large for the weight as for s itself.
    with tf.GradientTape() as tape:
        total = sum(term[0] / term[1] for term in model.loss_terms(outputs, LABELS).values())
    slope = tape.gradient(total, model.uncertainty.value)
    told = [-np.exp(-s[i]) * float(want[name][0]) / 3 + 0.5 for i, name in enumerate(want)]
    np.testing.assert_allclose(slope, told, rtol=1e-4)


def test_each_task_is_saved_alone_as_an_ordinary_directory(tmp_path):
    model = two_tasks()
    model.parts["topic"].data_settings = {"text": "sentence", "max_length": 16}
    model.save_pretrained(tmp_path / "all")
    back = load_task(tmp_path / "all")
    assert back.parts["topic"].data_settings == {"text": "sentence", "max_length": 16}
    assert back.parts["score"].pooling == "mean" and back.task_names == ("topic", "score")
    convert(str(tmp_path / "all"), str(tmp_path / "topic"), "huggingface", task="topic")
    with pytest.raises(ConfigError, match="task 'topics': wanted one of topic, score; did you"):
        convert(str(tmp_path / "all"), str(tmp_path / "none"), "huggingface", task="topics")
    with pytest.raises(ConfigError, match="the source holds a SequenceClassifier alone"):
        convert(str(tmp_path / "topic"), str(tmp_path / "none"), "huggingface", task="topic")
    config = json.loads((tmp_path / "topic/config.json").read_text())
    assert config["architectures"] == ["BertForSequenceClassification"]
    alone = load_task(tmp_path / "topic")
    np.testing.assert_array_equal(alone(ROWS), model.parts["topic"](ROWS))
    for folder in ("all", "topic"):  # what the next training begins with
        np.testing.assert_array_equal(
            load_encoder(tmp_path / folder)(ROWS)["sequence_output"],
            model.encoder(ROWS)["sequence_output"],
        )


def test_a_pooler_that_no_task_reads_is_left_out():
    encoder = build_encoder(tiny.config())
    model = MultiTask(encoder, {"tags": TokenClassifier(encoder, 2, ["O", "B-x"])})
    assert model.encoder.pooler is None and two_tasks().encoder.pooler is not None


@pytest.mark.parametrize(
    "tasks, told",
    [
        (lambda e: {}, "tasks: {}, wanted one or more by name"),
        (lambda e: {"a b": SequenceClassifier(e)}, "tasks: 'a b': wanted letters"),
        (
            lambda e: {"a": SequenceClassifier(e), "serving_default": SequenceClassifier(e)},
            "tasks: serving_default: is a signature of every export, wanted another name",
        ),
        (
            lambda e: {"a": SequenceClassifier(build_encoder(tiny.config()))},
            "tasks: a: wanted a model over the encoder of all",
        ),
        (
            lambda e: {"a": MultiTask(e, {"b": SequenceClassifier(e)})},
            "tasks: a: a MultiTask has several tasks itself",
        ),
        (lambda e: {"a": {"task": "x", "arguments": {}, "data": {}}}, "tasks: a: task is 'x'"),
        (lambda e: {"a": {"task": 3}}, "tasks: a: task is 3, wanted a str"),
        (
            lambda e: {
                "a": {"task": "token_classification", "arguments": {"labels": 2}, "data": {}}
            },
            "tasks: a: TokenClassifier has no argument 'labels'",
        ),
        (
            lambda e: {
                "a": {"task": "token_classification", "arguments": {}, "data": {"max_length": "9"}}
            },
            "tasks: a: data.max_length: '9', wanted int",
        ),
        (
            lambda e: {"a": SequenceClassifier(e), "a_classification": SequenceClassifier(e)},
            None,
        ),
    ],
)
def test_what_cannot_be_one_of_several_is_one_line(tasks, told):
    encoder = build_encoder(tiny.config())
    if told is None:
        MultiTask(encoder, tasks(encoder))
        return
    with pytest.raises(InputError) as caught:
        MultiTask(encoder, tasks(encoder))
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_weights_and_names_of_tasks_are_checked():
    for weights in ({"scor": 2.0}, {"score": 0}, {"score": "2"}, 3):
        with pytest.raises(InputError, match="task_weights"):
            two_tasks(task_weights=weights)
    model = two_tasks()
    assert part_of(model) is model.parts["topic"] and part_of(model, "score").num_labels == 1
    with pytest.raises(ConfigError, match="task 'scor': wanted one of topic, score; did you mean"):
        part_of(model, "scor")
    with pytest.raises(ConfigError, match="of one task alone"):
        part_of(model.parts["topic"], "topic")
    with pytest.raises(InputError, match="adversarial"):
        model.compile(adversarial=0.5)
