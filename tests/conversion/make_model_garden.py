"""Makes tests/conversion/model_garden: a BERT that the TF Model Garden saved, and what it computed.

It takes an environment of its own, with tf-models-official 2.20.0, TensorFlow and tf-keras 2.20:

    TF_USE_LEGACY_KERAS=1 python tests/conversion/make_model_garden.py DIR
"""

import os
import sys

import numpy as np
import tensorflow as tf
from official.nlp import modeling
from official.nlp.configs import encoders
from official.nlp.modeling import models

ROWS = 49  # of the vocabulary


def main(folder):
    rng = np.random.default_rng(1)
    tf.random.set_seed(1)
    config = encoders.EncoderConfig(type="bert")
    bert = config.bert
    bert.vocab_size, bert.hidden_size, bert.num_layers, bert.num_attention_heads = ROWS, 32, 2, 4
    bert.intermediate_size, bert.max_position_embeddings = 64, 64
    encoder = encoders.build_encoder(config)
    # Given by name, the head's gelu is Keras' exact one; the Model Garden's own tasks give it the
    # tanh form, as the blocks have it. No file says which.
    pretrainer = models.BertPretrainerV2(encoder_network=encoder, mlm_activation="gelu")
    ids = rng.integers(5, ROWS, (3, 12)).astype("int32")
    mask = np.ones_like(ids)
    mask[1, 7:] = ids[1, 7:] = 0
    types = (np.arange(12) > 6).astype("int32")[None].repeat(3, 0) * mask
    spots = np.array([[1, 4], [2, 3], [5, 9]], "int32")
    inputs = dict(input_word_ids=ids, input_mask=mask, input_type_ids=types)
    pretrainer(dict(inputs, masked_lm_positions=spots))
    for weight in pretrainer.weights:
        if weight.dtype.is_floating:
            weight.assign_add(0.05 * rng.standard_normal(weight.shape).astype("float32"))
    outputs = encoder(inputs, training=False)
    logits = pretrainer(dict(inputs, masked_lm_positions=spots), training=False)["mlm_logits"]
    np.savez_compressed(
        os.path.join(folder, "expected.npz"),
        masked_positions=spots,
        mlm_logits=logits.numpy(),
        sequence_output=outputs["sequence_output"].numpy(),
        pooled_output=outputs["pooled_output"].numpy(),
        **{f"in_{name}": array for name, array in inputs.items()},
    )
    checkpoint = tf.train.Checkpoint(**pretrainer.checkpoint_items)
    checkpoint.save(os.path.join(folder, "bert_model.ckpt"))
    with open(os.path.join(folder, "bert_config.yaml"), "w") as file:
        file.writelines(f"{name}: {value}\n" for name, value in bert.as_dict().items())


if __name__ == "__main__":
    assert modeling
    main(sys.argv[1])
