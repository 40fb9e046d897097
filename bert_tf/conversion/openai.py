"""OpenAI's TensorFlow 1 checkpoints of GPT-2, under the names of Hugging Face.

Beside the checkpoint lie hparams.json, encoder.json and vocab.bpe. The weights of its layers have a
first axis of one, that of a convolution. Sources: openai/gpt-2 `src/model.py`, `src/encoder.py`.
"""

import re

from absl import logging

from bert_tf.conversion.files import read_json
from bert_tf.errors import InputError, shown, shown_name

CONFIG_FILE = "hparams.json"
# What the tokenizer's files are called there -> everywhere else.
TOKENIZER_FILES = {"encoder.json": "vocab.json", "vocab.bpe": "merges.txt"}
WORDS = {"w": "weight", "g": "weight", "b": "bias", "wte": "wte.weight", "wpe": "wpe.weight"}
KEYS = {
    "n_vocab": "vocab_size",
    "n_ctx": "n_positions",
    "n_embd": "n_embd",
    "n_head": "n_head",
    "n_layer": "n_layer",
}
# What its code fixes; it has no dropout, with which it was nevertheless trained.
FIXED = {"activation_function": "gelu_new", "layer_norm_epsilon": 1e-5}
RATES = ("resid_pdrop", "embd_pdrop", "attn_pdrop")


def is_openai(tensors):
    """Whether the tensors of `google.read_google` are a GPT-2's of OpenAI."""
    return "model/wte" in tensors


def huggingface_names(tensors, source):
    """The variables under Hugging Face's names, without the axis of one.

    Args:
      tensors: dict of OpenAI's name to StoredTensor.
      source: Path, for messages.
    Returns:
      dict of name to StoredTensor; what is no part of the model keeps its name.
    Raises:
      InputError: two variables are the same one.
    """
    found = {}
    for name, tensor in tensors.items():
        ours = _name(name)
        if ours in found:
            raise InputError(f"{source}: two variables are {shown_name(ours)}")
        found[ours] = _squeezed(tensor) if name.endswith("/w") else tensor
    return found


def _name(name):
    match = re.fullmatch(r"model/(?:h(\d+)/)?((?:\w+/)*)(\w+)", name)
    if match is None or match[3] not in WORDS:
        return name
    layer = "" if match[1] is None else f"h.{match[1]}."
    return f"transformer.{layer}{match[2].replace('/', '.')}{WORDS[match[3]]}"


def _squeezed(tensor):
    if len(tensor.shape) != 3 or tensor.shape[0] != 1:
        return tensor
    return tensor._replace(shape=tensor.shape[1:], read=lambda: tensor.read()[0])


def openai_config(place):
    """The config of a checkpoint.

    Args:
      place: Path, the directory or the prefix.
    Returns:
      (Path of hparams.json, dict with the keys of Hugging Face's config.json).
    Raises:
      InputError: hparams.json is missing, damaged, or lacks a size.
    """
    file = (place if place.is_dir() else place.parent) / CONFIG_FILE
    if not file.is_file():
        raise InputError(f"{file.parent}: no {CONFIG_FILE} beside the checkpoint of a GPT-2")
    stored = read_json(file)
    for key in KEYS:
        if type(stored.get(key)) is not int:
            raise InputError(f"{file}: {key}: {shown(stored.get(key))}, wanted a whole number")
    logging.warning("%s: tells no dropout; %s are taken to be 0.1", file, ", ".join(RATES))
    config = {ours: stored[theirs] for theirs, ours in KEYS.items()}
    return file, {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        **config,
        **FIXED,
        **dict.fromkeys(RATES, 0.1),
        "n_inner": None,
    }
