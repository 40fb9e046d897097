"""Folders that do not say what they are: family and head are found by the tensors' names."""

import json
import logging

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bert_tf import build_encoder
from bert_tf.encoders import AlbertConfig, BertConfig, ElectraConfig, TransformerConfig
from bert_tf.errors import InputError
from bert_tf.loading import convert, load_encoder, load_task
from bert_tf.tasks import (
    CausalLM,
    ElectraPretraining,
    MaskedLM,
    Pretraining,
    SequenceClassifier,
)
from tests import tiny

SIZES = tiny.sizes(vocab_size=16)
CONFIGS = {
    "bert": BertConfig(**SIZES),
    "albert": AlbertConfig(**SIZES, embedding_size=6),
    "electra": ElectraConfig(**SIZES, embedding_size=6),
}
TASKS = {
    "bert": (SequenceClassifier, MaskedLM, Pretraining),
    "albert": (SequenceClassifier, MaskedLM, Pretraining),
    "electra": (SequenceClassifier, MaskedLM, ElectraPretraining),
}


def same_weights(first, second):
    pairs = list(zip(first.weights, second.weights, strict=True))
    return all(np.array_equal(a.numpy(), b.numpy()) for a, b in pairs)


def strip(folder, *keys, name="config.json", **changes):
    """The config without some keys, as old files are, under a name."""
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").unlink()
    config = {key: value for key, value in config.items() if key not in keys}
    (folder / name).write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("family", "kind"), [(family, kind) for family, kinds in TASKS.items() for kind in kinds]
)
def test_a_config_without_model_type_and_architectures_is_understood(
    tmp_path, caplog, family, kind
):
    model = kind(build_encoder(CONFIGS[family]))
    model.save_pretrained(str(tmp_path))
    strip(tmp_path, "model_type", "architectures", output_past=True, pruned_heads={})
    with caplog.at_level(logging.WARNING, logger="absl"):
        back = load_task(tmp_path)
    assert type(back) is kind and same_weights(model, back)
    assert back.encoder.config == CONFIGS[family]
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1 and "names no model_type and no architectures" in told[0]
    assert f"{kind.__name__} of family {family}" in told[0]
    alone = load_encoder(tmp_path)
    alone = alone if model.encoder.pooler is not None else alone.without_pooler()
    assert same_weights(alone, model.encoder)


@pytest.mark.parametrize("family", ["bert", "albert"])
def test_an_encoder_without_a_prefix_is_understood(tmp_path, family):
    encoder = build_encoder(CONFIGS[family])
    encoder.save_pretrained(str(tmp_path))
    strip(tmp_path, "model_type", "architectures", name=f"{family}_config.json")
    assert same_weights(load_encoder(tmp_path), encoder)
    with pytest.raises(InputError, match="no head of SequenceClassifier"):
        load_task(tmp_path)


@pytest.mark.parametrize("config", ["bert_config.json", "config.json"])
def test_a_class_alone_tells_the_family_and_a_google_config_serves_beside_weights(tmp_path, config):
    model = MaskedLM(build_encoder(CONFIGS["bert"]))
    model.save_pretrained(str(tmp_path))
    strip(tmp_path, "model_type", name=config)
    assert same_weights(load_task(tmp_path), model)


def test_a_google_checkpoint_goes_before_weights_with_google_s_config_alone(tmp_path):
    model = MaskedLM(build_encoder(CONFIGS["bert"]))
    model.save_pretrained(str(tmp_path / "hf"))
    convert(tmp_path / "hf", tmp_path / "google", "google")
    (tmp_path / "google" / "pytorch_model.bin").write_bytes(b"torch may not be installed")
    assert same_weights(load_task(tmp_path / "google"), model)


def test_the_most_complete_head_is_taken_and_half_a_head_is_none(tmp_path):
    model = Pretraining(build_encoder(CONFIGS["bert"]))
    model.save_pretrained(str(tmp_path))
    strip(tmp_path, "architectures")
    file = tmp_path / "model.safetensors"
    whole = load_file(file)
    save_file({n: a for n, a in whole.items() if "seq_relationship" not in n}, file)
    assert type(load_task(tmp_path)) is MaskedLM
    save_file({n: a for n, a in whole.items() if "pooler" not in n}, file)
    assert type(load_task(tmp_path)) is MaskedLM  # the head for sentences reads the pooler
    save_file({n: a for n, a in whole.items() if n != "cls.predictions.bias"}, file)
    with pytest.raises(InputError, match="no head of"):
        load_task(tmp_path)
    decoder = {"cls.predictions.decoder.bias": whole["cls.predictions.bias"]}
    save_file({n: a for n, a in (whole | decoder).items() if n != "cls.predictions.bias"}, file)
    assert same_weights(load_task(tmp_path), model)  # a tied tensor stands for it


def test_tensors_of_no_family_here_are_named_so(tmp_path):
    build_encoder(CONFIGS["bert"]).save_pretrained(str(tmp_path))
    strip(tmp_path, "model_type", "architectures")
    file = tmp_path / "model.safetensors"
    save_file({f"xlnet.{name}": array for name, array in load_file(file).items()}, file)
    with pytest.raises(InputError, match="names no model_type, and the tensors of .* of no family"):
        load_encoder(tmp_path)


KINDS = {"bert": "Bert", "mobilebert": "MobileBert"}
NEXT = {family: f"{kind}ForNextSentencePrediction" for family, kind in KINDS.items()}


@pytest.mark.parametrize("family", NEXT)
def test_the_next_sentence_alone_is_a_classifier_of_two_labels(tmp_path, family):
    from tests.security.models import config_of

    model = SequenceClassifier(build_encoder(config_of(family)), 2)
    model.save_pretrained(str(tmp_path / "model"))
    file = tmp_path / "model" / "model.safetensors"
    tensors = {
        name.replace("classifier.", "cls.seq_relationship."): x
        for name, x in load_file(file).items()
    }
    save_file(tensors, file)
    strip(tmp_path / "model", "id2label", "label2id", architectures=[NEXT[family]])
    back = load_task(tmp_path / "model")
    assert type(back) is SequenceClassifier and same_weights(model, back)
    assert tuple(back.label_names) == ("next", "random")
    back.save_pretrained(str(tmp_path / "back"))
    again = load_task(tmp_path / "back")
    assert same_weights(model, again) and tuple(again.label_names) == ("next", "random")
    assert same_weights(load_encoder(tmp_path / "model"), model.encoder)
    strip(tmp_path / "model", "model_type")
    assert load_task(tmp_path / "model").encoder.config.model_type == family


@pytest.mark.slow
@pytest.mark.parametrize("family", NEXT)
def test_the_next_sentence_is_told_as_transformers_tells_it(tmp_path, family):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    from tests.security.models import config_of

    build_encoder(config_of(family)).save_pretrained(str(tmp_path / "encoder"))
    kind = getattr(transformers, NEXT[family])
    theirs = kind.from_pretrained(str(tmp_path / "encoder")).eval()
    theirs.save_pretrained(str(tmp_path / "theirs"))
    load_task(tmp_path / "theirs").save_pretrained(str(tmp_path / "ours"))
    ids = np.array([[2, 9, 6, 7, 3], [2, 5, 8, 4, 3]], "int32")
    ours = load_task(tmp_path / "ours")({"input_ids": ids, "attention_mask": np.ones_like(ids)})
    classifier = transformers.AutoModelForSequenceClassification.from_pretrained(
        str(tmp_path / "ours")
    ).eval()
    with torch.no_grad():
        for each in (theirs, classifier):
            logits = each(torch.tensor(ids).long()).logits.numpy()
            np.testing.assert_allclose(ours, logits, atol=2e-5)


@pytest.mark.parametrize("tied", [True, False])
def test_a_bert_that_tells_the_next_word_is_written_and_read_as_transformers_class(tmp_path, tied):
    config = TransformerConfig(**SIZES, is_decoder=True, tie_word_embeddings=tied)
    model = CausalLM(build_encoder(config), {"max_new_tokens": 3})
    model.save_pretrained(str(tmp_path))
    stored = json.loads((tmp_path / "config.json").read_text())
    assert (stored["model_type"], stored["architectures"]) == ("bert", ["BertLMHeadModel"])
    assert stored["is_decoder"] is True and "parts_of" not in stored and "norm" not in stored
    names = set(load_file(tmp_path / "model.safetensors"))
    assert "cls.predictions.transform.dense.weight" in names
    assert ("cls.predictions.decoder.weight" in names) is not tied
    back = load_task(tmp_path)
    assert type(back) is CausalLM and same_weights(model, back)
    assert back.encoder.config == config and back.generation == {"max_new_tokens": 3}
    assert same_weights(load_encoder(tmp_path), model.encoder)
    strip(tmp_path, is_decoder=False)
    with pytest.raises(InputError, match="is_decoder: False, wanted true: a BertLMHeadModel that"):
        load_task(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("tied", [True, False])
def test_a_bert_that_tells_the_next_word_does_so_as_in_transformers(tmp_path, tied):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    config = transformers.BertConfig(**SIZES, is_decoder=True, tie_word_embeddings=tied)
    theirs = transformers.BertLMHeadModel(config).eval()
    theirs.save_pretrained(str(tmp_path / "theirs"))
    ours = load_task(tmp_path / "theirs")
    ours.save_pretrained(str(tmp_path / "ours"))
    back = transformers.BertLMHeadModel.from_pretrained(str(tmp_path / "ours")).eval()
    ids = np.array([[2, 9, 6, 7, 3], [2, 5, 8, 4, 3]], "int32")
    logits = ours({"input_ids": ids, "attention_mask": np.ones_like(ids)})
    with torch.no_grad():
        for each in (theirs, back):
            wanted = each(torch.tensor(ids).long()).logits.numpy()
            np.testing.assert_allclose(logits, wanted, atol=2e-5)
