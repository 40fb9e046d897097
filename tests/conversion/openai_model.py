"""A GPT-2 as OpenAI's download_model.py leaves it, without the tokenizer's files."""

import json

import numpy as np
import tensorflow as tf

from bert_tf import Gpt2Config, build_encoder
from tests import tiny

NAMES = {
    "attn/c_attn": "attention.qkv",
    "attn/c_proj": "attention.projection",
    "mlp/c_fc": "feed_forward.expand",
    "mlp/c_proj": "feed_forward.contract",
}


def variables(encoder):
    """The weights of a GPT-2 under OpenAI's names, written out one by one."""
    norms = {"ln_f": encoder.final_norm}
    found = {
        "model/wte": encoder.embeddings.word_embeddings,
        "model/wpe": encoder.embeddings.position_embeddings,
        "global_step": np.int64(3),
    }
    for number, block in enumerate(encoder.blocks):
        norms |= {
            f"h{number}/ln_1": block.attention_norm,
            f"h{number}/ln_2": block.feed_forward_norm,
        }
        for name, path in NAMES.items():
            first, second = path.split(".")
            layer = getattr(getattr(block, first), second)
            found[f"model/h{number}/{name}/w"] = np.asarray(layer.kernel)[None]
            found[f"model/h{number}/{name}/b"] = layer.bias
    for name, norm in norms.items():
        found |= {f"model/{name}/g": norm.gamma, f"model/{name}/b": norm.beta}
    return {name: np.asarray(value) for name, value in found.items()}


def make(folder):
    """Save one at a pathlib.Path; returns the encoder."""
    folder.mkdir(parents=True, exist_ok=True)
    config = Gpt2Config(**tiny.sizes(intermediate_size=32), bos_token_id=0, eos_token_id=0)
    encoder = build_encoder(config)
    numbers = np.random.default_rng(1)
    for weight in encoder.weights:
        weight.assign(numbers.standard_normal(weight.shape).astype("float32"))
    arrays = variables(encoder)
    tf.raw_ops.SaveV2(
        prefix=str(folder / "model.ckpt"),
        tensor_names=list(arrays),
        shape_and_slices=[""] * len(arrays),
        tensors=list(arrays.values()),
    )
    hparams = {"n_vocab": 20, "n_ctx": 10, "n_embd": 8, "n_head": 2, "n_layer": 2}
    (folder / "hparams.json").write_text(json.dumps(hparams))
    return encoder
