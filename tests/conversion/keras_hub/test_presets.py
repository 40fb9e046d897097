"""Presets of KerasHub, in and out, against keras_hub itself."""

import json
import logging

import numpy as np
import pytest

from bert_tf import (
    CausalLM,
    SequenceClassifier,
    Tokenizer,
    build_encoder,
    convert,
    encoders,
    load_encoder,
    load_task,
)
from bert_tf.conversion.keras_hub.places import BACKBONES
from bert_tf.errors import InputError
from tests import tiny

keras_hub = pytest.importorskip("keras_hub")

IDS = np.array([[2, 7, 9, 3, 5, 6], [2, 5, 3, 1, 1, 1]], "int32")
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]], "int32")
TYPES = np.array([[0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0]], "int32")
# A tiny one costs a second; what the rest have besides, those two and the rest have in common.
QUICK = ("bert", "roberta")
FAMILIES = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
    for name in BACKBONES
    if name in encoders.FAMILIES
]


def config_of(name, **changes):
    """A config that KerasHub's class can have."""
    kind = BACKBONES[name][1]
    fields = tiny.sizes(hidden_act=kind.hidden_act, layer_norm_eps=kind.layer_norm_eps)
    fields |= dict(kind.fixed) | {"position_buckets": 4}
    if kind.relative:
        fields["pos_att_type"] = ("p2c", "c2p")  # as in published files; the order says nothing
    if name.endswith("roberta"):
        fields |= {"max_position_embeddings": 12, "type_vocab_size": 1}
    if kind.projected:
        fields["embedding_size"] = 4
    known = {field for field in encoders.FAMILIES[name].config.__dataclass_fields__}
    return encoders.FAMILIES[name].config(
        **{key: value for key, value in fields.items() if key in known} | changes
    )


def randomized(model):
    numbers = np.random.default_rng(7)
    for variable in model.weights:
        if "float" in str(variable.dtype):
            variable.assign(0.3 * numbers.standard_normal(variable.shape).astype("float32"))
    return model


def theirs_over(name, task, **options):
    """A tiny task of KerasHub's with random weights."""
    kind, place = BACKBONES[name]
    sizes = dict(num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=12, vocabulary_size=20)
    sizes |= dict(embedding_dim=4) if place.projected else {}
    sizes |= dict(bucket_size=4) if place.relative else {}
    backbone = getattr(keras_hub.models, kind)(max_sequence_length=10, **sizes)
    made = getattr(keras_hub.models, kind.replace("Backbone", task))
    return randomized(made(backbone, **options))


def theirs_of(backbone, name):
    inputs = {"token_ids": IDS, "padding_mask": MASK}
    if BACKBONES[name][1].types:
        inputs["segment_ids"] = TYPES
    out = backbone(inputs)
    return out["sequence_output"] if isinstance(out, dict) else out


def ours_of(encoder, name):
    inputs = {"input_ids": IDS, "attention_mask": MASK}
    if BACKBONES[name][1].types:
        inputs["token_type_ids"] = TYPES
    return encoder(inputs, training=False)


def close(ours, theirs):
    real = MASK > 0
    np.testing.assert_allclose(np.asarray(ours)[real], np.asarray(theirs)[real], atol=2e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_preset_goes_in_and_out_with_keras_hubs_numbers(name, tmp_path):
    kind = getattr(keras_hub.models, BACKBONES[name][0])
    sizes = dict(num_layers=2, num_heads=2, hidden_dim=8, intermediate_dim=12)
    sizes |= {"vocab_size" if name == "electra" else "vocabulary_size": 20}
    sizes |= dict(embedding_dim=4) if BACKBONES[name][1].projected else {}
    sizes |= dict(bucket_size=4) if BACKBONES[name][1].relative else {}
    backbone = randomized(kind(max_sequence_length=10, **sizes))
    backbone.save_to_preset(str(tmp_path / "theirs"))
    encoder = load_encoder(tmp_path / "theirs")
    assert encoder.config.model_type == name
    close(ours_of(encoder, name)["sequence_output"], theirs_of(backbone, name))

    encoder = randomized(build_encoder(config_of(name)))
    encoder.save_pretrained(str(tmp_path / "ours"))
    convert(str(tmp_path / "ours"), str(tmp_path / "out"), "keras_hub")
    again = keras_hub.models.Backbone.from_preset(str(tmp_path / "out"))
    wanted = ours_of(encoder, name)
    close(wanted["sequence_output"], theirs_of(again, name))
    if "pooled_output" in wanted and name == "bert":
        out = again({"token_ids": IDS, "padding_mask": MASK, "segment_ids": TYPES})
        np.testing.assert_allclose(wanted["pooled_output"], out["pooled_output"], atol=2e-5)


CLASSIFIERS = [
    pytest.param(name, marks=() if name == "distilbert" else pytest.mark.slow)
    for name in ("bert", "albert", "roberta", "xlm-roberta", "distilbert", "deberta-v2")
]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_text_classifier_opens_with_its_head(name, tmp_path):
    place = BACKBONES[name]
    theirs = theirs_over(name, "TextClassifier", num_classes=3)
    theirs.save_to_preset(str(tmp_path / "in"))
    inputs = {"token_ids": IDS, "padding_mask": MASK}
    ours = {"input_ids": IDS, "attention_mask": MASK}
    if place[1].types:
        inputs["segment_ids"] = ours["token_type_ids"] = TYPES
    want = np.asarray(theirs(inputs))
    model = load_task(tmp_path / "in")
    assert model.num_labels == 3
    np.testing.assert_allclose(model(ours), want, atol=5e-5)
    np.testing.assert_allclose(
        load_encoder(tmp_path / "in")(ours)["sequence_output"],
        model.encoder(ours)["sequence_output"],
    )
    convert(str(tmp_path / "in"), str(tmp_path / "out"), "huggingface")
    again = json.loads((tmp_path / "out" / "config.json").read_text())["architectures"][0]
    assert again.endswith("ForSequenceClassification")
    np.testing.assert_allclose(load_task(tmp_path / "out")(ours), want, atol=5e-5)
    convert(str(tmp_path / "in"), str(tmp_path / "back"), "keras_hub")
    back = keras_hub.models.TextClassifier.from_preset(str(tmp_path / "back"))
    np.testing.assert_allclose(np.asarray(back(inputs)), want, atol=5e-5)
    (tmp_path / "in" / "task.weights.h5").unlink()
    with pytest.raises(InputError, match="no task.weights.h5 beside it, which holds the head"):
        load_task(tmp_path / "in")


def test_a_preset_in_shards_is_one(tmp_path):
    kind = getattr(keras_hub.models, BACKBONES["bert"][0])
    sizes = dict(num_layers=2, num_heads=2, hidden_dim=8, intermediate_dim=12, vocabulary_size=20)
    backbone = randomized(kind(max_sequence_length=10, **sizes))
    backbone.save_to_preset(str(tmp_path / "in"), max_shard_size=2e3 / 1024**3)
    shards = sorted((tmp_path / "in").glob("model_*.weights.h5"))
    assert len(shards) > 2 and not (tmp_path / "in" / "model.weights.h5").exists()
    close(
        ours_of(load_encoder(tmp_path / "in"), "bert")["sequence_output"],
        theirs_of(backbone, "bert"),
    )
    index = tmp_path / "in" / "model.weights.json"
    whole = json.loads(index.read_text())
    first = next(iter(whole["weight_map"]))
    for file, said in (("../x.h5", "wanted a file name beside it"), ("x.h5", "which is missing")):
        whole["weight_map"][first] = [file]
        index.write_text(json.dumps(whole))
        with pytest.raises(InputError, match=said):
            load_encoder(tmp_path / "in")
    index.write_text('{"weight_map": []}')
    with pytest.raises(InputError, match="wanted `weight_map`, an object of layer to file name"):
        load_encoder(tmp_path / "in")


@pytest.fixture
def preset(tmp_path):
    """A preset that we wrote, with a tokenizer, its folder and the encoder."""
    words = list(dict.fromkeys(tiny.vocabulary()))  # KerasHub takes no entry twice
    encoder = randomized(build_encoder(config_of("bert", vocab_size=len(words))))
    encoder.save_pretrained(str(tmp_path / "model"))
    (tmp_path / "model" / "vocab.txt").write_text("\n".join(words) + "\n")
    convert(str(tmp_path / "model"), str(tmp_path / "preset"), "keras_hub")
    return tmp_path / "preset", encoder


def test_a_preset_and_its_tokenizer_come_back_bit_for_bit(preset, tmp_path):
    folder, encoder = preset
    convert(str(folder), str(tmp_path / "back"), "huggingface")
    for one, other in zip(encoder.weights, load_encoder(tmp_path / "back").weights, strict=True):
        np.testing.assert_array_equal(one, other)
    text = "Good story, not bad!"
    tokenizer = Tokenizer.from_pretrained(tmp_path / "back")
    assert tokenizer.tokenize(text) == ["good", "story", ",", "not", "bad", "!"]
    theirs = keras_hub.models.BertTokenizer.from_preset(str(folder))
    assert [theirs.id_to_token(i) for i in np.asarray(theirs(text))] == tokenizer.tokenize(text)


def change(folder, **fields):
    whole = json.loads((folder / "config.json").read_text())
    whole["config"] |= fields
    (folder / "config.json").write_text(json.dumps(whole))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"num_layers": 3}, "num_hidden_layers"),
        ({"num_layers": 10**9}, "num_hidden_layers: 1000000000, wanted a whole number that"),
        ({"hidden_dim": "8"}, "hidden_size: '8', wanted a whole number"),
        ({"vocabulary_size": 3}, "vocab_size"),
    ],
)
def test_a_config_that_does_not_fit_is_one_line(preset, fields, said):
    change(preset[0], **fields)
    with pytest.raises(InputError, match=said) as caught:
        load_encoder(preset[0])
    assert "\n" not in str(caught.value)


def test_a_class_that_is_not_here_is_looked_up_nowhere(preset):
    whole = json.loads((preset[0] / "config.json").read_text())
    whole |= {"module": "os", "class_name": "system", "registered_name": "os>system"}
    (preset[0] / "config.json").write_text(json.dumps(whole))
    with pytest.raises(InputError, match="'os>system' is no backbone here; there are Bert"):
        load_encoder(preset[0])


def test_what_keras_hub_computes_otherwise_is_refused_or_named(tmp_path, caplog):
    for changes, said in (
        ({"layer_norm_eps": 1e-5}, "layer_norm_eps: 1e-05, KerasHub's bert has only 1e-12"),
        ({"hidden_act": "relu"}, "hidden_act: relu, KerasHub's bert has gelu_new only"),
    ):
        build_encoder(config_of("bert", **changes)).save_pretrained(str(tmp_path / "model"))
        with pytest.raises(InputError, match=said):
            convert(str(tmp_path / "model"), str(tmp_path / "out"), "keras_hub")
    config = config_of("bert", hidden_act="gelu")
    build_encoder(config, pooler=False).save_pretrained(str(tmp_path / "model"))
    with caplog.at_level(logging.WARNING):
        convert(str(tmp_path / "model"), str(tmp_path / "out"), "keras_hub")
    assert "hidden_act gelu becomes gelu_new" in caplog.text and "no pooler" in caplog.text


WORDS = [
    pytest.param(name, marks=() if name == "roberta" else pytest.mark.slow)
    for name in ("bert", "albert", "roberta", "xlm-roberta", "distilbert", "deberta-v2")
]


@pytest.mark.parametrize("name", WORDS)
def test_a_head_for_masked_words_goes_in_and_out(name, tmp_path, caplog):
    place = BACKBONES[name]
    theirs = theirs_over(name, "MaskedLM")
    theirs.save_to_preset(str(tmp_path / "in"))
    positions = np.array([[1, 3], [0, 2]], "int32")
    inputs = {"token_ids": IDS, "padding_mask": MASK, "mask_positions": positions}
    ours = {"input_ids": IDS, "attention_mask": MASK, "masked_positions": positions}
    if place[1].types:
        inputs["segment_ids"] = ours["token_type_ids"] = TYPES
    want = np.asarray(theirs(inputs))
    with caplog.at_level(logging.WARNING):
        model = load_task(tmp_path / "in")
    # What a head of this class has for itself is told where ours cannot have it, and is small.
    alike = name.endswith("roberta")
    assert ("of the head" in caplog.text) != alike
    np.testing.assert_allclose(model(ours), want, atol=5e-5 if alike else 3e-3)
    convert(str(tmp_path / "in"), str(tmp_path / "out"), "keras_hub")
    back = keras_hub.models.MaskedLM.from_preset(str(tmp_path / "out"))
    np.testing.assert_allclose(np.asarray(back(inputs)), want, atol=1e-5)


@pytest.mark.slow
def test_a_gpt2_goes_out_as_a_causal_lm_and_in_again(tmp_path):
    model = randomized(CausalLM(build_encoder(config_of("gpt2"))))
    model.save_pretrained(str(tmp_path / "ours"))
    convert(str(tmp_path / "ours"), str(tmp_path / "out"), "keras_hub")
    theirs = keras_hub.models.CausalLM.from_preset(str(tmp_path / "out"))
    inputs = {"input_ids": IDS, "attention_mask": MASK}
    want = model(inputs)
    close(want, theirs({"token_ids": IDS, "padding_mask": MASK}))
    np.testing.assert_array_equal(load_task(tmp_path / "out")(inputs), want)


def test_a_classifier_goes_out_with_what_makes_ids_of_its_texts(tmp_path, caplog):
    model = tiny.save(tmp_path / "model")
    words = tiny.vocabulary()
    words = [word if word not in words[:row] else f"{word}{row}" for row, word in enumerate(words)]
    (tmp_path / "model" / "vocab.txt").write_text("\n".join(words) + "\n")  # KerasHub: each once
    tokenizer = Tokenizer.from_pretrained(str(tmp_path / "model"))
    with caplog.at_level(logging.WARNING):
        convert(str(tmp_path / "model"), str(tmp_path / "out"), "keras_hub")
    assert "KerasHub's format has no names of labels: " in caplog.text
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "assets", "config.json", "metadata.json", "model.weights.h5", "preprocessor.json",
        "task.json", "task.weights.h5", "tokenizer.json",
    ]  # fmt: skip
    theirs = keras_hub.models.TextClassifier.from_preset(str(tmp_path / "out"))
    texts = ["a good film", "bad"]
    want = model(tokenizer(texts, max_length=24))
    np.testing.assert_allclose(theirs.predict(texts, verbose=0), want, atol=1e-3)


def test_a_head_that_keras_hub_has_not_stays_behind_with_a_warning(tmp_path, caplog):
    encoder = build_encoder(config_of("bert"))
    SequenceClassifier(encoder, 2, pooling="mean").save_pretrained(str(tmp_path / "model"))
    with caplog.at_level(logging.WARNING):
        convert(str(tmp_path / "model"), str(tmp_path / "out"), "keras_hub")
    said = (
        f"{tmp_path / 'model'}: KerasHub's preset of a bert has the encoder alone, no "
        "SequenceClassifier with pooling 'mean'"
    )
    assert said in caplog.text and ".tmp" not in caplog.text
    assert not (tmp_path / "out" / "task.json").exists()


def test_a_task_that_names_no_class_is_refused(tmp_path):
    tiny.save(tmp_path / "model")
    convert(str(tmp_path / "model"), str(tmp_path / "out"), "keras_hub")
    file = tmp_path / "out" / "task.json"
    whole = json.loads(file.read_text())
    for name in (None, ["BertTextClassifier"]):
        file.write_text(json.dumps(whole | {"class_name": name}))
        with pytest.raises(InputError, match="task.json: class_name: .*, wanted the name of a cl"):
            load_encoder(tmp_path / "out")


def test_what_a_preset_cannot_say_of_labels_and_columns_is_told(tmp_path, caplog):
    encoder = build_encoder(config_of("bert"))
    model = SequenceClassifier(encoder, 2, problem_type="multi_label_classification")
    model.data_settings = {"text": "premise", "text_pair": "claim", "label": "label"}
    model.save_pretrained(str(tmp_path / "model"))
    convert(str(tmp_path / "model"), str(tmp_path / "out"), "keras_hub")
    assert "has no problem_type: 'multi_label_classification'" in caplog.text
    assert "has no text_pair: 'claim'" in caplog.text and "names of labels" not in caplog.text
