"""What matters least goes: importance against plain differences, smaller models against masks."""

import keras
import numpy as np
import pytest

from bert_tf import (
    AlbertConfig,
    Gpt2Config,
    InputError,
    LstmConfig,
    ModernBertConfig,
    RobertaConfig,
    SequenceClassifier,
    build_encoder,
    load_task,
)
from bert_tf.compression import pruning
from bert_tf.compression.pruning import (
    Importance,
    Kept,
    choose,
    importance,
    pruned,
    require_prunable,
)
from bert_tf.layers.linear import updated
from bert_tf.loading.cutting import kept_layers_of_task
from tests import tiny

INPUTS = tiny.rows()
LABELS = np.array([0, 1, 1])
STILL = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.5)


def classifier(config=None):
    keras.utils.set_random_seed(5)
    return SequenceClassifier(
        build_encoder(config or tiny.config(num_hidden_layers=2, **STILL)), 2, ["bad", "good"]
    )


def masked(model, kept):
    """What a model answers while what goes is multiplied by 0."""
    updates = {}
    for number, block in enumerate({id(x): x for x in model.encoder.blocks}.values()):
        places = pruning._places(block)
        of_block = iter(kept.neurons[number] if kept.neurons else [])
        for heads, linear in places:
            factor = np.zeros(linear.kernel.shape[0], "float32")
            if heads is None:
                factor[next(of_block, slice(None))] = 1
            else:
                some = kept.heads[number] if kept.heads else slice(None)
                factor.reshape(heads, -1)[some] = 1
            rows = np.tile(factor, (len(LABELS), 1))
            updates[id(linear)] = pruning._factored(linear, rows)
    with updated(updates):
        return np.array(model(INPUTS))


@pytest.mark.parametrize(
    ("config", "heads", "neurons"),
    [
        (None, [[1], [0]], [[[0, 3, 30]], [[5, 6, 31]]]),
        (AlbertConfig(**tiny.sizes(embedding_size=4, **STILL)), [[1]], [[[0, 11]]]),
        (RobertaConfig(**tiny.sizes(**STILL, pad_token_id=0)), [[0], [0]], None),
        (ModernBertConfig(**tiny.sizes(initializer_range=0.5)), None, [[[1, 2]], [[0, 9]]]),
        (Gpt2Config(**tiny.sizes(**STILL)), None, [[[1, 2, 3]], [[0, 9, 11]]]),
    ],
    ids=["bert", "albert", "roberta", "modernbert", "gpt2"],
)
def test_the_smaller_model_answers_as_the_whole_one_under_a_mask(config, heads, neurons, tmp_path):
    model = classifier(config)
    model.data_settings = {"text": "text", "max_length": 9}
    kept = Kept([0, 1], heads, neurons)
    smaller = pruned(model, kept)
    wanted = masked(model, kept)
    assert np.abs(wanted - np.array(model(INPUTS))).max() > 1e-3
    np.testing.assert_allclose(smaller(INPUTS), wanted, atol=2e-6, rtol=2e-6)
    assert smaller.count_params() < model.count_params()
    smaller.save_pretrained(str(tmp_path))
    again = load_task(tmp_path)
    assert again.count_params() == smaller.count_params()
    assert again.encoder.config == smaller.encoder.config and again.data_settings["max_length"] == 9
    np.testing.assert_array_equal(again(INPUTS), smaller(INPUTS))
    told = (tmp_path / "config.json").read_text()
    assert ("attention_head_size" in told) == ('"model_type": "bert_tf"' in told) == bool(heads)


@pytest.mark.slow  # needs torch and transformers
def test_fewer_neurons_and_layers_open_in_transformers(tmp_path):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    model = pruned(classifier(), Kept([1], None, [[[0, 3, 30]]]))
    model.save_pretrained(str(tmp_path))
    there = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    assert (there.config.intermediate_size, there.config.num_hidden_layers) == (3, 1)
    found = there(**{name: torch.tensor(x).long() for name, x in INPUTS.items()}).logits
    np.testing.assert_allclose(found.detach().numpy(), model(INPUTS), atol=1e-5)


def losses(model):
    """The loss of each row, float64 [3]."""
    logits = np.array(model(INPUTS), np.float64)
    logits -= logits.max(-1, keepdims=True)
    return np.log(np.exp(logits).sum(-1)) - logits[range(3), LABELS]


def test_importance_is_the_mean_slope_of_rows_losses():
    model = classifier()
    found = importance(
        model, [(INPUTS, LABELS), ({k: x[:2] for k, x in INPUTS.items()}, LABELS[:2])], True
    )
    assert len(found) == 2 and found[0].heads.shape == (2,) and found[0].neurons[0].shape == (32,)

    def slopes(parts):
        """By central differences, of kernels' rows that read these parts."""
        step, ends = 1e-2, []
        for sign in (1, -1):
            before = [(x, np.array(x)) for x, _ in parts]
            for kernel, rows in parts:
                value = np.array(kernel)
                value[rows] *= 1 + sign * step
                kernel.assign(value)
            ends.append(losses(model))
            for kernel, value in before:
                kernel.assign(value)
        each = np.abs(ends[0] - ends[1]) / (2 * step)
        return (each.sum() + each[:2].sum()) / 5

    block = model.encoder.blocks[1]
    heads, neurons = block.attention.projection.kernel, block.feed_forward.contract.kernel
    np.testing.assert_allclose(found[1].heads[1], slopes([(heads, slice(8, 16))]), rtol=2e-2)
    np.testing.assert_allclose(found[1].neurons[0][7], slopes([(neurons, [7])]), rtol=2e-2)
    each = losses(kept_layers_of_task(model, [0])) - losses(model)
    np.testing.assert_allclose(found[1].whole, (each.sum() + each[:2].sum()) / 5, rtol=1e-4)


FOUND = [
    Importance(np.array(x), [np.array([3.0, 1, 2])], y) for x, y in (([1.0, 2], 1), ([4, 3], 3))
]
FOUND.append(Importance(np.array([1.0, 5]), [np.array([0.0, 1, 2])], 2))


def test_what_matters_most_stays_in_its_order():
    assert choose(FOUND, 3, 2, 1, 2) == Kept([1, 2], [[0], [1]], [[[0, 2]], [[1, 2]]])
    assert choose(FOUND, 3, [0, 2], None, 1) == Kept([0, 2], None, [[[0]], [[2]]])
    assert choose(FOUND[:1], 12, 6, 1) == Kept(list(range(6)), [[1]], None)
    assert choose([], 3, (1,)) == Kept([1], None, None)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"heads": 3}, "heads: 3, wanted at most 2, which a layer has"),
        ({"heads": 0}, "heads: 0, wanted 1 to 2, which a layer has"),
        ({"neurons": 0}, "neurons: 0, wanted 1 to 3, which a layer has"),
        ({"layers": 0}, "layers: 0, wanted 1 to 3, which the encoder has"),
        ({"neurons": 4}, "neurons: 4, wanted at most 3, which a layer has"),
        ({"layers": 4}, "layers: 4, wanted at most 3, which the encoder has"),
        ({"layers": [0, 3]}, "layers: [0, 3], wanted numbers from 0 to 2 in rising order"),
        ({"layers": [1, 0]}, "layers: [1, 0], wanted numbers from 0 to 2 in rising order"),
    ],
)
def test_more_than_there_is_is_one_line(given, line):
    with pytest.raises(InputError) as told:
        choose(FOUND, 3, **given)
    assert str(told.value) == line


def test_a_family_whose_heads_cannot_be_fewer_says_so():
    model = classifier(Gpt2Config(**tiny.sizes(**STILL)))
    with pytest.raises(InputError, match="heads: 1, and all heads of a gpt2 together are as wide"):
        pruned(model, Kept([0, 1], [[0], [1]], None))
    with pytest.raises(InputError, match="attention_head_size: 2, wanted None: a gpt2 has none"):
        Gpt2Config(**tiny.sizes(attention_head_size=2))
    with pytest.raises(InputError, match="attention_head_size: 5, wanted at most 4 with 2 heads"):
        RobertaConfig(**tiny.sizes(attention_head_size=5))


@pytest.mark.parametrize(
    ("config", "given", "line"),
    [
        (Gpt2Config(**tiny.sizes(**STILL)), {"heads": 1}, "heads: 1, and all heads of a gpt2"),
        (tiny.config(**STILL), {"heads": 3}, "heads: 3, wanted at most 2, which a layer has"),
        (tiny.config(**STILL), {"neurons": 99}, "neurons: 99, wanted at most "),
        (tiny.config(**STILL), {"layers": 9}, "layers: 9, wanted at most "),
        (
            LstmConfig(**tiny.sizes(num_attention_heads=0, type_vocab_size=0)),
            {"layers": 1},
            "layers of a lstm have no heads or neurons",
        ),
    ],
)
def test_what_cannot_be_pruned_is_told_before_any_row_is_read(config, given, line):
    with pytest.raises(InputError, match=line):
        require_prunable(classifier(config), **given)


def test_what_can_be_pruned_is_let_through():
    require_prunable(classifier(tiny.config(**STILL)), layers=1, heads=1, neurons=2)
