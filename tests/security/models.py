"""Tiny model directories of every family and every format, to be damaged."""

import dataclasses
import pathlib
import shutil

from bert_tf import (
    ExtractiveQA,
    MaskedLM,
    Pretraining,
    SequenceClassifier,
    TokenClassifier,
    build_encoder,
    convert,
    encoders,
)
from bert_tf.conversion.keras_hub.places import BACKBONES
from tests import tiny
from tests.conversion import hub_model, openai_model
from tests.security import further_models

HERE = pathlib.Path(__file__).parent.parent / "conversion"
ROWS = len(tiny.vocabulary())
# What a family has otherwise than BERT.
MORE = {
    "word2vec": {"num_hidden_layers": 0, "num_attention_heads": 0},
    "elmo": {"num_attention_heads": 0},
    "lstm": {"num_attention_heads": 0, "type_vocab_size": 0},
}


def config_of(name, **changes):
    """A tiny config of a family, for the tiny vocabulary, some fields changed."""
    kind = encoders.FAMILIES[name].config
    fields = tiny.sizes(vocab_size=ROWS) | {"embedding_size": 4} | MORE.get(name, {}) | changes
    known = kind.__dataclass_fields__
    return kind(**{key: value for key, value in fields.items() if key in known})


def make(folder):
    """Make them below a pathlib.Path; returns dict of name to path."""
    made = make_further(folder)

    def place(name):
        made[name] = folder / name
        return str(made[name])

    tiny.save(folder / "source")
    for name in encoders.FAMILIES:
        if name not in ("transformer",):
            build_encoder(config_of(name)).save_pretrained(place(f"huggingface-{name}"))
    heads = {
        "classifier": SequenceClassifier(build_encoder(config_of("bert")), 3, problem_type=None),
        "tagger": TokenClassifier(build_encoder(config_of("electra")), 3),
        "questions": ExtractiveQA(build_encoder(config_of("bert"), pooler=False)),
        "words": MaskedLM(build_encoder(config_of("albert"), pooler=False)),
        "own": SequenceClassifier(build_encoder(config_of("bert")), 2, pooling="mean"),
    }
    for name, model in heads.items():
        model.save_pretrained(place(name), tiny.tokenizer(folder / "words"))
    for name, model in (
        ("bert", Pretraining(build_encoder(config_of("bert")))),
        ("albert", Pretraining(build_encoder(config_of("albert")))),
        ("electra", MaskedLM(build_encoder(config_of("electra")))),
    ):
        model.save_pretrained(str(folder / "hf" / name))
        convert(str(folder / "hf" / name), place(f"google-{name}"), "google")
    convert(str(folder / "source"), place("keras_hub-bert"), "keras_hub")
    for name in ("albert", "gpt2"):
        kind = BACKBONES[name][1]
        fixed = {"hidden_act": kind.hidden_act, "layer_norm_eps": kind.layer_norm_eps}
        config = dataclasses.replace(config_of(name), **fixed)
        build_encoder(config).save_pretrained(str(folder / "hf" / f"keras-{name}"))
        convert(str(folder / "hf" / f"keras-{name}"), place(f"keras_hub-{name}"), "keras_hub")
    (folder / "saved").mkdir()
    hub_model.make(folder / "saved")
    (folder / "saved" / "model").rename(place("hub"))
    openai_model.make(pathlib.Path(place("openai")))
    shutil.copytree(HERE / "tf_model_h5", place("tf_model_h5-albert"))
    shutil.copytree(HERE / "model_garden", place("model_garden"))
    for name in ("tf_model_h5-albert", "model_garden"):
        (made[name] / "expected.npz").unlink()
    return made


def make_further(folder):
    """Those of `further_models` alone."""
    folder.mkdir(parents=True, exist_ok=True)
    there = {*folder.iterdir()}
    further_models.make(lambda name: folder / name, config_of)
    return {path.name: path for path in sorted({*folder.iterdir()} - there)}
