"""What a student learns of what goes on inside its teacher, against plain numpy."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf import (
    ConfigError,
    Distillation,
    InputError,
    MobileBertConfig,
    ModernBertConfig,
    SentenceEncoder,
    SequenceClassifier,
    TokenClassifier,
    build_encoder,
)
from bert_tf.compression.distillation import name_for_teacher
from bert_tf.encoders.watching import watch_of, watched
from bert_tf.layers import new_key
from bert_tf.loading.cutting import kept_layers_of_task
from tests import tiny

IDS = np.array([[2, 9, 6, 7, 3, 0], [2, 5, 8, 3, 0, 0], [2, 9, 9, 9, 5, 3]], "int32")
INPUTS = {"input_ids": IDS, "attention_mask": (IDS > 0).astype("int32")}
LABELS, MASK = np.array([0, 1, 1]), IDS > 0
STILL = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.5)
ALL = {"labels": 1, "logits": 1, "hidden": 1, "attentions": 1, "relations": 1, "cosine": 1}
ALL |= {"patient": 1}


def classifier(layers=4, seed=1, kind=SequenceClassifier, **changes):
    keras.utils.set_random_seed(seed)
    return kind(build_encoder(tiny.config(num_hidden_layers=layers, **STILL | changes)))


def losses_of(student, teacher, losses, inputs=INPUTS, labels=LABELS):
    """The terms of a batch, name -> mean; and the model."""
    model = Distillation(student, teacher, losses)
    outputs = model(inputs, training=True, key=new_key(0, 0))
    terms = model.loss_terms(outputs, labels)
    weights = model.loss_weights(labels)
    assert {name: float(x) for name, (_, x) in terms.items()} == {
        name: float(x) for name, x in weights.items()
    }
    return {name: float(total / weight) for name, (total, weight) in terms.items()}, model


def insides(model):
    found = model.encoder(INPUTS, return_intermediates=True)
    states = [np.asarray(x, np.float64) for x in found["hidden_states"]]
    return states, [np.asarray(x, np.float64) for x in found["attentions"]]


def over_rows(each):
    """The mean over tokens, then over rows, of [X, L]."""
    return np.mean([row[there].mean() for row, there in zip(each, MASK, strict=True)])


def test_who_is_its_own_teacher_pays_for_labels_alone():
    model = classifier(2)
    found, _ = losses_of(model, model, ALL | {"patient": {"layers": {1: 1, 2: 2}}})
    assert found.pop("classification") > 0
    assert found == pytest.approx(dict.fromkeys(found, 0.0), abs=1e-5) and len(found) == 6


def test_an_evaluation_tells_what_training_descends():
    student, teacher = classifier(2, seed=2), classifier(4)
    trained, model = losses_of(student, teacher, {"hidden": 1, "logits": 2, "labels": 1})
    terms = model.terms(model(INPUTS), LABELS)
    found = {name: float(total / weight) for name, (total, weight) in terms.items()}
    assert {name: found[name] for name in trained} == pytest.approx(trained, rel=1e-4)
    told = model.figures(found)
    assert told.pop("distillation_loss") == pytest.approx(told["hidden"] + 2 * told["logits"])
    assert set(told) == {"hidden", "logits"} and model.monitors[0] == "accuracy"
    assert Distillation(student, teacher, {"labels": 1}).monitors == student.monitors
    inside = Distillation(student, teacher, {"hidden": 1})
    assert inside.monitors[0] == "distillation_loss" and "accuracy" in inside.monitors
    assert not inside.higher_is_better("distillation_loss") and inside.higher_is_better("accuracy")


def test_states_and_maps_cost_their_distance_over_real_tokens():
    student, teacher = classifier(2, seed=2), classifier(4)
    wanted = {"hidden": 1, "cosine": 1, "patient": 1}
    wanted["attentions"] = {"of": "probabilities", "layers": {1: 3}}
    found, _ = losses_of(student, teacher, wanted)
    (own, own_maps), (theirs, maps) = insides(student), insides(teacher)
    hidden = sum(over_rows(((own[x] - theirs[2 * x]) ** 2).mean(-1)) for x in range(3))
    unit = lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True)  # noqa: E731
    cosine = over_rows(1 - (unit(own[-1]) * unit(theirs[-1])).sum(-1))
    patient = ((unit(own[1][:, 0]) - unit(theirs[2][:, 0])) ** 2).sum(-1).mean()
    pairs = MASK[:, :, None] & MASK[:, None]
    each = ((own_maps[0] - maps[2]) ** 2).mean(axis=1)
    attentions = np.mean([row[there].mean() for row, there in zip(each, pairs, strict=True)])
    want = {"hidden": hidden, "cosine": cosine, "patient": patient, "attentions": attentions}
    assert {x: found[x] for x in want} == pytest.approx(want, rel=1e-3)


def test_relations_are_those_of_the_heads_cut_anew():
    student, teacher = classifier(2, seed=2), classifier(2, hidden_size=32, num_attention_heads=4)
    settings = {"pairs": ["query-key", "value-value"], "heads": 4, "teacher_layer": 1}
    found, _ = losses_of(student, teacher, {"relations": settings})

    def relations(model, layer, one, other):
        states, _ = insides(model)
        attention = model.encoder.blocks[layer - 1].attention
        kernel, bias = (np.asarray(x, np.float64) for x in attention.qkv.weights)
        parts = np.split(states[layer - 1] @ kernel + bias, 3, axis=-1)
        one, other = (parts[x].reshape(3, 6, 4, -1).transpose(0, 2, 1, 3) for x in (one, other))
        scores = one @ other.swapaxes(-1, -2) / np.sqrt(one.shape[-1])
        scores = np.where(MASK[:, None, None], scores, -1e9)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        return shares / shares.sum(-1, keepdims=True) + 1e-30

    want = 0.0
    for pair in ((0, 1), (2, 2)):
        q, p = relations(student, 2, *pair), relations(teacher, 1, *pair)
        want += over_rows((p * np.log(p / q)).sum(-1).mean(axis=1))
    assert found["relations"] == pytest.approx(want, rel=1e-3)


def test_scores_are_those_before_the_softmax():
    student, teacher = classifier(1, seed=2), classifier(1)
    found, _ = losses_of(student, teacher, {"attentions": 1})
    scores = []
    for model in (student, teacher):
        kernel, bias = map(np.asarray, model.encoder.blocks[0].attention.qkv.weights)
        query, key, _ = np.split(insides(model)[0][0] @ kernel + bias, 3, axis=-1)
        query, key = (x.reshape(3, 6, 2, 8).transpose(0, 2, 1, 3) for x in (query, key))
        scores.append(query @ key.swapaxes(-1, -2) / np.sqrt(8))
    each = ((scores[0] - scores[1]) ** 2).mean(axis=1)
    pairs = MASK[:, :, None] & MASK[:, None]
    want = np.mean([row[there].mean() for row, there in zip(each, pairs, strict=True)])
    assert found["attentions"] == pytest.approx(want, rel=1e-3)


def test_an_encoder_is_watched_only_while_somebody_looks():
    one, other = classifier(1), classifier(1)
    with watched(one.encoder) as watch:
        one(INPUTS)
        assert watch_of(one.encoder) is watch and watch_of(other.encoder) is None
    one(INPUTS)
    assert watch_of(one.encoder) is None and len(watch.calls) == 1


def test_another_width_is_projected_and_the_projection_learns():
    student, teacher = classifier(2, hidden_size=8), classifier(4)
    model = Distillation(student, teacher, {"hidden": 1.0, "labels": 0.5})
    projections = model.matches["hidden"].trainable_variables
    assert [tuple(x.shape) for x in projections] == [(8, 16), (16,)] * 2
    known = {id(x) for x in model.trainable_variables}
    assert {id(x) for x in (*student.trainable_variables, *projections)} == known
    with tf.GradientTape() as tape:
        outputs = model(INPUTS, training=True, key=new_key(0, 0))
        total = sum(x for x, _ in model.loss_terms(outputs, LABELS).values())
    gradients = tape.gradient(total, model.trainable_variables)
    assert all(x is not None for x in gradients)
    assert model.factor("classification") == 0.5 and model.factor("hidden") == 1.0


def test_it_trains_the_student_and_leaves_the_teacher(tmp_path):
    student, teacher = classifier(1, seed=2), classifier(2)
    before, old = teacher.get_weights(), student.head.projection.kernel.numpy()
    model = Distillation(student, teacher, {"logits": 1.0})
    model.compile(keras.optimizers.SGD(0.1))
    data = tf.data.Dataset.from_tensors((INPUTS, LABELS, np.array([1.0, 0.0, 1.0], "float32")))
    history = model.fit(data.repeat(3), verbose=0).history
    assert set(history) >= {"loss", "logits", "classification", "accuracy"}
    assert all(map(np.array_equal, before, teacher.get_weights()))
    assert not np.array_equal(old, student.head.projection.kernel)
    model.save_pretrained(str(tmp_path))
    assert len(type(student).__mro__) and (tmp_path / "model.safetensors").exists()


def test_known_answers_stand_in_for_the_teacher():
    student, teacher = classifier(1, seed=2), classifier(2)
    wanted, _ = losses_of(student, teacher, {"logits": {"temperature": 3.0}})
    kept = {"labels": LABELS, "kept": np.asarray(teacher(INPUTS))[:, None]}
    found, _ = losses_of(student, [], {"logits": {"temperature": 3.0}}, labels=kept)
    assert found == pytest.approx(wanted, rel=1e-5)


def test_known_logits_of_tokens_and_known_vectors_stand_in_for_it_too():
    student, teacher = (classifier(x, x, TokenClassifier) for x in (1, 2))
    labels = np.where(MASK, 1, -100)
    (wanted, _) = losses_of(student, teacher, {"logits": 1}, labels=labels)
    longer = np.pad(np.asarray(teacher(INPUTS)), ((0, 0), (0, 4), (0, 0)))[:, None]
    model = Distillation(student, teacher, {"logits": 1}, asks=False)
    outputs = model(INPUTS, training=True, key=new_key(0, 0))
    terms = model.loss_terms(outputs, {"labels": labels, "kept": longer})
    assert outputs["teachers"] == [] and float(terms["logits"][0]) / 3 == pytest.approx(
        wanted["logits"], rel=1e-5
    )
    rows, labels = {name: x[:, None] for name, x in INPUTS.items()}, {"texts": np.ones((3, 1))}
    student, teacher = (
        classifier(2, kind=lambda x: SentenceEncoder(x, objective="simcse"), hidden_size=width)
        for width in (8, 16)
    )
    wanted, model = losses_of(student, teacher, {"vectors": 1}, rows, labels)
    model.asks = False
    outputs = model(rows, training=True, key=new_key(0, 0))
    kept = {"labels": labels, "kept": np.asarray(teacher(rows))[:, None]}
    found = model.loss_terms(outputs, kept)["vectors"]
    assert float(found[0]) / 3 == pytest.approx(wanted["vectors"], rel=1e-5) and wanted["vectors"]


def test_a_teacher_may_have_inputs_of_its_own():
    student, teacher = classifier(1, seed=2), classifier(2)
    model = Distillation(student, teacher, {"logits": 1.0}, own_inputs=[True])
    other = {name_for_teacher(0, name): x[::-1] for name, x in INPUTS.items()}
    outputs = model({**INPUTS, **other}, training=True, key=new_key(0, 0))
    np.testing.assert_allclose(outputs["teachers"][0], np.asarray(teacher(INPUTS))[::-1], atol=1e-5)
    with pytest.raises(InputError, match="none is called teacher_0_..., which a teacher reads"):
        model(INPUTS)


def test_layers_of_the_teacher_are_replaced_more_and_more():
    teacher = classifier(4)
    student = kept_layers_of_task(teacher, [0, 3])

    def answered(start, step):
        model = Distillation(student, teacher, {"labels": 1}, {"start": start, "steps": 10})
        model.compile("sgd")
        model.optimizer.iterations.assign(step)
        drawn = [model(INPUTS, training=True, key=new_key(seed, 0)) for seed in range(8)]
        return {tuple(np.round(np.ravel(x["student"]), 4)) for x in drawn}

    (old,), (new,) = answered(0.0, 0), answered(0.0, 10)
    np.testing.assert_allclose(old, np.ravel(teacher(INPUTS)), atol=1e-4)
    np.testing.assert_allclose(new, np.ravel(student(INPUTS)), atol=1e-4)
    assert len(answered(0.0, 5)) > 2 and answered(1.0, 0) == {new}
    both = Distillation(student, teacher, {"labels": 1}, {"start": 0.5, "steps": 10})
    np.testing.assert_array_equal(both(INPUTS)["student"], student(INPUTS))
    for other, losses, told in (
        (classifier(3), {"labels": 1}, "2 layers of the student and 3 of the teacher do not go"),
        (classifier(4, hidden_size=32), {"labels": 1}, "hidden_size of the student is 16, of the"),
        ([teacher, teacher], {"logits": 1}, "several, wanted one teacher"),
        (teacher, {"hidden": 1}, "other losses than labels and logits"),
    ):
        with pytest.raises(InputError, match=told):
            Distillation(student, other, losses, {"start": 0.5, "steps": 10})


def test_tokens_and_vectors_are_learned_too():
    labels = np.where(MASK, 1, -100)
    student, teacher = (classifier(layers, kind=TokenClassifier) for layers in (1, 2))
    found, _ = losses_of(student, teacher, {"logits": 1, "cosine": 1}, labels=labels)
    assert found["logits"] > 0
    rows = {name: np.stack([x, x[::-1]], axis=1) for name, x in INPUTS.items()}
    labels = {"texts": np.arange(6).reshape(3, 2)}

    def encoder(width):
        return classifier(
            2, kind=lambda x: SentenceEncoder(x, objective="multiple_negatives"), hidden_size=width
        )

    found, model = losses_of(encoder(8), encoder(16), {"vectors": 1}, rows, labels)
    assert found["vectors"] > 0 and model.matches["vectors"].projection is not None
    same = encoder(16)
    losses = {"vectors": {"distance": "squared"}, "hidden": 1}
    found, _ = losses_of(same, same, losses, rows, labels)
    assert found["vectors"] == pytest.approx(0, abs=1e-5) == found["hidden"]


def test_layers_that_are_normed_before_have_relations_too():
    sizes = tiny.sizes(vocab_size=70, hidden_size=16, **STILL)
    models = [SequenceClassifier(build_encoder(ModernBertConfig(**sizes))) for _ in range(2)]
    found, _ = losses_of(models[0], models[0], {"relations": 1})
    assert found["relations"] == pytest.approx(0, abs=1e-6)
    assert losses_of(*models, {"relations": 1})[0]["relations"] > 0


@pytest.mark.parametrize(
    ("losses", "told"),
    [
        ({}, "losses: {}, wanted some of labels, logits"),
        ({"hiden": 1}, "losses: no 'hiden'; did you mean hidden"),
        ({"hidden": {"layer": 1}}, "losses.hidden: no 'layer'; did you mean layers"),
        ({"hidden": 0}, "losses.hidden: weight 0, wanted a number above 0"),
        ({"hidden": {"layers": [1, 2]}}, "losses.hidden: layers [1, 2], wanted a map of the stu"),
        ({"hidden": {"layers": {3: 4}}}, "layers: 3: 4, and the student's layers are 0 to 2"),
        ({"attentions": {"layers": {0: 1}}}, "0: 1, and the student's layers are 1 to 2"),
        ({"attentions": {"layers": {1: 6}}}, "1: 6, and the teacher's layers are 1 to 5"),
        ({"attentions": 1}, "2 of the student and 5 of the teacher do not go together evenly"),
        ({"attentions": {"layers": {1: 2}}}, "num_attention_heads of the student is 2, of the"),
        ({"relations": 1}, "num_attention_heads of the student is 2, of the teacher 4"),
        ({"relations": {"heads": 5}}, "heads 5, wanted a divisor of the student's width, 16"),
        ({"relations": {"pairs": ["key"]}}, "wanted a list of pairs such as query-key and val"),
        ({"relations": {"heads": 4, "layer": 3}}, "layer 3, wanted 1 to 2"),
        ({"cosine": 1}, "hidden_size of the student is 16, of the teacher 32"),
        ({"patient": {"layers": {1: 1}}}, "losses.patient: hidden_size of the student is 16"),
        ({"vectors": 1}, "losses.vectors: a SequenceClassifier answers none"),
        (
            {"logits": {"temperature": 1e300}},
            "temperature 1e+300, wanted a number above 0, at most 10000",
        ),
        ({"logits": {"temperature": True}}, "temperature True, wanted a number above 0"),
        ({"attentions": {"of": "both"}}, "of 'both', wanted one of scores, probabilities"),
    ],
)
def test_what_does_not_fit_is_one_line(losses, told):
    student, teacher = classifier(2), classifier(5, hidden_size=32, num_attention_heads=4)
    with pytest.raises(InputError) as error:
        Distillation(student, teacher, losses)
    assert told in str(error.value) and "\n" not in str(error.value)


def test_teachers_that_cannot_teach_are_refused():
    student, teacher = classifier(1), classifier(2)
    with pytest.raises(InputError, match="layers: 1 of the student, and the last one is left out"):
        Distillation(student, teacher, {"patient": 1})
    assert Distillation(student, teacher, {"patient": {"layers": {1: 2}}}).matches
    with pytest.raises(InputError, match="is a TokenClassifier, wanted a SequenceClassifier"):
        Distillation(student, classifier(1, kind=TokenClassifier), {"logits": 1})
    with pytest.raises(InputError, match=r"its label_names \['bad', 'good'\], wanted those of"):
        Distillation(student, tiny.classifier(), {"logits": 1})
    with pytest.raises(InputError, match="losses.hidden: 2 teachers, wanted one"):
        Distillation(student, [teacher, teacher], {"hidden": 1})
    with pytest.raises(InputError, match="compares token by token, and the teacher has another"):
        Distillation(student, teacher, {"hidden": 1}, own_inputs=[True])
    with pytest.raises(InputError, match="losses.logits: a SentenceEncoder answers none"):
        Distillation(*(classifier(1, kind=SentenceEncoder) for _ in range(2)), {"logits": 1})


def test_logits_of_a_model_with_a_crf_teach_none_without():
    teacher = TokenClassifier(classifier(2).encoder, 3, crf=True)
    student = TokenClassifier(classifier(1).encoder, 3)
    with pytest.raises(InputError, match="losses.logits: logits of a model with a crf are not yet"):
        Distillation(student, teacher, {"logits": 1})
    assert Distillation(student, teacher, {"hidden": 1}).matches
    both = TokenClassifier(classifier(1).encoder, 3, crf=True)
    assert Distillation(both, teacher, {"logits": 1}).teachers == [teacher]


def test_layers_of_another_make_stand_in_no_student_s_place():
    config = ModernBertConfig(
        len(tiny.vocabulary()), 16, num_attention_heads=2, num_hidden_layers=2
    )
    teacher = SequenceClassifier(build_encoder(config))
    with pytest.raises(InputError, match="replacing: the layers of the teacher, a modernbert, are"):
        Distillation(classifier(1), teacher, {"labels": 1}, {"start": 0.5, "steps": 10})


@pytest.mark.parametrize("loss", ["attentions", "relations"])
def test_families_whose_heads_cannot_be_told_are_refused_by_the_loss_s_name(loss):
    sizes = dict(num_attention_heads=2, num_hidden_layers=2, intermediate_size=32)
    config = MobileBertConfig(len(tiny.vocabulary()), 16, embedding_size=8, **sizes)
    config = dataclasses.replace(config, intra_bottleneck_size=8, max_position_embeddings=24)
    teacher = SequenceClassifier(build_encoder(config))
    with pytest.raises(InputError, match=f"losses.{loss}: the teacher is a mobilebert, whose lay"):
        Distillation(classifier(2), teacher, {loss: 1})


def test_batches_in_parts_are_refused_where_labels_tell_rows_from_the_rest_of_their_batch():
    keras.utils.set_random_seed(1)
    student, teacher = (
        SentenceEncoder(classifier(1).encoder, objective="multiple_negatives") for _ in range(2)
    )
    model = Distillation(student, teacher, {"labels": 1, "vectors": 1})
    with pytest.raises(ConfigError, match="accumulate: 2, and losses.labels tells rows apart"):
        model.compile(keras.optimizers.Adam(), accumulate=2)
    model.compile(keras.optimizers.Adam(), accumulate=1)
    Distillation(student, teacher, {"vectors": 1}).compile(keras.optimizers.Adam(), accumulate=2)
