"""Makes the model folders in tests/old. Made by bert_tf 0.1.0 (7cd45c6), TF 2.21.0, Keras 3.15.1.

    cd /tmp && PYTHONPATH=CHECKOUT_OF_0.1 python .../tests/old/make_old.py

What is made stays as it is: later versions have to read what 0.1 wrote. The script is kept to show
how that came about; it names functions and classes of 0.1 and is not meant for later ones.
"""

import json
import pathlib
import shutil
import zlib

import numpy as np

import bert_tf
from bert_tf.cli import predict

HERE = pathlib.Path(__file__).parent
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = "good bad film story the a is was not very actor end begin one two three , . ! ?".split()
VOCABULARY = [*SPECIAL, *WORDS, *"abcdefghijklmnopq", *(f"##{x}" for x in "abcdefghijklmnopqrst")]

SIZES = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "max_position_embeddings": 40,
    "initializer_range": 0.3,
}
NARROW = {**SIZES, "embedding_size": 6}
# Options that no published BERT has; 0.1 saves such a model as `model_type: bert_tf`.
SINUS, PRE, DROP = {"position_embedding": "sinusoidal"}, {"norm": "pre"}, {"layer_drop_rate": 0.2}
GROUPS = {"num_hidden_layers": 4, "num_hidden_groups": 2, "inner_group_num": 2}

TEXTS = ["The film is good.", "bad", "a very, very long story " * 4, "not one actor! qed"]
PAIRS = ["the end", "A begin is a begin.", "one two three", ""]
BLANKS = ["the [MASK] is good.", "[MASK] story, [MASK] end"]
POSITIONS = np.array([[1, 3, 0], [2, 0, 0], [4, 5, 9], [1, 2, 0]], np.int32)
# A cloze question of each row: its blank, and the pieces of three candidates.
BLANK = np.array([1, 1, 2, 3], np.int32)
CANDIDATES = np.array([[[5, -1], [6, -1], [7, 8]], [[9, 26], [10, -1], [-1, -1]]] * 2, np.int32)
LABELS = {
    "tags": {"of": "token", "num_labels": 3, "names": ["noun", "verb", "other"]},
    "mood": {"of": "sentence", "num_labels": 2},
    "animal": {"of": "cloze", "num_labels": 3},
}


def encoder_of(family, changes=None, pooler=None):
    """A tiny encoder with fresh weights; pooler None: as the family has it."""
    kind = {
        "bert": bert_tf.BertConfig,
        "albert": bert_tf.AlbertConfig,
        "electra": bert_tf.ElectraConfig,
    }[family]
    sizes = SIZES if family == "bert" else NARROW
    encoder = bert_tf.build_encoder(kind(**{**sizes, **(changes or {})}))
    return encoder.without_pooler() if pooler is False else encoder


def classifier(family, names=("bad", "good"), changes=None, settings=None, **options):
    """A SequenceClassifier with label names; settings: of its data, kept in its config.json."""
    names = list(names)
    encoder = encoder_of(family, changes)
    model = bert_tf.SequenceClassifier(encoder, len(names), names, **options)
    columns = {"text": "text", "text_pair": None, "label": "label", "max_length": 24}
    model.data_settings = {**columns, **(settings or {})}
    return model


def electra(generator, changes=None):
    """An ElectraPretraining, with a generator of half its width or without one."""
    encoder = encoder_of("electra", changes)
    if not generator:
        return bert_tf.ElectraPretraining(encoder)
    sizes = {**NARROW, "hidden_size": 6, "intermediate_size": 10, **(changes or {})}
    small = encoder.generator(bert_tf.ElectraConfig(**sizes))
    return bert_tf.ElectraPretraining(encoder, bert_tf.MaskedLM(small))


PAIRED = {"text": "first", "text_pair": "second", "label": "score"}
# name -> (function that makes it, whether 0.1 writes it in Google's layout too).
MODELS = {
    "bert": (lambda: encoder_of("bert"), True),
    "bert-no-pooler": (lambda: encoder_of("bert", pooler=False), True),
    "bert-gelu-new": (lambda: encoder_of("bert", {"hidden_act": "gelu_new"}), True),
    "bert-single": (lambda: classifier("bert", ("x", "Y z", "|")), True),
    "bert-multi": (
        lambda: classifier("bert", ("a", "b", "c"), problem_type="multi_label_classification"),
        True,
    ),
    "bert-regression-pairs": (lambda: classifier("bert", ("LABEL_0",), settings=PAIRED), True),
    "bert-mean-layers": (lambda: classifier("bert", pooling="mean", head_layers=[10, 6]), False),
    "bert-max": (lambda: classifier("bert", pooling="max"), False),
    "bert-epsilon": (lambda: classifier("bert", changes={"layer_norm_eps": 0.01}), False),
    "bert-cls-relu": (
        lambda: classifier("bert", pooling="cls", head_layers=[(10, "relu")], settings=PAIRED),
        False,
    ),
    "bert-masked-lm": (lambda: bert_tf.MaskedLM(encoder_of("bert")), True),
    "bert-next-sentence": (lambda: bert_tf.Pretraining(encoder_of("bert")), True),
    "bert-order": (
        lambda: bert_tf.Pretraining(encoder_of("bert"), sentence_objective="sentence_order"),
        True,
    ),
    "bert-order-3": (
        lambda: bert_tf.Pretraining(encoder_of("bert"), sentence_objective="sentence_order_3"),
        False,
    ),
    "bert-labels": (lambda: bert_tf.Pretraining(encoder_of("bert"), extra_labels=LABELS), False),
    "bert-labels-alone": (
        lambda: bert_tf.Pretraining(
            encoder_of("bert"), "none", {"tags": LABELS["tags"], "animal": LABELS["animal"]}
        ),
        False,
    ),
    "albert": (lambda: encoder_of("albert"), True),
    "albert-groups": (lambda: encoder_of("albert", GROUPS), True),
    "albert-single": (lambda: classifier("albert"), True),
    "albert-masked-lm": (lambda: bert_tf.MaskedLM(encoder_of("albert")), True),
    "albert-pretraining": (lambda: bert_tf.Pretraining(encoder_of("albert", GROUPS)), True),
    "electra": (lambda: encoder_of("electra"), True),
    "electra-equal-widths": (lambda: encoder_of("electra", {"embedding_size": 12}), True),
    "electra-single": (lambda: classifier("electra", ("x", "y", "z")), False),
    "electra-bare-head": (lambda: classifier("electra", head_layers=[]), False),
    "electra-generator": (lambda: bert_tf.MaskedLM(encoder_of("electra")), True),
    "electra-discriminator": (lambda: electra(False), True),
    "electra-pretraining": (lambda: electra(True), True),
    "own-bert-sinusoidal": (lambda: encoder_of("bert", SINUS), False),
    "own-bert-pre-norm": (lambda: encoder_of("bert", {**PRE, **DROP}, pooler=False), False),
    "own-bert-layer-drop": (lambda: encoder_of("bert", DROP), False),
    "own-bert-single": (lambda: classifier("bert", changes={**SINUS, **PRE}), False),
    "own-bert-masked-lm": (lambda: bert_tf.MaskedLM(encoder_of("bert", {**SINUS, **DROP})), False),
    "own-bert-pretraining": (lambda: bert_tf.Pretraining(encoder_of("bert", PRE)), False),
    "own-albert-groups": (lambda: encoder_of("albert", {**GROUPS, **SINUS, **PRE}), False),
    "own-albert-pretraining": (
        lambda: bert_tf.Pretraining(
            encoder_of("albert", {**GROUPS, **PRE, **DROP}),
            extra_labels={"mood": LABELS["mood"]},
        ),
        False,
    ),
    "own-electra-single": (lambda: classifier("electra", changes={**SINUS, **PRE}), False),
    "own-electra-pretraining": (lambda: electra(True, {**PRE, **DROP}), False),
}
CASED = ("bert-single", "albert-single", "electra-single", "own-bert-single")


def shake(model, name):
    """Moves every weight, so that none stays at the 0 or 1 that a fresh one has."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    for weight in model.trainable_weights:
        weight.assign(weight.numpy() + random.normal(0, 0.15, weight.shape).astype("float32"))


def tokenizer_of(folder, lowercase):
    """A Tokenizer over VOCABULARY, whose file is made in this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return bert_tf.Tokenizer.from_pretrained(folder, lowercase=lowercase)


def inputs_of(model, tokenizer):
    """Rows of all lengths with their pairs, and what else the model reads; dict of int32 arrays."""
    paired = (getattr(model, "data_settings", None) or {}).get("text_pair", True)
    tokens = tokenizer(TEXTS, PAIRS if paired else None, max_length=24)
    inputs = {name: values.numpy() for name, values in tokens.items()}
    kind = type(model).__name__
    if kind in ("Pretraining", "ElectraPretraining"):
        inputs["masked_positions"] = POSITIONS
    if "animal" in (getattr(model, "extra_labels", None) or {}):
        inputs |= {"animal_positions": BLANK, "animal_candidates": CANDIDATES}
    return inputs


def outputs_of(model, inputs):
    """What the model answers to the inputs, dict of arrays."""
    outputs = model(inputs, training=False)
    outputs = outputs if isinstance(outputs, dict) else {"answer": outputs}
    return {name: np.asarray(values) for name, values in outputs.items()}


def predicted(folder, model):
    """The lines that `bert-tf predict` writes for a saved model of a kind that it takes."""
    kind = type(model).__name__
    if kind == "SequenceClassifier":
        keys = [model.data_settings["text"], model.data_settings["text_pair"]]
        rows = zip(TEXTS, PAIRS, strict=True)
        asked = [{k: v for k, v in zip(keys, row, strict=True) if k} for row in rows]
    elif kind in ("MaskedLM", "Pretraining"):
        asked = [{"text": text} for text in BLANKS]
    else:
        return None
    source, target = pathlib.Path("asked.jsonl"), pathlib.Path("answers.jsonl")
    source.write_text("".join(json.dumps(each) + "\n" for each in asked))
    flags = [f"--model={folder}", f"--input={source}", f"--output={target}"]
    assert predict.main(flags) == 0
    return {"asked": asked, "answers": [json.loads(x) for x in target.read_text().splitlines()]}


def make_model(name):
    """Saves one model in every layout, with its inputs and outputs; returns what else it told."""
    make, in_google = MODELS[name]
    model = make()
    shake(model, name)
    cased = name in CASED
    tokenizer = tokenizer_of(pathlib.Path("vocabulary"), lowercase=not cased)
    folder = HERE / "models" / name
    model.save_pretrained(str(folder), tokenizer)
    inputs = inputs_of(model, tokenizer)
    outputs = outputs_of(model, inputs)
    arrays = {f"in_{key}": value for key, value in inputs.items()}
    np.savez_compressed(
        folder.with_suffix(".npz"), **arrays, **{f"out_{k}": v for k, v in outputs.items()}
    )
    folders = [name]
    if in_google:
        bert_tf.convert(str(folder), f"{folder}-google", "google")
        folders.append(f"{name}-google")
    told = {"folders": folders, "class": type(model).__name__}
    for key in ("num_labels", "label_names", "problem_type", "sentence_objective", "extra_labels"):
        if hasattr(model, key):
            told[key] = getattr(model, key)
    answers = predicted(folder, model)
    return told if answers is None else {**told, "predict": answers}


def main():
    """Makes everything anew."""
    assert bert_tf.__version__ == "0.1.0", "put a checkout of 0.1 on PYTHONPATH"
    shutil.rmtree(HERE / "models", ignore_errors=True)
    (HERE / "models").mkdir()
    told = {name: make_model(name) for name in MODELS}
    lines = [f'"{name}": {json.dumps(each, ensure_ascii=False)}' for name, each in told.items()]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    (HERE / "models.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    import keras

    keras.utils.set_random_seed(1)
    main()
