"""Sizes are read off the tensors; a config with others is refused before anything is built."""

from types import SimpleNamespace as Config

import pytest

from bert_tf.conversion.saving import FAMILIES
from bert_tf.conversion.sizes import check_own_heads, check_sizes, config_of, sizes_of
from bert_tf.conversion.table import TRANSPOSED, StoredTensor
from bert_tf.errors import InputError

SIZES = dict(
    vocab_size=16,
    max_position_embeddings=10,
    type_vocab_size=2,
    num_languages=None,
    embedding_size=6,
    hidden_size=8,
    true_hidden_size=8,
    intermediate_size=12,
    num_hidden_layers=3,
    num_hidden_groups=2,
    inner_group_num=2,
    relative_rows=14,
    position_rows=10,
    type_rows=2,
)
VECTORS = {
    "attention_norm.gamma": (8,),
    "feed_forward_norm.gamma": (8,),
    "feed_forward.expand.bias": (12,),
    "feed_forward.contract.kernel": (12, 8),
}


def tensors_of(layout):
    """The tensors that tell sizes, under the names of a layout: 3 layers, or 2 groups of 2."""
    shapes = {
        "embeddings.word_embeddings": (16, 6),
        "embeddings.position_embeddings": (10, 6),
        "embeddings.token_type_embeddings": (2, 6),
        "embeddings.norm.gamma": (8,),  # of the model's width where its words are narrower
        "positions.vectors": (14, 8),
    }
    found = {}
    for row in layout.encoder:
        last = ".".join(row.ours.split(".")[-3 if "feed_forward." in row.ours else -2 :])
        if row.ours in shapes:
            found[row.names[0]] = shapes[row.ours]
        elif last in VECTORS:
            numbers = range(2 if "{j}" in row.ours else 3)
            rows = [row.at("i", i).at("j", j) for i in numbers for j in range(2)]
            shape = VECTORS[last][:: -1 if row.transform is TRANSPOSED else 1]
            found |= {each.names[0]: shape for each in rows}
    return {name: StoredTensor("f", shape, "float32", None) for name, shape in found.items()}


@pytest.mark.parametrize(
    ("name", "format"),
    [
        (name, format)
        for name, family in FAMILIES.items()
        for format in family.layouts
        if family.is_published  # the others have tests of their own: they have no such layers
    ],
)
def test_every_family_tells_its_sizes_in_every_format(name, format):
    family = FAMILIES[name]
    layout = family.layouts[format]
    told = sizes_of(family.sizes, layout.encoder, tensors_of(layout))
    assert {key: size.value for key, size in told.items()} == {key: SIZES[key] for key in told}
    assert {"vocab_size", "hidden_size", "intermediate_size"} <= told.keys()
    check_sizes(Config(**SIZES), told, "config.json", "weights")
    for key in told:
        wrong = Config(**SIZES | {key: 2_000_000_000})
        with pytest.raises(InputError, match=f"config.json: .* weights: {key}: 2000000000, but "):
            check_sizes(wrong, told, "config.json", "weights")


def test_a_tensor_that_is_missing_or_has_no_such_axis_fits_no_size():
    layout = FAMILIES["bert"].layouts["huggingface"]
    tensors = tensors_of(layout)
    del tensors["embeddings.word_embeddings.weight"]
    tensors["embeddings.position_embeddings.weight"] = StoredTensor("f", (), "float32", None)
    told = sizes_of(FAMILIES["bert"].sizes, layout.encoder, tensors)
    with pytest.raises(InputError) as caught:
        check_sizes(Config(**SIZES), told, "config.json", "weights")
    assert "vocab_size: 16, but there is no embeddings.word_embeddings.weight" in str(caught.value)
    assert "10, but embeddings.position_embeddings.weight is []" in str(caught.value)


def test_positions_that_are_computed_stand_in_no_file():
    layout = FAMILIES["bert"].layouts["bert_tf"]
    tensors = tensors_of(layout)
    del tensors["embeddings.position_embeddings"]
    told = sizes_of(FAMILIES["bert"].sizes, layout.encoder, tensors)
    check_sizes(Config(position_embedding="sinusoidal", **SIZES), told, "config.json", "weights")


def test_where_there_is_no_config_the_number_of_heads_follows_from_their_width():
    layout = FAMILIES["electra"].layouts["google"]
    told = sizes_of(FAMILIES["electra"].sizes, layout.encoder, tensors_of(layout))
    config = config_of(told, 4)
    assert (config["num_attention_heads"], config["embedding_size"]) == (2, 6)
    assert config_of(told, 64)["num_attention_heads"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head_layers": [5, [10**12, "relu"]]}, "bert_tf.head_layers: a width of 1000000000000"),
        ({"head_layers": [5, 6, 7]}, "head.hidden.2.bias in weights is not there"),
        ({"extra_labels": {"q": {"of": "cloze"}, "a": {"num_labels": 10**9}}}, "is [3]"),
        ({"extra_labels": {"a": {}}}, "extra_labels: a width of None"),
    ],
)
def test_heads_of_our_own_that_are_wider_than_their_tensors_are_refused(options, message):
    shapes = {"head.hidden.0.bias": (5,), "head.hidden.1.bias": (6,)}
    shapes["label_heads.0.projection.bias"] = (3,)
    tensors = {name: StoredTensor("f", shape, "float32", None) for name, shape in shapes.items()}
    fits = {"head_layers": [5, [6, "relu"]], "extra_labels": {"a": {"num_labels": 3}}}
    check_own_heads(fits, tensors, "config.json", "weights")
    check_own_heads({"head_layers": None, "extra_labels": 3}, tensors, "config.json", "weights")
    with pytest.raises(InputError) as caught:
        check_own_heads(options, tensors, "config.json", "weights")
    assert message in str(caught.value)
