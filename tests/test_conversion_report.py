"""What convert says it found: size, head, tensors matched and left, outputs compared."""

import base64
import json
import zlib

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bert_tf import (
    AlbertConfig,
    BertConfig,
    MaskedLM,
    Pretraining,
    SentenceEncoder,
    Tokenizer,
    Word2VecConfig,
    build_encoder,
    convert,
)
from bert_tf.loading.comparing import difference
from tests import oracles, task_contract, tiny
from tests.text import test_pipelines


def said(source, target, format="huggingface", **options):
    lines = convert(str(source), str(target), format, **options)
    return dict(lines), [text for name, text in lines if name == "left"]


def test_a_published_size_is_named_and_outputs_are_compared(tmp_path):
    build_encoder("bert-tiny").save_pretrained(str(tmp_path / "model"))
    told, left = said(tmp_path / "model", tmp_path / "out", compare=True)
    assert told["size"].endswith("4,385,920 parameters, as bert-tiny")
    assert told["head"] == "none, an encoder alone" and not left
    assert told["difference"].startswith("0, ")


def test_tensors_that_are_left_are_named_with_the_reason(tmp_path):
    model = MaskedLM(build_encoder(BertConfig(**tiny.sizes()), pooler=False))
    model.save_pretrained(str(tmp_path / "model"))
    file = tmp_path / "model" / "model.safetensors"
    tensors = load_file(file)
    words = tensors["bert.embeddings.word_embeddings.weight"]
    more = {
        "cls.predictions.decoder.weight": words.copy(),
        "bert.embeddings.position_ids": words[:1].astype("int64"),
        "bert.embeddings.word_embeddings.weight/adam_m": words.copy(),
    }
    save_file(tensors | more, file)
    told, left = said(tmp_path / "model", tmp_path / "out")
    assert told["tensors"] == f"{len(tensors)} of {len(tensors) + 3} matched"
    assert sorted(left) == [
        "bert.embeddings.position_ids: a buffer of older files: 0, 1, 2, ... or zeros",
        "bert.embeddings.word_embeddings.weight/adam_m: state of training",
        "cls.predictions.decoder.weight: tied",
    ]


def test_a_head_that_files_hold_beside_the_one_they_are_named_for_is_matched(tmp_path):
    Pretraining(build_encoder(BertConfig(**tiny.sizes()))).save_pretrained(str(tmp_path / "model"))
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    config["architectures"] = ["BertForMaskedLM"]
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    told, left = said(tmp_path / "model", tmp_path / "out")
    assert told["head"] == "Pretraining" and not left


def test_the_encoder_of_a_preset_is_compared_too(tmp_path):
    tiny.save(tmp_path / "model")
    told, _ = said(tmp_path / "model", tmp_path / "out", "keras_hub", compare=True)
    # The GELU of KerasHub's BERT is the tanh form.
    assert 0 < float(told["difference"].split(",")[0]) < 1e-2


def test_what_modules_make_of_tokens_is_said_to_be_left(tmp_path, caplog):
    model = SentenceEncoder(build_encoder(tiny.config()), dense=(5, "tanh"))
    model.save_pretrained(str(tmp_path / "model"), tiny.tokenizer(tmp_path / "words"))
    why = "the format has no modules, sentence_transformers has"
    for format in ("huggingface", "google"):
        told, left = said(tmp_path / "model", tmp_path / format, format, compare=True)
        assert left == [f"Pooling, Dense, Normalize: {why}"]
        assert told["head"] == "none, an encoder alone"
        assert told["difference"].startswith("0, the largest in the encoder's outputs")
    told, left = said(tmp_path / "model", tmp_path / "same", "sentence_transformers", compare=True)
    assert not left and told["difference"].startswith("0, the largest in SentenceEncoder's outputs")
    assert "holds no pooler" not in caplog.text


@pytest.mark.parametrize("name", ["translations", "several tasks"])
def test_a_head_that_a_preset_has_no_place_for_is_left(name, tmp_path):
    model = task_contract.CASES[name]().model
    tokenizer = tiny.tokenizer(tmp_path / "words")
    model.save_pretrained(str(tmp_path / "model"), tokenizer)
    told, left = said(tmp_path / "model", tmp_path / "out", "keras_hub", compare=True)
    count, whole = map(int, told["tensors"].removesuffix(" matched").split(" of "))
    encoder = {x for x in load_file(tmp_path / "model" / "model.safetensors") if "encoder." in x}
    assert count == len(encoder) < whole
    assert len(left) == 1 and f"has the encoder alone, no {type(model).__name__}" in left[0]
    assert told["head"] == type(model).__name__ and "the encoder's outputs" in told["difference"]
    assert told["tokenizer"] == "assets/tokenizer/vocabulary.txt, tokenizer.json"


def test_of_several_tasks_those_that_were_not_asked_for_are_left(tmp_path):
    model = task_contract.CASES["several tasks"]().model
    model.save_pretrained(str(tmp_path / "model"))
    told, left = said(tmp_path / "model", tmp_path / "out", task="score")
    assert len(left) == 1 and left[0].endswith(": of topic, which were not asked for")
    assert told["tokenizer"] == "none, the source has no file of one"


QUICK = ("choices", "trees", "translations", "several tasks")


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
    for name in task_contract.CASES if name != "a task of the tests"
])  # fmt: skip
def test_the_outputs_of_tasks_are_compared(name, tmp_path):
    model = oracles.randomize(task_contract.CASES[name]().model)
    model.save_pretrained(str(tmp_path))
    said = difference(model, tmp_path)[1]
    assert said.startswith("0, ") and f"{type(model).__name__}'s outputs" in said
    for weight in model.weights:
        weight.assign(1.5 * weight + 0.1)
    assert not difference(model, tmp_path)[1].startswith("0, ")


def test_word_vectors_are_compared_word_by_word(tmp_path):
    model = build_encoder(Word2VecConfig(vocab_size=len(tiny.vocabulary()), hidden_size=4))
    model.save_pretrained(str(tmp_path / "model"), tiny.tokenizer(tmp_path / "words"))
    for format in ("word2vec", "word2vec_binary"):
        told, _ = said(tmp_path / "model", tmp_path / format, format, compare=True)
        figure, rest = told["difference"].split(", ", 1)
        assert float(figure) < 1e-6 and rest.endswith(" words, source against target")
        assert told["tokenizer"] == "none, the words stand before their vectors"


def googles_albert(folder, name, content):
    """Google's download of an ALBERT: its vocabulary under the name it has there."""
    config = AlbertConfig(**tiny.sizes(vocab_size=400, hidden_size=16), embedding_size=4)
    build_encoder(config).save_pretrained(str(folder / "hf"))
    convert(str(folder / "hf"), str(folder / "google"), "google")
    file = folder / "google" / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    return folder / "google"


@pytest.mark.parametrize("place", ["", "assets/"])
def test_the_vocabulary_of_google_s_albert_is_found_and_carried(place, tmp_path):
    case = test_pipelines.CASES["albert"]
    content = zlib.decompress(base64.b85decode(case["files"]["spiece.model"]))
    source = googles_albert(tmp_path, f"{place}30k-clean.model", content)
    told, _ = said(source, tmp_path / "out")
    assert told["tokenizer"] == "spiece.model, tokenizer_config.json"
    texts = test_pipelines.TEXTS[:6]
    (usual := tmp_path / "usual").mkdir()
    test_pipelines.write(usual, case)
    one, other, there = map(Tokenizer.from_pretrained, (usual, tmp_path / "out", source))
    assert one.fingerprint == other.fingerprint == there.fingerprint
    with tiny.eagerly():
        np.testing.assert_array_equal(one(texts)["input_ids"], there(texts)["input_ids"])


@pytest.mark.parametrize("place", ["", "assets/"])
def test_the_vocabulary_of_google_s_chinese_albert_is_found_and_carried(place, tmp_path):
    content = "\n".join([*tiny.vocabulary(), "我", "们"]).encode()
    source = googles_albert(tmp_path, f"{place}vocab_chinese.txt", content)
    told, _ = said(source, tmp_path / "out")
    assert told["tokenizer"] == "tokenizer_config.json, vocab.txt"
    for folder in (source, tmp_path / "out"):
        tokenizer = Tokenizer.from_pretrained(folder)
        assert tokenizer.tokenize("我们 good") == ["我", "们", "good"]
    # Its class named by nothing, a vocab.txt is no SentencePiece model.
    (tmp_path / "out" / "tokenizer_config.json").unlink()
    assert Tokenizer.from_pretrained(tmp_path / "out").tokenize("我") == ["我"]
