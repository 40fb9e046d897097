"""What convert says it found: size, head, tensors matched and left, outputs compared."""

import json

from safetensors.numpy import load_file, save_file

from bert_tf import BertConfig, MaskedLM, Pretraining, build_encoder, convert
from tests import tiny


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
