"""A SavedModel as TF-Hub has a BERT, made without the Model Garden: variables, a graph, assets."""

import numpy as np
import tensorflow as tf

from bert_tf import BertConfig, MaskedLM, build_encoder
from tests import tiny


def make(folder, pooler=False, **changes):
    """Save one at `folder`/model, a pathlib.Path; returns its path and the MaskedLM in it.

    `folder`/it was run appears if anybody runs its graph.
    """
    config = BertConfig(
        **tiny.sizes(vocab_size=len(tiny.vocabulary()), hidden_act="relu") | changes
    )
    model = MaskedLM(build_encoder(config, pooler=pooler))
    module = tf.Module()
    module.variables_ = their_variables(model, config.num_attention_heads)
    module.do_lower_case = tf.Variable(False, trainable=False)
    (folder / "any name.txt").write_text("\n".join(tiny.vocabulary()) + "\n")
    module.vocab_file = tf.saved_model.Asset(str(folder / "any name.txt"))

    @tf.function(input_signature=[tf.TensorSpec([None, 8])])
    def run(x):
        tf.io.write_file(str(folder / "it was run"), "")
        with tf.name_scope("transformer/layer_0/intermediate"):
            x = tf.nn.relu(x)
        return tf.tanh(x) * module.variables_[0][0, 0]  # as a pooler's

    module.run = run
    module.run.get_concrete_function()
    tf.saved_model.save(module, str(folder / "model"))
    return folder / "model", model


def their_variables(model, heads):
    """The variables of a MaskedLM as the Model Garden names them."""
    found = []

    def add(name, array):
        found.append(tf.Variable(array, name=name))

    encoder = model.encoder
    for name, ours in (("word", "word"), ("position", "position"), ("type", "token_type")):
        plural = "" if name == "position" else "s"
        table = getattr(encoder.embeddings, f"{ours}_embeddings")
        add(f"{name}_embedding{plural}/embeddings", table.numpy())
    norms = {"embeddings/layer_norm": encoder.embeddings.norm}
    denses = {}
    for number, block in enumerate(encoder.blocks):
        at = f"transformer/layer_{number}"
        norms[f"{at}/self_attention_layer_norm"] = block.attention_norm
        norms[f"{at}/output_layer_norm"] = block.feed_forward_norm
        denses[f"{at}/intermediate"] = block.feed_forward.expand
        denses[f"{at}/output"] = block.feed_forward.contract
        kernels = np.split(block.attention.qkv.kernel.numpy(), 3, -1)
        biases = np.split(block.attention.qkv.bias.numpy(), 3, -1)
        for part, kernel, bias in zip(("query", "key", "value"), kernels, biases, strict=True):
            add(f"{at}/self_attention/{part}/kernel", kernel.reshape(len(kernel), heads, -1))
            add(f"{at}/self_attention/{part}/bias", bias.reshape(heads, -1))
        kernel = block.attention.projection.kernel.numpy()
        add(f"{at}/self_attention/attention_output/kernel", kernel.reshape(heads, -1, len(kernel)))
        add(f"{at}/self_attention/attention_output/bias", block.attention.projection.bias.numpy())
    if encoder.pooler is not None:
        denses["pooler_transform"] = encoder.pooler.dense
    head = model.masked_lm_head
    norms["bert/cls/predictions/transform/LayerNorm"] = head.norm
    denses["bert/cls/predictions/transform/dense"] = head.dense
    for name, layer in norms.items():
        add(f"{name}/gamma", layer.gamma.numpy())
        add(f"{name}/beta", layer.beta.numpy())
    for name, layer in denses.items():
        add(f"{name}/kernel", layer.kernel.numpy())
        add(f"{name}/bias", layer.bias.numpy())
    add("bert/cls/predictions/output_bias/bias", head.output_bias.numpy())
    return found
