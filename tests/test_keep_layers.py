"""Some of the layers of a model: `keep_layers`."""

import numpy as np
import pytest

from bert_tf import (
    AlbertConfig,
    ElmoConfig,
    Gpt2Config,
    ModernBertConfig,
    build_encoder,
    load_encoder,
    load_task,
)
from bert_tf.errors import InputError
from bert_tf.loading.cutting import kept_layers
from tests import tiny

IDS = {"input_ids": np.array([[2, 9, 6, 7, 3, 0], [2, 5, 8, 3, 0, 0]], "int32")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deep")
    encoder = build_encoder(tiny.config(num_hidden_layers=4, initializer_range=0.5))
    model = type(tiny.classifier())(encoder, 2, ["bad", "good"])
    model.data_settings = {"text": "text", "max_length": 24}
    model.save_pretrained(str(folder), tiny.tokenizer(folder / "tokenizer"))
    return folder


def test_the_layers_that_stay_are_those_that_were_named(folder):
    whole, cut = load_encoder(folder), load_encoder(folder, keep_layers=[0, 2])
    assert cut.config.num_hidden_layers == len(cut.blocks) == 2
    for layer, block in zip((0, 2), cut.blocks, strict=True):
        for one, other in zip(whole.blocks[layer].weights, block.weights, strict=True):
            np.testing.assert_array_equal(one, other)
    states = whole(IDS, return_intermediates=True)["hidden_states"]
    np.testing.assert_array_equal(
        cut(IDS, return_intermediates=True)["hidden_states"][1], states[1]
    )
    lowest = load_encoder(folder, num_hidden_layers=2)
    np.testing.assert_array_equal(
        load_encoder(folder, keep_layers=[0, 1])(IDS)["pooled_output"], lowest(IDS)["pooled_output"]
    )


def test_a_task_keeps_its_head_and_what_it_knows_of_its_data(folder, tmp_path):
    model = load_task(folder, keep_layers=[1, 3])
    assert model.label_names == ["bad", "good"] and model.data_settings["max_length"] == 24
    np.testing.assert_array_equal(
        model.head.projection.kernel, load_task(folder).head.projection.kernel
    )
    model.save_pretrained(str(tmp_path))
    np.testing.assert_array_equal(load_task(tmp_path)(IDS), model(IDS))


@pytest.mark.parametrize("layers", [[], [0, 0], [2, 1], [4], [-1], [True], [0.0], "01", 2])
def test_what_is_no_list_of_layers_is_one_line(folder, layers):
    with pytest.raises(InputError, match="keep_layers: .*wanted numbers of layers from 0 to 3 in "):
        load_encoder(folder, keep_layers=layers)


def test_layers_that_share_weights_may_go_and_groups_may_not():
    sizes = tiny.sizes(num_hidden_layers=4, embedding_size=4)
    one = build_encoder(AlbertConfig(**sizes))
    assert len(kept_layers(one, [0, 3]).blocks) == 2
    with pytest.raises(InputError, match="share weights in groups"):
        kept_layers(build_encoder(AlbertConfig(**sizes, num_hidden_groups=2)), [0, 3])


def test_a_layer_never_stands_where_another_make_belongs():
    sizes = tiny.sizes(num_hidden_layers=4, hidden_size=16)
    assert len(kept_layers(build_encoder(Gpt2Config(**sizes)), [1, 3]).blocks) == 2
    local = build_encoder(ModernBertConfig(**sizes, global_attn_every_n_layers=2))
    with pytest.raises(InputError, match="layer 1 of this modernbert is of another make"):
        kept_layers(local, [1, 2])
    cut = kept_layers(local, [0, 1])
    np.testing.assert_array_equal(
        cut(IDS, return_intermediates=True)["hidden_states"][1],
        local(IDS, return_intermediates=True)["hidden_states"][1],
    )


@pytest.mark.parametrize("layers", [[0], [0, 2], [0, 1, 2]])
def test_a_mixture_of_layers_is_that_of_those_that_stay(layers, tmp_path):
    sizes = tiny.sizes(num_hidden_layers=3, num_attention_heads=0, type_vocab_size=0)
    whole = build_encoder(ElmoConfig(**sizes, initializer_range=0.5))
    scores = np.array([0.5, -1.0, 2.0, 1.0], "float32")  # of the embeddings and of each layer
    whole.mix.set_weights([scores, np.array([1.5], "float32")])
    whole.save_pretrained(str(tmp_path))
    cut = load_encoder(tmp_path, keep_layers=layers)
    found = cut(IDS, return_intermediates=True)
    shares = np.exp(scores[[0, *(layer + 1 for layer in layers)]])
    states = np.stack(found["hidden_states"])
    wanted = 1.5 * np.tensordot(shares / shares.sum(), states, 1)
    np.testing.assert_allclose(found["sequence_output"], wanted, atol=1e-6)
    both = whole(IDS, return_intermediates=True)["hidden_states"]
    np.testing.assert_array_equal(states[:2], np.stack(both[:2]))
