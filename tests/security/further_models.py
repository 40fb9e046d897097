"""Tiny model directories of further kinds, to be damaged: tokenizers of other kinds, sentence
encoders, several models in one, presets with heads, shards, archives, word vectors, adapters."""

import dataclasses
import importlib.util
import json
import re
import shutil

import numpy as np
from safetensors.numpy import load_file, save_file

from bert_tf import (
    CausalLM,
    ElectraPretraining,
    MaskedLM,
    MultiTask,
    SentenceEncoder,
    Seq2Seq,
    SequenceClassifier,
    build_encoder,
    convert,
    encoders,
)
from bert_tf.conversion.keras_hub.heads import HEADS
from bert_tf.conversion.keras_hub.places import BACKBONES
from bert_tf.encoders.low_rank import with_low_rank
from bert_tf.loading.adapters import taken_apart
from tests import tiny
from tests.text import test_pipelines

ROWS = len(tiny.vocabulary())
# Case of the golden tokenizers -> family of the model beside it.
OTHER_TOKENIZERS = {
    "gpt2": "gpt2",
    "roberta": "roberta",
    "modernbert": "modernbert",
    "albert": "albert",
    "xlm-roberta": "xlm-roberta",
    "deberta": "deberta-v2",
}


def make(place, config_of):
    """Make them.

    Args:
      place: function of a name, giving the pathlib.Path of a new folder.
      config_of: function of a family's name and changes, giving a tiny config.
    """
    words = tiny.tokenizer(place("words"))
    _other_tokenizers(place, config_of)
    _several_in_one(place, config_of, words)
    _presets(place, words)
    _other_files(place, config_of, words)
    shutil.rmtree(place("words"))


def _other_tokenizers(place, config_of):
    for name, family in OTHER_TOKENIZERS.items():
        case = test_pipelines.CASES[name]
        changes = {"vocab_size": case["vocabulary"]}
        if family == "modernbert":
            changes |= {f"{token}_token_id": None for token in ("pad", "bos", "eos", "cls", "sep")}
        encoder = build_encoder(config_of(family, **changes))
        model = CausalLM(encoder) if family == "gpt2" else SequenceClassifier(encoder, 3)
        folder = place(f"tokenizer-{name}")
        folder.mkdir()
        test_pipelines.write(folder, case)
        model.save_pretrained(str(folder))


def _several_in_one(place, config_of, words):
    bert, electra = config_of("bert"), config_of("electra")
    dense = SentenceEncoder(build_encoder(bert), dense=(5, "tanh"))
    dense.save_pretrained(str(place("sentence_transformers")), words)
    shared = build_encoder(bert)
    parts = {"topic": SequenceClassifier(shared, 3), "mood": SequenceClassifier(shared, 2)}
    MultiTask(shared, parts).save_pretrained(str(place("several_tasks")), words)
    sizes = {"num_hidden_layers": 1, "num_attention_heads": 2}
    for name, kind in (("encoder_decoder", "gpt2"), ("own_seq2seq", "lstm")):
        decoder = {"model_type": kind, **(sizes if kind == "gpt2" else {"num_hidden_layers": 1})}
        decoder |= {"bos_token_id": 2, "eos_token_id": 3}
        Seq2Seq(build_encoder(bert), decoder).save_pretrained(str(place(name)), words)
    whole = build_encoder(electra)
    generator = MaskedLM(whole.generator(dataclasses.replace(electra, num_hidden_layers=1)))
    ElectraPretraining(whole, generator).save_pretrained(str(place("generator")), words)
    config = encoders.TransformerConfig(**tiny.sizes(vocab_size=ROWS), norm="pre")
    SequenceClassifier(build_encoder(config), 2).save_pretrained(str(place("transformer")), words)
    folder = place("adapter")
    base = build_encoder(bert)
    base.save_pretrained(str(folder / "base"), words)
    model = SequenceClassifier(with_low_rank(base, 2, 4.0, ["query", "value"]), 2)
    taken_apart(model, folder / "adapter", str(folder / "base"))


def _presets(place, words):
    if not importlib.util.find_spec("keras_hub"):
        return  # which that file of tests takes
    from tests.conversion.keras_hub import test_presets

    for name in BACKBONES:
        kind = HEADS[name][0] if HEADS[name] else None
        changes = {"vocab_size": 50 if name == "gpt2" else ROWS}
        if name.endswith("roberta") or name == "deberta-v2":
            changes |= {"max_position_embeddings": 12}
        encoder = build_encoder(test_presets.config_of(name, **changes))
        kinds = {"SequenceClassifier": lambda x: SequenceClassifier(x, 3), "CausalLM": CausalLM}
        model = kinds[kind](encoder) if kind else encoder
        source = place(f"source-{name}")
        model.save_pretrained(str(source), words if name in ("bert", "distilbert") else None)
        convert(str(source), str(place(f"preset-{name}")), "keras_hub")
        shutil.rmtree(source)


def _other_files(place, config_of, words):
    source = place("whole")
    SequenceClassifier(build_encoder(config_of("bert")), 3).save_pretrained(str(source), words)
    tensors = load_file(source / "model.safetensors")
    for name in ("bert", "distilbert", "gpt2"):
        folder = place(f"tf_model_h5-{name}")
        model = SequenceClassifier(build_encoder(config_of(name)), 3)
        model.save_pretrained(str(folder), words)
        _as_tf_h5(folder)
    folder = place("shards")
    shutil.copytree(source, folder)
    (folder / "model.safetensors").unlink()
    names, places = sorted(tensors), {}
    for number in (1, 2):
        file = f"model-{number:05}-of-00002.safetensors"
        some = {name: tensors[name] for name in names[number - 1 :: 2]}
        save_file(some, folder / file, {"format": "pt"})
        places |= dict.fromkeys(some, file)
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    for kind, suffix in (("zip", ".zip"), ("gztar", ".tar.gz")):
        folder = place(f"archive-{kind}")
        folder.mkdir()
        made = shutil.make_archive(str(folder / "model"), kind, source)
        assert made.endswith(suffix)
    vectors = place("vectors")
    build_encoder(config_of("word2vec")).save_pretrained(str(vectors), words)
    for format in ("word2vec", "word2vec_binary"):
        convert(str(vectors), str(place(format)), format)
    shutil.rmtree(vectors)
    if importlib.util.find_spec("torch"):
        import torch

        folder = place("pytorch_bin")
        shutil.copytree(source, folder)
        (folder / "model.safetensors").unlink()
        state = {name: torch.tensor(x) for name, x in tensors.items()}
        torch.save(state, folder / "pytorch_model.bin")
    shutil.rmtree(source)


def _as_tf_h5(folder):
    """Put the weights of a directory in the place where transformers 4's TensorFlow classes do."""
    import h5py

    file = folder / "model.safetensors"
    with h5py.File(folder / "tf_model.h5", "w") as whole:
        whole.attrs["layer_names"] = [b"model"]
        for name, array in load_file(file).items():
            at = re.sub(r"/(\d+)/", r"_._\1/", name.replace(".", "/"))
            if name.endswith(".dense.weight"):
                at, array = f"{at.removesuffix('weight')}kernel", np.ascontiguousarray(array.T)
            whole.create_dataset(f"model/tf_model/{at}:0", data=array)
    file.unlink()
