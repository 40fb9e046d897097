"""What users of Keras and transformers write first is answered with what to write here."""

import numpy as np
import pytest

from bert_tf import InputError, SequenceClassifier
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
    ],
)
def test_it_says_what_to_write(model, wrong, told):
    with pytest.raises(InputError, match=told):
        wrong(model)


def test_token_ids_are_predicted(model):
    assert model.predict({"input_ids": np.array([[2, 5, 3]])}, verbose=0).shape == (1, 2)
