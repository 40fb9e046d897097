"""GPT-2's table: the published names and shapes, its config's names, old files, both ways."""

import json

import numpy as np
import oracles
import pytest
from safetensors.numpy import load_file, save_file

from bert_tf import (
    CausalLM,
    Gpt2Config,
    InputError,
    SequenceClassifier,
    TokenClassifier,
    build_encoder,
    load_encoder,
    load_task,
)
from tests import tiny

CONFIG = Gpt2Config(**tiny.sizes(vocab_size=16), eos_token_id=2, bos_token_id=2)
HEADS = {
    "GPT2LMHeadModel": {},
    "GPT2ForSequenceClassification": {"score.weight": (3, 8)},
    "GPT2ForTokenClassification": {"classifier.weight": (3, 8), "classifier.bias": (3,)},
}
TASKS = {
    "GPT2LMHeadModel": CausalLM,
    "GPT2ForSequenceClassification": lambda encoder: SequenceClassifier(encoder, 3),
    "GPT2ForTokenClassification": lambda encoder: TokenClassifier(encoder, 3),
}


def made(kind=CausalLM, **changes):
    return oracles.randomize(kind(build_encoder(CONFIG, **changes)))


def same_weights(first, second):
    pairs = list(zip(first.weights, second.weights, strict=True))
    return all(np.array_equal(a.numpy(), b.numpy()) for a, b in pairs)


@pytest.mark.parametrize("architecture", TASKS)
def test_hugging_face_s_names_and_shapes_are_the_published_ones(tmp_path, architecture):
    model = made(TASKS[architecture])
    model.save_pretrained(str(tmp_path))
    saved = json.loads((tmp_path / "config.json").read_text())
    assert saved["architectures"] == [architecture] and saved["model_type"] == "gpt2"
    shapes = {name: x.shape for name, x in load_file(tmp_path / "model.safetensors").items()}
    trunk = {name: shapes.pop(name) for name in [*shapes] if name.startswith("transformer.")}
    assert shapes == HEADS[architecture]
    assert len(trunk) == 2 + 2 * 12 + 2
    # Conv1D: [in, out].
    assert trunk["transformer.h.1.attn.c_attn.weight"] == (8, 24)
    assert trunk["transformer.h.1.mlp.c_fc.weight"] == (8, 12)
    assert trunk["transformer.wpe.weight"] == (10, 8)
    back = load_task(tmp_path)
    assert type(back) is type(model) and same_weights(model, back)
    assert same_weights(load_encoder(tmp_path), model.encoder)


def test_the_config_has_openai_s_names_and_every_value_comes_back(tmp_path):
    changes = dict(
        hidden_act="relu",
        embedding_dropout_prob=0.3,
        hidden_dropout_prob=0.2,
        attention_probs_dropout_prob=0.25,
        layer_norm_eps=1e-6,
        scale_attn_weights=False,
        scale_attn_by_inverse_layer_idx=True,
        reorder_and_upcast_attn=True,
        pad_token_id=1,
        tie_word_embeddings=False,
    )
    model = made(**changes)
    model.save_pretrained(str(tmp_path))
    saved = json.loads((tmp_path / "config.json").read_text())
    theirs = dict(n_embd=8, n_layer=2, n_head=2, n_inner=12, n_positions=10, resid_pdrop=0.2)
    theirs |= dict(activation_function="relu", embd_pdrop=0.3, attn_pdrop=0.25)
    assert theirs.items() <= saved.items() and saved["layer_norm_epsilon"] == 1e-6
    assert "hidden_size" not in saved and "type_vocab_size" not in saved
    back = load_task(tmp_path)
    assert back.encoder.config == model.encoder.config and same_weights(model, back)
    assert "lm_head.weight" in load_file(tmp_path / "model.safetensors")


def test_without_n_inner_the_inner_layer_is_four_times_as_wide(tmp_path):
    made(intermediate_size=32).save_pretrained(str(tmp_path))
    file = tmp_path / "config.json"
    config = json.loads(file.read_text())
    for value in (None, "absent"):
        config["n_inner"] = value
        if value:
            del config["n_inner"]
        file.write_text(json.dumps(config))
        assert load_task(tmp_path).encoder.config.intermediate_size == 32


def test_files_as_they_were_published_open(tmp_path):
    """The hub's `gpt2` has no prefix, masks of every block, and the output matrix or not."""
    model = made()
    model.save_pretrained(str(tmp_path))
    file = tmp_path / "model.safetensors"
    tensors = {name.removeprefix("transformer."): x for name, x in load_file(file).items()}
    for block in range(2):
        tensors[f"h.{block}.attn.bias"] = np.ones((1, 1, 10, 10), "uint8")
        tensors[f"h.{block}.attn.masked_bias"] = np.array(-1e4, "float32")
    for tied in (False, True):
        if tied:
            tensors["lm_head.weight"] = tensors["wte.weight"]
        save_file(tensors, file)
        assert same_weights(load_task(tmp_path), model)
        assert same_weights(load_encoder(tmp_path), model.encoder)
    save_file(tensors | {"lm_head.weight": tensors["wte.weight"] + 1}, file)
    with pytest.raises(InputError, match="lm_head.weight must equal transformer.wte.weight"):
        load_task(tmp_path)


def test_labels_are_counted_where_the_projection_has_no_bias(tmp_path, caplog):
    made(TASKS["GPT2ForSequenceClassification"]).save_pretrained(str(tmp_path))
    file = tmp_path / "config.json"
    config = json.loads(file.read_text())
    config["id2label"] = {"0": "LABEL_0", "1": "LABEL_1"}
    file.write_text(json.dumps(config))
    assert load_task(tmp_path).num_labels == 3
    assert "id2label says 2 labels, but score.weight in model.safetensors is [3, 8]" in caplog.text


def test_a_classifier_is_saved_with_the_padding_of_its_tokenizer(tmp_path):
    model = made(TASKS["GPT2ForSequenceClassification"], vocab_size=len(tiny.vocabulary()))
    tokenizer = tiny.tokenizer(tmp_path / "vocabulary")
    for given, pad in ((None, None), (tokenizer, tokenizer.pad_id)):
        model.save_pretrained(str(tmp_path / "model"), given)
        saved = json.loads((tmp_path / "model" / "config.json").read_text())
        assert saved["pad_token_id"] == pad and same_weights(load_task(tmp_path / "model"), model)


def test_a_pooling_of_its_own_goes_into_our_own_format(tmp_path):
    model = made(lambda encoder: SequenceClassifier(encoder, 3, pooling="mean"))
    model.save_pretrained(str(tmp_path))
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "bert_tf"
    back = load_task(tmp_path)
    assert back.pooling == "mean" and same_weights(back, model)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"scale_attn_weights": False, "n_inner": 20},
        {"scale_attn_by_inverse_layer_idx": True, "reorder_and_upcast_attn": True},
        {"tie_word_embeddings": False, "activation_function": "relu"},
        {"activation_function": "tanh", "layer_norm_epsilon": 1e-3},
    ],
)
def test_every_option_computes_what_transformers_computes(tmp_path, changes):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(1)
    sizes = dict(vocab_size=50, n_embd=12, n_layer=3, n_head=3, n_positions=16)
    special = dict(bos_token_id=0, eos_token_id=0)
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, **special, **changes))
    with torch.no_grad():
        for parameter in theirs.eval().parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    theirs.save_pretrained(tmp_path / "theirs")
    model, ids = load_task(tmp_path / "theirs"), np.arange(16)[None] * 3 % 50
    with torch.no_grad():
        want = theirs(torch.tensor(ids)).logits.numpy()
    np.testing.assert_allclose(model({"input_ids": ids.astype("int32")}), want, atol=2e-5)
    model.save_pretrained(str(tmp_path / "ours"))
    back = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "ours")
    for name, tensor in theirs.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor), name
    for key, value in changes.items():
        assert getattr(back.config, key) == value
