"""Zero-shot labels by entailment: the shares in numpy, both ways to ask, models that cannot."""

import numpy as np
import pytest

from bert_tf import SentenceEncoder, pipeline
from bert_tf.errors import InputError
from bert_tf.export import Answer, text_settings
from bert_tf.export.zero_shot import ZeroShot
from bert_tf.tasks.entailment import choose
from tests import oracles, tiny

LABELS = ["sport", "film"]


class Asked:
    """An Answer whose logits say how often the label's word stands in the text."""

    columns = ("text", "text_pair")

    def __init__(self, *names):
        self.settings = {"label_names": names}

    def __call__(self, texts, sentences):
        rows = []
        for text, sentence in zip(texts, sentences, strict=True):
            label = sentence.removesuffix(".").split()[-1]
            rows.append([-1.0, 0.0, 3.0 * text.count(label)])
        return {"logits": np.array(rows, "float32")}


NLI = Asked("contradiction", "neutral", "Entailment")
TEXTS = ["a film about a film", "sport", "sport and film", "nothing"]


def test_one_label_is_the_softmax_of_entailment_over_the_labels():
    found = choose(NLI, TEXTS, LABELS)
    assert [x["label"] for x in found[:2]] == ["film", "sport"]
    want = np.exp([0.0, 6.0]) / np.exp([0.0, 6.0]).sum()
    np.testing.assert_allclose(found[0]["probabilities"], want, rtol=1e-6)
    assert found[0]["score"] == max(found[0]["probabilities"])
    assert choose(NLI, [], LABELS) == []


def test_several_labels_are_each_entailment_against_contradiction():
    found = choose(NLI, TEXTS, LABELS, "It is {}.", several=True)
    assert [x["label"] for x in found] == ["sport|film"] * 4  # a 0 is above a -1
    want = 1 / (1 + np.exp([-1.0, -7.0]))
    np.testing.assert_allclose(found[0]["probabilities"], want, rtol=1e-6)
    assert [x["label"] for x in found[0]["labels"]] == ["film", "sport"]
    two = Asked("not_entailment", "x", "entailment")  # no contradiction: its share of all
    shares = choose(two, ["nothing"], LABELS, several=True)[0]["probabilities"]
    np.testing.assert_allclose(shares, 1 / (2 + np.exp(-1.0)), rtol=1e-6)


def test_a_model_without_entailment_or_pairs_is_one_line():
    with pytest.raises(InputError, match="class for entailment, and this one has the labels bad"):
        choose(Asked("bad", "good", "odd"), TEXTS, LABELS)
    single = Asked("entailment", "neutral", "contradiction")
    single.columns = ("text",)
    with pytest.raises(InputError, match="takes single texts"):
        choose(single, TEXTS, LABELS)


def test_a_directory_answers_labels_as_its_logits_say(tmp_path):
    model = tiny.classifier(None, ("neutral", "entailment", "contradiction"))  # as others save it
    oracles.randomize(model)
    tokenizer = tiny.tokenizer(tmp_path / "v")
    model.save_pretrained(str(tmp_path / "m"), tokenizer)
    labels, template = ["good", "bad"], "the film is {}."
    ask = pipeline(str(tmp_path / "m"))
    found = ask(["a good film"], labels=labels, template=template)[0]
    asked = ["the film is good.", "the film is bad."]
    logits = model(tokenizer(["a good film"] * 2, asked, max_length=24)).numpy()
    want = np.exp(logits[:, 1]) / np.exp(logits[:, 1]).sum()
    np.testing.assert_allclose(found["probabilities"], want, atol=1e-5)
    found = ask(["a good film"], labels=labels, template=template, several=True)[0]
    want = 1 / (1 + np.exp(logits[:, 2] - logits[:, 1]))
    np.testing.assert_allclose(found["probabilities"], want, atol=1e-5)
    vectors = SentenceEncoder(model.encoder)
    vectors = Answer(None, SentenceEncoder, text_settings(vectors, tokenizer), None)
    with pytest.raises(InputError, match="several: a SentenceEncoder gives each text one label"):
        ZeroShot(vectors, labels, several=True)
