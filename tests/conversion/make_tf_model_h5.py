"""Makes tests/conversion/tf_model_h5: a model that transformers 4 saved, and what it computed.

It takes an environment of its own, with transformers 4.57.6, TensorFlow 2.20.0 and tf-keras 2.20:

    TF_USE_LEGACY_KERAS=1 python tests/conversion/make_tf_model_h5.py DIR
"""

import os
import sys

import numpy as np
import tensorflow as tf
import transformers

SIZES = dict(vocab_size=200, hidden_size=32, num_hidden_layers=2, num_attention_heads=4)
SIZES |= dict(intermediate_size=64, max_position_embeddings=64, type_vocab_size=2)


def main(folder):
    tf.random.set_seed(1)
    rng = np.random.default_rng(1)
    config = transformers.AlbertConfig(embedding_size=16, hidden_act="gelu_new", **SIZES)
    ids = rng.integers(5, 190, (3, 12)).astype("int32")
    mask = np.ones_like(ids)
    mask[1, 7:] = ids[1, 7:] = 0
    types = (np.arange(12) > 6).astype("int32")[None].repeat(3, 0) * mask
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    model = transformers.TFAlbertForPreTraining(config)
    model(inputs)
    for weight in model.weights:
        noise = rng.standard_normal(weight.shape).astype("float32")
        weight.assign_add(0.05 * noise)
    outputs = {k: v.numpy() for k, v in model(inputs, training=False).items() if tf.is_tensor(v)}
    model.save_pretrained(folder)
    inputs = {f"in_{name}": array for name, array in inputs.items()}
    np.savez_compressed(os.path.join(folder, "expected.npz"), **inputs, **outputs)


if __name__ == "__main__":
    main(sys.argv[1])
