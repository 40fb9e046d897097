"""Texts that transformers writes with GPT-2's kind of tokenizer, and attention to an encoder."""

import numpy as np
import pytest

from bert_tf import load_task

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.slow

TEXTS = ["The weather today", "It's", "Café naïve in Zürich, 2024: what's next?"]


def moved(model, share):
    with torch.no_grad():
        for parameter in model.eval().parameters():
            parameter.add_(share * torch.randn_like(parameter))
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A GPT2LMHeadModel with a byte-level vocabulary of its own."""
    tokenizers = pytest.importorskip("tokenizers")
    folder = tmp_path_factory.mktemp("gpt2")
    trained = tokenizers.ByteLevelBPETokenizer()
    trained.train_from_iterator(TEXTS * 9, vocab_size=300, special_tokens=["<|endoftext|>"])
    trained.save_model(str(folder))
    torch.manual_seed(3)
    size = trained.get_vocab_size()
    sizes = dict(n_embd=32, n_layer=2, n_head=2, n_positions=96, vocab_size=size)
    special = dict(bos_token_id=0, eos_token_id=0, tie_word_embeddings=False)
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, **special))
    moved(model, 0.3).save_pretrained(folder)
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "GPT2Tokenizer"}')
    return folder


@pytest.mark.parametrize(
    "settings",
    [{}, {"num_beams": 4, "length_penalty": 0.8, "early_stopping": True}],
    ids=["greedy", "beams"],
)
def test_the_same_texts_are_written(folder, settings):
    theirs = transformers.GPT2LMHeadModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token, tokenizer.padding_side = tokenizer.eos_token, "left"
    rows = tokenizer(TEXTS, return_tensors="pt", padding=True)
    asked = dict(max_new_tokens=30, do_sample=False, pad_token_id=0)
    made = theirs.generate(**rows, **asked, **settings)[:, rows["input_ids"].shape[1] :]
    want = tokenizer.batch_decode(made, skip_special_tokens=True)
    assert load_task(folder).generate(TEXTS, max_new_tokens=30, **settings) == want


def test_attention_to_an_encoder_is_theirs_and_comes_back(tmp_path):
    torch.manual_seed(1)
    sizes = dict(n_embd=32, n_layer=2, n_head=2, n_positions=32, vocab_size=50)
    config = transformers.GPT2Config(
        **sizes, add_cross_attention=True, bos_token_id=0, eos_token_id=0
    )
    theirs = moved(transformers.GPT2LMHeadModel(config), 0.2)
    theirs.save_pretrained(tmp_path / "theirs")
    ours, ids = load_task(tmp_path / "theirs"), np.arange(14).reshape(2, 7)
    memory = np.random.default_rng(0).standard_normal((2, 5, 32)).astype("float32")
    there = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])
    with torch.no_grad():
        told = dict(encoder_hidden_states=torch.tensor(memory))
        told["encoder_attention_mask"] = torch.tensor(there)
        want = theirs(torch.tensor(ids), **told).logits.numpy()
    inputs = {"input_ids": ids.astype("int32"), "memory": memory, "memory_mask": there}
    np.testing.assert_allclose(ours(inputs), want, atol=2e-5)
    ours.save_pretrained(str(tmp_path / "ours"))
    back = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "ours").state_dict()
    assert all(torch.equal(tensor, back[name]) for name, tensor in theirs.state_dict().items())


@pytest.mark.parametrize("kind, width", [("bert", 32), ("bert", 24), ("gpt2", 32)])
def test_an_encoder_before_a_decoder_is_theirs_and_comes_back(tmp_path, kind, width):
    torch.manual_seed(2)
    sizes = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=40)
    encoder = transformers.BertConfig(**sizes, vocab_size=50, max_position_embeddings=32)
    decoder = transformers.BertConfig(
        **sizes | dict(hidden_size=width), vocab_size=50, max_position_embeddings=24
    )
    if kind == "gpt2":
        decoder = transformers.GPT2Config(
            n_embd=32, n_layer=2, n_head=2, n_positions=24, vocab_size=50
        )
    config = transformers.EncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id = 2, 0
    theirs = moved(transformers.EncoderDecoderModel(config=config), 0.2)
    theirs.save_pretrained(tmp_path / "theirs")
    ours = load_task(tmp_path / "theirs")
    numbers = np.random.default_rng(0)
    inputs = {
        "input_ids": numbers.integers(4, 50, (2, 7)).astype("int32"),
        "attention_mask": np.array([[1] * 7, [1] * 4 + [0] * 3], "int32"),
        "decoder_input_ids": numbers.integers(4, 50, (2, 5)).astype("int32"),
    }
    with torch.no_grad():
        told = {name: torch.tensor(x.astype("int64")) for name, x in inputs.items()}
        want = theirs(**told).logits.numpy()
        made = theirs.generate(
            told["input_ids"][:1], max_new_tokens=6, do_sample=False, eos_token_id=None
        )
    np.testing.assert_allclose(ours(inputs), want, atol=2e-5)
    ours.save_pretrained(str(tmp_path / "ours"))
    back = transformers.EncoderDecoderModel.from_pretrained(tmp_path / "ours").state_dict()
    for name, tensor in theirs.state_dict().items():
        assert name.startswith("encoder.pooler.") or torch.equal(tensor, back[name]), name
    written = ours.generate(inputs["input_ids"][:1].tolist(), max_new_tokens=6)
    assert made[0, 1:].tolist()[: len(written[0])] == written[0]
