"""Every option of the published families computes what transformers' PyTorch classes compute."""

import json

import numpy as np
import pytest

from bert_tf import load_encoder, load_task

pytestmark = pytest.mark.slow
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SMALL = dict(
    vocab_size=60,
    hidden_size=24,
    num_hidden_layers=3,
    num_attention_heads=4,
    intermediate_size=40,
    max_position_embeddings=32,
)
SIZES = {
    "Bert": SMALL,
    "Roberta": SMALL | dict(layer_norm_eps=1e-5),
    "XLMRoberta": SMALL,
    "Albert": SMALL | dict(embedding_size=8),
    "Electra": SMALL | dict(embedding_size=8),
    "DistilBert": dict(
        vocab_size=60, dim=24, n_layers=3, n_heads=4, hidden_dim=40, max_position_embeddings=32
    ),
    "MobileBert": SMALL | dict(embedding_size=8, intra_bottleneck_size=16),
}
# What transformers has besides has weights of its own, or is no activation of an encoder.
ACTIVATIONS = sorted(
    set(transformers.activations.ACT2CLS) - {"laplace", "prelu", "sqrtsoftplus", "xielu"}
)
UNTIED = {"tie_word_embeddings": False}
CASES = [
    *(("Bert", "MaskedLM", {"hidden_act": name}) for name in ACTIVATIONS),
    *(("DistilBert", "MaskedLM", {"activation": name}) for name in ("relu", "gelu_new", "silu")),
    ("Roberta", "MaskedLM", {"hidden_act": "relu"}),
    ("Electra", "MaskedLM", {"hidden_act": "relu"}),
    ("Electra", "PreTraining", {"hidden_act": "gelu_new"}),
    ("Electra", "SequenceClassification", {"hidden_act": "relu"}),
    ("Albert", "PreTraining", {"hidden_act": "relu"}),
    ("MobileBert", "PreTraining", {"hidden_act": "gelu"}),
    *((family, "MaskedLM", UNTIED) for family in SIZES),
    ("Bert", "PreTraining", UNTIED),
    ("Bert", "Model", {"type_vocab_size": 5, "layer_norm_eps": 1e-3}),
    ("Bert", "SequenceClassification", {"num_labels": 1}),
    ("Bert", "SequenceClassification", {"problem_type": "multi_label_classification"}),
    ("Roberta", "Model", {"pad_token_id": 0}),
    ("Roberta", "Model", {"pad_token_id": 7, "type_vocab_size": 3}),
    ("XLMRoberta", "MultipleChoice", {"pad_token_id": 3}),
    ("Albert", "Model", {"num_hidden_groups": 2, "inner_group_num": 2, "num_hidden_layers": 5}),
    ("Albert", "MaskedLM", {"embedding_size": 24}),
    ("Electra", "MaskedLM", {"embedding_size": 24}),
    *(("Electra", "MultipleChoice", {"summary_activation": x}) for x in ("tanh", "linear")),
    ("Electra", "MultipleChoice", {"summary_last_dropout": 0.25}),
    ("DistilBert", "Model", {"sinusoidal_pos_embds": True}),
    ("DistilBert", "MultipleChoice", {"seq_classif_dropout": 0.35, "qa_dropout": 0.15}),
    ("MobileBert", "Model", {"normalization_type": "layer_norm", "layer_norm_eps": 1e-3}),
    ("MobileBert", "Model", {"trigram_input": False}),
    ("MobileBert", "MaskedLM", {"trigram_input": False, "embedding_size": 24}),
    ("MobileBert", "Model", {"use_bottleneck": False, "normalization_type": "layer_norm"}),
    ("MobileBert", "Model", {"use_bottleneck_attention": True}),
    (
        "MobileBert",
        "Model",
        {"use_bottleneck_attention": True, "key_query_shared_bottleneck": False},
    ),
    (
        "MobileBert",
        "SequenceClassification",
        {"key_query_shared_bottleneck": False, "intra_bottleneck_size": 24},
    ),
    ("MobileBert", "Model", {"num_feedforward_networks": 1}),
    ("MobileBert", "Model", {"classifier_activation": False}),
    ("MobileBert", "SequenceClassification", {"classifier_activation": False}),
]
OUTPUTS = {
    "last_hidden_state": "sequence_output",
    "pooler_output": "pooled_output",
    "prediction_logits": "masked_lm_logits",
    "seq_relationship_logits": "sentence_logits",
    "sop_logits": "sentence_logits",
    "logits": "logits",
}


def theirs(family, head, changes, seed=0):
    """A model of transformers with random weights."""
    torch.manual_seed(seed)
    config = getattr(transformers, f"{family}Config")(**SIZES[family] | changes)
    name = f"{family}Model" if head == "Model" else f"{family}For{head}"
    model = getattr(transformers, name)(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def rows(model, head, seed=1):
    """Rows of which three are padded."""
    numbers, config = np.random.default_rng(seed), model.config
    pad = config.pad_token_id or 0
    mask = np.arange(11) < np.array([[11], [6], [1], [9]])
    ids = numbers.integers(10, 60, mask.shape)
    batch = {"input_ids": np.where(mask, ids, pad), "attention_mask": mask.astype(int)}
    types = getattr(config, "type_vocab_size", 0)
    if types > 1:
        batch["token_type_ids"] = numbers.integers(0, types, mask.shape) * mask
    if head == "MultipleChoice":
        batch = {name: values.reshape(2, 2, 11) for name, values in batch.items()}
    return batch


def compare(model, batch, folder, head, given=None, without=()):
    """Loads a model of transformers, compares outputs, and gives tensors back to it."""
    with torch.no_grad():
        want = model(**{name: torch.tensor(values) for name, values in batch.items()})
    model.save_pretrained(f"{folder}/theirs")
    load = load_encoder if head == "Model" else load_task
    ours = load(f"{folder}/theirs")
    got = ours({n: x.astype("int32") for n, x in (given or batch).items()})
    got = got if isinstance(got, dict) else {"logits": got}
    real = batch["attention_mask"].astype(bool)
    for name, mine in OUTPUTS.items():
        if getattr(want, name, None) is not None and name not in without:
            one, other = np.asarray(got[mine]), getattr(want, name).numpy()
            assert one.shape == other.shape
            tokens = one.ndim > 1 and one.shape[:2] == real.shape and head != "MultipleChoice"
            one, other = (one[real], other[real]) if tokens else (one, other)
            np.testing.assert_allclose(one, other, atol=2e-5)
    ours.save_pretrained(f"{folder}/ours")
    back = type(model).from_pretrained(f"{folder}/ours")
    before, after = model.state_dict(), back.state_dict()
    assert set(before) == set(after)
    assert [name for name in before if not torch.equal(before[name], after[name])] == []
    return back


@pytest.mark.parametrize(
    ("family", "head", "changes"), CASES, ids=lambda x: x if isinstance(x, str) else json.dumps(x)
)
def test_an_option_computes_and_comes_back_the_same(family, head, changes, tmp_path):
    model = theirs(family, head, changes)
    back = compare(model, rows(model, head), tmp_path, head)
    config, again = model.config.to_dict(), back.config.to_dict()
    aside = {"_name_or_path", "architectures", "transformers_version", "dtype", "problem_type"}
    lost = {x: (config[x], again.get(x)) for x in config if config[x] != again.get(x)}
    assert {name: pair for name, pair in lost.items() if name not in aside} == {}


@pytest.mark.parametrize("family", ["Roberta", "XLMRoberta"])
def test_padding_within_a_text_and_explicit_positions_are_roberta_s(family, tmp_path):
    model = theirs(family, "Model", {})
    batch = rows(model, "Model")
    batch["input_ids"][0, 4] = batch["input_ids"][1, 0] = 1  # attended to, and not counted
    compare(model, batch, tmp_path / "a", "Model")
    before = {name: values[:, ::-1].copy() for name, values in rows(model, "Model").items()}
    compare(model, before, tmp_path / "c", "Model", without=("pooler_output",))
    places = np.random.default_rng(2).integers(0, 30, batch["input_ids"].shape)
    # Ours are counted from 0 in every family, theirs are rows of the table.
    explicit = batch | {"position_ids": places + 2}
    compare(model, explicit, tmp_path / "b", "Model", batch | {"position_ids": places})


@pytest.mark.parametrize("family", ["Bert", "Albert", "Electra", "DistilBert"])
def test_explicit_positions_are_rows_of_the_table(family, tmp_path):
    model = theirs(family, "Model", {})
    batch = rows(model, "Model")
    batch["position_ids"] = np.random.default_rng(2).integers(0, 32, batch["input_ids"].shape)
    compare(model, batch, tmp_path, "Model")
