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
