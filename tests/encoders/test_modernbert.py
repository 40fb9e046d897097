"""ModernBERT: the contract of an encoder, transformers' numbers, its config, its linear work."""

import dataclasses
import json
import pathlib

import numpy as np
import oracles
import pytest
import tensorflow as tf
from contract import batch_of, each_check, encoder_of

from bert_tf import (
    InputError,
    MaskedLM,
    ModernBertConfig,
    SequenceClassifier,
    build_encoder,
    load_encoder,
    load_task,
)
from bert_tf.encoders.modernbert import LOCAL, SIZES, WHOLE
from bert_tf.layers import new_key

GOLDEN = pathlib.Path(__file__).parent / "golden"
TINY = ModernBertConfig(
    vocab_size=23,
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=10,
    max_position_embeddings=16,
    local_attention=4,
    hidden_dropout_prob=0.1,
    attention_probs_dropout_prob=0.1,
    mlp_dropout=0.1,
    pad_token_id=0,
    **dict.fromkeys(("bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"), 1),
)
BIASES = dict.fromkeys(
    ("norm_bias", "attention_bias", "mlp_bias", "classifier_bias", "decoder_bias"), True
)
LARGER = dataclasses.replace(TINY, num_hidden_layers=4, **BIASES)
PUBLISHED = {"modernbert-base": 149_014_272, "modernbert-large": 394_781_696}


def counted(config):
    """How many parameters the shapes come to; nothing is built."""
    width, inner = config.hidden_size, config.intermediate_size
    block = 4 * width * width + 3 * width * inner + 2 * width
    return config.vocab_size * width + 2 * width + config.num_hidden_layers * block - width


@each_check
@pytest.mark.parametrize("config", [TINY, pytest.param(LARGER, marks=pytest.mark.slow)])
def test_modernbert_keeps_the_contract_of_encoders(config, check):
    check(encoder_of(config))


def test_published_sizes_have_their_published_number_of_parameters():
    assert {name: counted(config) for name, config in SIZES.items()} == PUBLISHED
    assert build_encoder(TINY).count_params() == counted(TINY)
    base = SIZES["modernbert-base"]
    assert dataclasses.replace(base, classifier_pooling="cls") == ModernBertConfig()
    assert base.kinds[:4] == (WHOLE, LOCAL, LOCAL, WHOLE) and base.max_position_embeddings == 8192


@pytest.mark.parametrize("name", ["modernbert", "modernbert-biased"])
def test_the_numbers_are_those_of_transformers(name):
    model = load_task(GOLDEN / name)
    wanted = dict(np.load(GOLDEN / name / "outputs.npz"))
    inputs = {key: wanted[key].astype("int32") for key in ("input_ids", "attention_mask")}
    real = inputs["attention_mask"] > 0
    first = model.encoder(inputs, return_intermediates=True)["hidden_states"][1]
    np.testing.assert_allclose(first.numpy()[real], wanted["first"][real], atol=2e-5)
    got, want = np.asarray(model(inputs)), wanted["logits"]
    real = real if got.ndim == 3 else slice(None)
    np.testing.assert_allclose(got[real], want[real], atol=2e-5)


def test_every_value_of_a_config_of_transformers_5_is_read(tmp_path):
    model = load_task(GOLDEN / "modernbert-biased")
    config = model.encoder.config
    assert config.layer_types == config.kinds == (LOCAL, WHOLE, LOCAL)
    assert (config.global_rope_theta, config.local_rope_theta) == (50.0, 9.0)
    assert (config.hidden_act, config.layer_norm_eps) == ("silu", 1e-3)
    assert config.norm_bias and config.mlp_bias and config.classifier_pooling == "mean"
    model.save_pretrained(str(tmp_path))
    theirs, ours = (
        json.loads((folder / "config.json").read_text())
        for folder in (GOLDEN / "modernbert-biased", tmp_path)
    )
    ours.setdefault("tie_word_embeddings", True)
    # What says how they train, or what Hugging Face's files say of every model.
    apart = {"deterministic_flash_attn", "sparse_prediction", "sparse_pred_ignore_index"}
    apart |= {"dtype", "transformers_version", "problem_type"}
    assert {key: ours.get(key) for key in theirs.keys() - apart} == {
        key: theirs[key] for key in theirs.keys() - apart
    }


def test_a_config_of_transformers_4_is_read_and_names_of_bert_s_in_it_are_not():
    told = ModernBertConfig.from_dict(
        dict(vocab_size=50368, num_hidden_layers=6, global_attn_every_n_layers=2)
        | dict(global_rope_theta=7.0, local_rope_theta=3.0, norm_eps=1e-6, layer_norm_eps=0.5)
        | dict(hidden_act="relu", position_embedding_type="absolute", type_vocab_size=2)
    )
    assert told.kinds == (WHOLE, LOCAL) * 3 and told.layer_types is None
    assert (told.global_rope_theta, told.local_rope_theta) == (7.0, 3.0)
    assert (told.layer_norm_eps, told.hidden_act, told.type_vocab_size) == (1e-6, "gelu", 0)
    assert (told.pad_token_id, told.mlp_bias, told.decoder_bias) == (50283, False, True)
    small = ModernBertConfig.from_dict({"vocab_size": 30, "pad_token_id": 3})
    assert (small.pad_token_id, small.eos_token_id) == (3, None)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"layer_types": [WHOLE] * 3}, "layer_types: 3 entries, wanted one for each of"),
        ({"num_hidden_layers": 2, "layer_types": [WHOLE, "chunked"]}, "'chunked', wanted"),
        ({"rope_parameters": {WHOLE: {"rope_type": "yarn"}}}, "rope_type: 'yarn', here only"),
        ({"rope_parameters": "linear"}, "rope_parameters: 'linear', wanted an object"),
        ({"rope_parameters": {WHOLE: 3}}, "rope_parameters.full_attention: 3, wanted an object"),
        ({"global_rope_theta": 0}, "global_rope_theta: 0, wanted a number from 1e-06"),
        ({"mlp_dropout": 1.5}, "mlp_dropout: 1.5, wanted a number from 0 to 1"),
        ({"norm_bias": "no"}, "norm_bias: 'no', wanted true or false"),
        ({"classifier_pooling": "max"}, "classifier_pooling: 'max', wanted one of cls, mean"),
        ({"hidden_size": 36}, "hidden_size: 36, wanted an even number for each of 12"),
        ({"local_attention": 0}, "local_attention: 0, wanted 1 or more"),
        ({"classifier_dropout": None}, "classifier_dropout: None, wanted a number"),
    ],
)
def test_what_no_modernbert_has_is_one_line(values, told):
    with pytest.raises(InputError) as caught:
        ModernBertConfig.from_dict(values)
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_fewer_layers_keep_their_kinds_and_their_numbers():
    for name, kinds in (("modernbert", (WHOLE, LOCAL)), ("modernbert-biased", (LOCAL, WHOLE))):
        fewer = load_encoder(GOLDEN / name, num_hidden_layers=2)
        assert fewer.config.kinds == kinds
        whole = load_encoder(GOLDEN / name)
        ids = {"input_ids": np.arange(3, 22)[None]}
        before = fewer(ids, return_intermediates=True)["hidden_states"][1]
        after = whole(ids, return_intermediates=True)["hidden_states"][1]
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("tied", [True, False])
def test_a_head_of_masked_words_may_have_a_matrix_of_its_own(tied, tmp_path):
    config = dataclasses.replace(TINY, tie_word_embeddings=tied, decoder_bias=tied)
    model = oracles.randomize(MaskedLM(build_encoder(config)))
    head, batch = model.masked_lm_head, batch_of(config)
    x = np.asarray(model.encoder(batch)["sequence_output"], np.float64)
    inner = oracles.ACTIVATIONS["gelu"](x @ oracles.get(head, "dense.kernel"))
    inner -= inner.mean(-1, keepdims=True)
    inner /= np.sqrt(inner.var(-1, keepdims=True) + 1e-5)
    table = model.encoder.embeddings.word_embeddings if tied else head.output_embeddings
    want = inner * oracles.get(head, "norm.gamma") @ np.asarray(table, np.float64).T
    want = want + oracles.get(head, "output_bias") if tied else want
    np.testing.assert_allclose(model(batch), want, atol=3e-5)
    model.save_pretrained(str(tmp_path))
    back = load_task(tmp_path)
    assert back.encoder.config == config
    for ours, theirs in zip(model.weights, back.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_more_labels_keep_what_the_head_knows():
    model = oracles.randomize(SequenceClassifier(build_encoder(TINY), 2, ["a", "b"]))
    grown, batch = model.grown(["a", "b", "c"]), batch_of(TINY)
    np.testing.assert_allclose(grown(batch)[:, :2], model(batch), atol=1e-6)


def test_there_is_no_pooler():
    with pytest.raises(InputError, match="pooler: True, the family modernbert has none"):
        build_encoder(TINY, pooler=True)


def needed(encoder, length, **options):
    """The operations that a forward pass of one row of so many tokens comes down to, as traced."""
    batch = {name: tf.ones((1, length), tf.int32) for name in ("input_ids", "attention_mask")}
    function = tf.function(lambda: encoder(batch, **options)["sequence_output"])
    graph = function.get_concrete_function().graph
    found, open_ones = {}, [tensor.op for tensor in graph.outputs]
    while open_ones:
        op = open_ones.pop()
        if op.name not in found:
            found[op.name] = op
            open_ones += [tensor.op for tensor in op.inputs]
    return list(found.values())


def multiplications(ops):
    """How many multiplications their matrix products take."""
    total = 0
    for op in ops:
        if "MatMul" in op.type:
            inner = op.inputs[0].shape[-2 if op.get_attr(_first_transposed(op)) else -1]
            total += int(np.prod(op.outputs[0].shape)) * inner
    return total


def _first_transposed(op):
    return "transpose_a" if op.type == "MatMul" else "adj_x"


def largest(ops):
    """How many bytes their largest result has."""
    shapes = [(tensor.shape, tensor.dtype.size) for op in ops for tensor in op.outputs]
    return max(int(np.prod(shape)) * size for shape, size in shapes if shape.rank is not None)


def test_local_layers_work_and_keep_in_proportion_to_the_length_of_a_row():
    sizes = dict(max_position_embeddings=8192, local_attention=128, hidden_size=8)
    sizes |= dict(num_attention_heads=2, num_hidden_layers=1, intermediate_size=8)
    local = build_encoder(dataclasses.replace(TINY, **sizes, layer_types=(LOCAL,)))
    short, long = needed(local, 1024), needed(local, 8192)
    assert multiplications(long) == 8 * multiplications(short)
    assert largest(long) == 8 * largest(short)
    # Blocks of 64, which see 192: 2 heads of 4 numbers, scores and sums, besides what linear layers
    # take, in which a token is one row: 8 x 24, 8 x 8, 8 x 16, 8 x 8.
    token = 2 * 192 * 4 * 2 + 8 * (24 + 8 + 16 + 8)
    assert multiplications(long) == 8192 * token
    # A row that is no multiple of the window costs at most a third more a token.
    odd = multiplications(needed(local, 8192 - 63))
    assert odd < multiplications(long) * 1.02
    whole = build_encoder(dataclasses.replace(TINY, **sizes, layer_types=(WHOLE,)))
    pairs = needed(whole, 8192, return_intermediates=True)
    assert multiplications(pairs) > 20 * multiplications(long)
    # Nor do the others keep all pairs: what there is of them is within a loop.
    assert largest(needed(whole, 8192)) < 64 * 8192 * 8 * 4 < largest(pairs)


def test_the_tables_of_positions_are_computed_once_for_all_layers():
    counts = [
        [op.type for op in needed(build_encoder(TINY, num_hidden_layers=layers), 16)].count("Cos")
        for layers in (2, 3)
    ]
    assert counts == [2, 2]


def test_recomputation_and_skipped_layers_change_no_gradient_and_no_shape():
    encoder, batch, key = encoder_of(TINY), batch_of(TINY), new_key(3, 4)
    gradients = []
    for recompute in (False, True):
        encoder.recompute = recompute
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(encoder(batch, training=True, key=key)["sequence_output"] ** 2)
        gradients.append(tape.gradient(loss, [w.value for w in encoder.trainable_weights]))
    encoder.recompute = False
    for one, other in zip(*gradients, strict=True):
        one, other = (tf.convert_to_tensor(each) for each in (one, other))
        np.testing.assert_allclose(one, other, atol=1e-4, rtol=1e-4)
    dropping = oracles.randomize(build_encoder(TINY, layer_drop_rate=0.7))
    outputs = dropping(batch, training=True, key=key, return_intermediates=True)
    assert {x.shape for x in outputs["attentions"]} == {(3, 3, 7, 7)}
    assert dropping(batch, training=True, key=key)["sequence_output"].shape == (3, 7, 12)
