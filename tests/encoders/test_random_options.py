"""ModernBERT and DeBERTa with options at random, as transformers computes them, and back again."""

import random
import types

import numpy as np
import pytest

import bert_tf

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.slow

POSITIONS = 90
SMALL = dict(vocab_size=60, max_position_embeddings=POSITIONS)
ACTIVATIONS = ("gelu", "relu", "gelu_new", "silu")


def sizes(rnd):
    heads = rnd.choice([1, 2, 3])
    return SMALL | dict(
        hidden_size=heads * rnd.choice([4, 8]),
        num_attention_heads=heads,
        intermediate_size=rnd.choice([10, 24]),
        num_hidden_layers=rnd.choice([1, 2, 3, 5]),
    )


def modernbert(rnd):
    """A config of transformers, its newer or older keys."""
    fields = sizes(rnd) | dict(
        local_attention=rnd.choice([1, 2, 3, 7, 8, 16, 33, 128]),
        classifier_pooling=rnd.choice(["cls", "mean"]),
        classifier_activation=rnd.choice(ACTIVATIONS),
        hidden_activation=rnd.choice(ACTIVATIONS),
        norm_eps=rnd.choice([1e-5, 1e-2]),
        pad_token_id=rnd.choice([0, 4]),
        tie_word_embeddings=rnd.random() < 0.7,
        **{
            f"{part}_bias": rnd.random() < 0.5
            for part in ("norm", "attention", "mlp", "classifier", "decoder")
        },
        **{f"{name}_token_id": rnd.choice([None, 2]) for name in ("bos", "eos", "cls", "sep")},
    )
    thetas = [rnd.choice([10.0, 10000.0, 160000.0]) for _ in range(2)]
    if rnd.random() < 0.5:
        fields |= dict(global_attn_every_n_layers=rnd.choice([1, 2, 3, 4]))
        fields |= dict(zip(("global_rope_theta", "local_rope_theta"), thetas, strict=True))
    else:
        kinds = ["full_attention", "sliding_attention"]
        fields["layer_types"] = [rnd.choice(kinds) for _ in range(fields["num_hidden_layers"])]
        fields["rope_parameters"] = {
            kind: {"rope_type": "default", "rope_theta": theta}
            for kind, theta in zip(kinds, thetas, strict=True)
        }
    return transformers.ModernBertConfig(**fields)


def deberta(rnd):
    buckets, furthest = rnd.choice(
        [(-1, -1), (-1, 9), (-1, 33), (16, -1), (6, 24), (7, 20), (2, 9)]
    )
    return transformers.DebertaV2Config(
        **sizes(rnd),
        relative_attention=rnd.random() < 0.8,
        position_buckets=buckets,
        max_relative_positions=furthest,
        pos_att_type=rnd.choice([["p2c", "c2p"], ["c2p"], "p2c", [], "c2p|p2c", None]),
        share_att_key=rnd.random() < 0.5,
        norm_rel_ebd=rnd.choice(["layer_norm", "none"]),
        position_biased_input=rnd.random() < 0.5,
        type_vocab_size=rnd.choice([0, 1, 3]),
        conv_kernel_size=rnd.choice([0, 0, 3, 5]),
        conv_act=rnd.choice(["gelu", "relu", "silu"]),
        hidden_act=rnd.choice(ACTIVATIONS),
        pooler_hidden_act=rnd.choice(["gelu", "tanh", "relu"]),
        layer_norm_eps=rnd.choice([1e-7, 1e-3]),
        legacy=rnd.random() < 0.5,
        tie_word_embeddings=rnd.random() < 0.7,
    )


FAMILIES = {"ModernBert": (modernbert, 2e-5), "DebertaV2": (deberta, 5e-5)}
HEADS = (
    *("Model", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering"),
    *("ForMultipleChoice", "ForMaskedLM"),
)


def reference(family, head, seed, rnd):
    config = FAMILIES[family][0](rnd)
    if head in ("ForSequenceClassification", "ForTokenClassification"):
        config.num_labels = 4
    torch.manual_seed(seed)
    model = getattr(transformers, family + head)(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return model


def rows(config, head, seed):
    numbers = np.random.default_rng(seed)
    lengths = sorted(numbers.integers(1, POSITIONS + 1, 4), reverse=True)
    shape = (4, lengths[0] + numbers.integers(0, POSITIONS + 1 - lengths[0]))
    mask = (np.arange(shape[1]) < np.array(lengths)[:, None]).astype(int)
    ids = np.where(mask, numbers.integers(5, 60, shape), config.pad_token_id)
    batch = dict(input_ids=ids, attention_mask=mask)
    if getattr(config, "type_vocab_size", 0):
        batch["token_type_ids"] = numbers.integers(0, config.type_vocab_size, shape) * mask
    if head == "ForMultipleChoice":
        batch = {key: x.reshape(2, 2, -1) for key, x in batch.items()}
    return batch


def differences(model, ours, head, batch):
    """The largest difference of each output where there are tokens."""
    with torch.no_grad():
        want = model(**{key: torch.tensor(x) for key, x in batch.items()})
    got = ours({key: x.astype("int32") for key, x in batch.items()})
    if head == "Model":
        pairs = [(got["sequence_output"], want.last_hidden_state)]
    elif head == "ForQuestionAnswering":
        pairs = [(got[key], want[key]) for key in ("start_logits", "end_logits")]
    else:
        pairs = [(got, want.logits)]
    real = batch["attention_mask"] > 0
    for one, other in pairs:
        one, other = np.asarray(one), other.numpy()
        per_token = one.shape[:2] == real.shape and head != "ForMultipleChoice"
        assert one.shape == other.shape
        yield np.abs(one - other)[real if per_token else ...].max()


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_with_any_options_computes_the_same_and_comes_back(family, head, seed, tmp_path):
    rnd = random.Random(f"{family} {head} {seed}")
    model = reference(family, head, seed, rnd)
    model.save_pretrained(tmp_path / "theirs")
    load = bert_tf.load_encoder if head == "Model" else bert_tf.load_task
    ours = load(tmp_path / "theirs")
    tolerance, config = FAMILIES[family][1], model.config
    for number in range(2):
        batch = rows(config, head, 100 * seed + number)
        assert max(differences(model, ours, head, batch)) < tolerance, config
    ours.save_pretrained(str(tmp_path / "ours"))
    back = type(model).from_pretrained(tmp_path / "ours")
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, back.state_dict()[name]), name
    theirs, again = (types.SimpleNamespace(**x.config.to_dict()) for x in (model, back))
    apart = {"transformers_version", "dtype", "torch_dtype", "_name_or_path", "use_cache"}
    apart |= {"architectures", "global_attn_every_n_layers", "problem_type"}
    apart |= {"global_rope_theta", "local_rope_theta"}
    for values in (theirs, again):  # null and an empty list say the same
        values.pos_att_type = getattr(values, "pos_att_type", None) or []
    kept = {key: value for key, value in vars(theirs).items() if key not in apart}
    assert kept == {key: vars(again).get(key) for key in kept}
