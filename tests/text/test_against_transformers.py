"""Random folders with added tokens of every kind, as transformers 5 opens them."""

import json
import random

import pytest

from bert_tf.text import Tokenizer

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.slow

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = (
    "the cafe un ##aff ##able a b c foo bar ##bar e1 1 x y [ ] < > / 北 京 , . - ing ##ing".split()
)
PIECES = """[E1] [/E1] [e1] <x> foo Foo FOO foobar bar COVID Café café 北京 京 a ab abc bc X the-foo
#tag é ß ﬁ 한국 하 한 ᄒ ก็ 🙂 [MASK] [SEP] unaffable ing ##ing a.b İ İx \u166d a\u166d
\U0002b821 \U0002b821x _ _x 1a""".split()
BETWEEN = ["", " ", "  ", "\t", "\u00a0", "\u3000", "\n", "\u0085", "\u200b", "-", "é", "北", "_",
           "z", "\u0300", "\u166d", "9", "\ue000", "\U0010f100", "Ⓐ", "٣"]  # fmt: skip
FLAGS = ("lstrip", "rstrip", "single_word")


def vocabulary(rnd):
    letters = [x for piece in PIECES for x in piece.lower()]
    more = [form for x in letters for form in (x, f"##{x}") if rnd.random() < 0.5]
    whole = [piece for piece in PIECES if rnd.random() < 0.15]
    return list(dict.fromkeys([*SPECIAL, *WORDS, *whole, *more]))


def added(rnd, entries):
    """Some added tokens by their ids, no two of one spelling."""
    ids, tokens, spelled = {token: i for i, token in enumerate(entries)}, {}, set()
    for content in rnd.sample(PIECES, 7) + SPECIAL:
        special = content in SPECIAL or rnd.random() < 0.35
        normalized = rnd.random() < 0.5 if rnd.random() < 0.4 else not special
        if content.lower() not in spelled:
            spelled |= {content.lower(), content.lower().replace("é", "e")}
            flags = {flag: rnd.random() < 0.25 for flag in FLAGS}
            i = ids.setdefault(content, len(ids))
            tokens[i] = {"content": content, "special": special, "normalized": normalized, **flags}
    return tokens


def text(rnd, tokens):
    parts = []
    for _ in range(rnd.randrange(1, 9)):
        part = rnd.choice(
            [rnd.choice(tokens)["content"], rnd.choice(PIECES), rnd.choice("ab") * 99]
        )
        parts += [rnd.choice([part, part, part.upper(), part[:-1], part * 2]), rnd.choice(BETWEEN)]
    return "".join(parts)


def folder(directory, rnd, kind):
    """A folder as transformers has written them, now and before; its added tokens."""
    entries = vocabulary(rnd)
    tokens = added(rnd, entries)
    config = {"tokenizer_class": "BertTokenizer", "do_lower_case": rnd.random() < 0.6}
    config["tokenize_chinese_chars"] = rnd.random() < 0.8
    files = {"config": {"model_type": "bert"}, "tokenizer_config": config}
    special = [token["content"] for token in tokens.values() if token["special"]]
    if kind == "decoder":
        config["added_tokens_decoder"] = {str(i): token for i, token in tokens.items()}
    elif kind == "legacy":
        files["added_tokens"] = {token["content"]: i for i, token in tokens.items()}
        where = config if rnd.random() < 0.5 else files.setdefault("special_tokens_map", {})
        where["additional_special_tokens"] = special
    (directory / "vocab.txt").write_text("\n".join(entries) + "\n", encoding="utf-8")
    for name, values in files.items():
        (directory / f"{name}.json").write_text(json.dumps(values))
    if kind == "tokenizer.json":
        theirs = transformers.AutoTokenizer.from_pretrained(directory)
        theirs.add_tokens([transformers.AddedToken(**token) for token in tokens.values()])
        theirs.save_pretrained(directory)
        (directory / "vocab.txt").unlink()
    return list(tokens.values())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["decoder", "legacy", "tokenizer.json"])
def test_added_tokens_are_cut_out_as_transformers_does(tmp_path, kind, seed):
    rnd = random.Random(seed)
    tokens = folder(tmp_path, rnd, kind)
    theirs, ours = transformers.AutoTokenizer.from_pretrained(tmp_path), None
    ours = Tokenizer.from_pretrained(tmp_path)
    assert ours.vocab_size == len(theirs)
    texts = [text(rnd, tokens) for _ in range(170)]
    backend = theirs.backend_tokenizer
    for in_text in (True, False):
        backend.encode_special_tokens = not in_text
        batch = ours(texts, special_tokens_in_text=in_text, return_offsets=True)
        for row, answer in enumerate(backend.encode_batch(texts)):
            n = int(batch["attention_mask"][row].numpy().sum())
            assert batch["input_ids"][row, :n].numpy().tolist() == answer.ids, texts[row]
            offsets = batch["offsets"][row, :n].numpy().tolist()
            assert list(map(tuple, offsets)) == answer.offsets, texts[row]
    ours.save_pretrained(tmp_path / "again")
    (tmp_path / "again" / "config.json").write_text('{"model_type": "bert"}')
    again = transformers.AutoTokenizer.from_pretrained(tmp_path / "again")
    want = ours(texts, special_tokens_in_text=True)["input_ids"].numpy().tolist()
    assert again(texts, padding=True)["input_ids"] == want


def test_tokens_that_are_only_named_get_the_ids_of_transformers(tmp_path):
    config = {
        "eos_token": "<eos>",
        "bos_token": "<bos>",
        "image_token": "<image>",
        "sep_token": "a",
    }
    config |= {"additional_special_tokens": ["<e>", "b"], "tokenizer_class": "BertTokenizer"}
    (tmp_path / "vocab.txt").write_text("\n".join([*SPECIAL, "a", "b"]))
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    ours = Tokenizer.from_pretrained(tmp_path)
    assert {token: i for i, token in enumerate(ours.vocabulary)} == theirs.get_vocab()
    assert set(ours.pieces.settings.special_tokens) == set(theirs.all_special_tokens)
