"""What users of Keras and transformers write first is answered with what to write here."""

import numpy as np
import pytest
import tensorflow as tf

from bert_tf import InputError, SequenceClassifier, build_encoder
from bert_tf.tasks.refusals import holds_texts
from tests import tiny


@pytest.fixture(scope="module")
def model():
    return tiny.classifier()


@pytest.mark.parametrize(
    "wrong, told",
    [
        (lambda m: m.compile("sgd", loss="mse"), r"compile\(loss=...\).*added_losses"),
        (lambda m: m.compile("sgd", metrics=["accuracy"]), "the metrics are the task's own"),
        (
            lambda m: m.compile("sgd", los=1),
            r"compile\(los=...\) of SequenceClassifier: .* no such",
        ),
        (lambda m: m.save("x.keras"), r"x.keras: .*model.save_pretrained\(directory, tokenizer\)"),
        (lambda m: SequenceClassifier.from_pretrained("d"), r"write bert_tf.load_task\('d'\)"),
        (lambda m: m.predict(["good"]), r"model.predict\(tokenizer\(texts\)\)"),
        (lambda m: m.predict("good"), "got texts"),
        (lambda m: m.predict([["good"], ["bad"]]), "got texts"),
        (lambda m: m.predict(np.array(["good"])), "got texts"),
        (lambda m: m.predict(np.array(["good"], object)), "got texts"),
        (lambda m: m.predict(tf.constant(["good"])), r"write model.predict\(tokenizer\(texts\)\)"),
        (lambda m: m.predict(rows(["good"])), "got texts"),
        (lambda m: m.predict({"text": tf.constant(["good"])}), "got texts"),
        (lambda m: m(["good"]), r"a call of SequenceClassifier .*; write model\(tokenizer\(texts"),
        (lambda m: m("good"), "got texts"),
        (lambda m: m(tf.constant(["good"]), training=True), "got texts"),
        (
            lambda m: m.fit(["good"], [1]),
            r"model.fit\(tokenizer\(texts\), labels\), or .*read_data",
        ),
        (lambda m: m.fit(rows((["good"], [1]))), "got texts"),
        (lambda m: m.evaluate(tf.constant(["good"]), [1]), "evaluate of SequenceClassifier takes"),
        (lambda m: m.predict_on_batch(["good"]), r"model.predict_on_batch\(tokenizer\(texts\)\)"),
        (lambda m: m.train_on_batch(["good"], [1]), r"model.train_on_batch\(tokenizer\(texts\), l"),
        (lambda m: m.test_on_batch(x=["good"], y=[1]), "test_on_batch of SequenceClassifier takes"),
        (lambda m: m.compile("adam", "mse"), r"compile\(loss=...\).*added_losses"),
        (lambda m: m.compile("adam", None, None, ["acc"]), r"compile\(metrics=...\) of Seq"),
        (lambda m: m.compile("adam", None, None, None, None, 1), r"compile\(argument 6=...\) .*no"),
    ],
)
def test_it_says_what_to_write(model, wrong, told):
    with pytest.raises(InputError, match=told):
        wrong(model)


rows = tf.data.Dataset.from_tensor_slices


def test_token_ids_are_predicted(model):
    """Also beside a column that nobody reads."""
    assert not holds_texts({"input_ids": [[2]], "text": ["good"]}) and not holds_texts([])
    assert model.predict({"input_ids": np.array([[2, 5, 3]])}, verbose=0).shape == (1, 2)


def test_weights_in_half_precision_answer_and_are_not_trained():
    encoder = build_encoder(tiny.config(), dtype="bfloat16")
    model = SequenceClassifier(encoder, 2)
    assert np.isfinite(model(tiny.rows())).all()
    with pytest.raises(InputError, match=r"its weights are bfloat16.*'mixed_bfloat16'"):
        model.compile("adam")
