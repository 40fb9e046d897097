"""Random text of all Unicode planes against the `tokenizers` library itself."""

import json
import random

import pytest

from bert_tf.text import Tokenizer, unicode_tables

tokenizers = pytest.importorskip("tokenizers")
pytestmark = pytest.mark.slow

WORDS = ["the", "Café", "naïve", "[MASK]", "[SEP]", "한국어", "ДОМ", "unaffable", "北京", "don't"]
WORDS += ["a" * 100, "b" * 101, "é" * 100, "e\u0301" * 101, "한" * 34, "[mask]", "[[MASK]]", "\t"]
# Marks that the reference keeps and orders among themselves; see `normalization`.
ORDERED = unicode_tables.code_points("""
8d4-8e1 1b44 1baa 1bf2-1bf3 1dfb 302e-302f a953 a9c0 111c0 11235 1134d 11442 11446 116b6 11c3f
1d15e-1d166 1d16d-1d172 1d1bb-1d1c0 1e000-1e02a 1e944-1e94a
""")
KINDS = [range(0x20, 0x7F), range(0x250), range(0x300, 0x3000), range(0x3000, 0xA000)]
KINDS += [range(0xAC00, 0xD7A4), range(0xE000, 0x10000), range(0x10000, 0x20000), range(0x110000)]
KINDS += [sorted(s) for s in (unicode_tables.MARKS, unicode_tables.REMOVED, unicode_tables.SPACES)]
KINDS += [sorted(s) for s in (unicode_tables.PUNCTUATION, unicode_tables.MATCHER_ONLY, {0x166D})]


def characters(rnd, count):
    drawn = (rnd.choice(rnd.choice(KINDS)) for _ in range(count))
    return [chr(c) for c in drawn if not 0xD800 <= c < 0xE000 and c not in ORDERED]


def text(rnd):
    parts = [rnd.choice(WORDS) if rnd.random() < 0.5 else "".join(characters(rnd, 5)) + " "
             for _ in range(rnd.randrange(9))]  # fmt: skip
    return "".join(parts)


def vocabulary(rnd):
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cafe", "un", "##aff", "##able"]
    for x in sorted({x for x in characters(rnd, 3000) if x.strip() and x not in "\r\n"}):
        tokens += [token for token in (x, f"##{x}", x + x) if rnd.random() < 0.6]
    return list(dict.fromkeys(tokens))


SETTINGS = [(True, None, True), (False, None, True), (True, False, True), (False, True, True)]
SETTINGS += [(True, None, False)]


@pytest.mark.parametrize("lowercase, strip_accents, chinese", SETTINGS)
def test_random_text_gets_the_ids_and_offsets_of_the_reference(
    tmp_path, lowercase, strip_accents, chinese
):
    rnd = random.Random(7)
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary(rnd)), encoding="utf-8", newline="\n")
    config = {"do_lower_case": lowercase, "strip_accents": strip_accents}
    config["tokenize_chinese_chars"] = chinese
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    ours = Tokenizer.from_pretrained(tmp_path)
    theirs = tokenizers.BertWordPieceTokenizer(
        str(tmp_path / "vocab.txt"), lowercase=lowercase, strip_accents=strip_accents,
        handle_chinese_chars=chinese,
    )  # fmt: skip
    for max_length in (13, 40, 512):
        theirs.enable_truncation(max_length, strategy="longest_first")
        first, second = ([text(rnd) for _ in range(300)] for _ in range(2))
        batch = ours(first, second, max_length=max_length, special_tokens_in_text=True,
                     return_offsets=True)  # fmt: skip
        answers = theirs.encode_batch(list(zip(first, second, strict=True)))
        for row, answer in enumerate(answers):
            n = int(batch["attention_mask"][row].numpy().sum())
            assert batch["input_ids"][row, :n].numpy().tolist() == answer.ids
            assert [tuple(x) for x in batch["offsets"][row, :n].numpy().tolist()] == answer.offsets


def test_the_unicode_tables_are_the_reference_s():
    def normalizer(**only):
        steps = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False)
        return tokenizers.normalizers.BertNormalizer(**{**steps, "lowercase": False, **only})

    full = normalizer(clean_text=True, strip_accents=True, lowercase=True).normalize_str
    split = tokenizers.pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    spelling = unicode_tables.changed_by_spelling(lowercase=True, strip_accents=True)
    for c in (c for c in range(0x110000) if not 0xD800 <= c < 0xE000):
        want = full(chr(c))
        ours = spelling.get(c, chr(c))
        ours = " " if c in unicode_tables.SPACES else "" if c in unicode_tables.REMOVED else ours
        assert ours == want, hex(c)
        assert (len(split(f"a{chr(c)}b")) == 3) == (c in unicode_tables.PUNCTUATION), hex(c)


def test_what_stands_beside_added_tokens_is_told_as_the_reference_does():
    word, space = (
        tokenizers.Tokenizer(tokenizers.models.WordPiece({"u": 0}, unk_token="u")) for _ in range(2)
    )
    word.add_tokens([tokenizers.AddedToken("Q", single_word=True, normalized=False)])
    space.add_tokens([tokenizers.AddedToken("Q", lstrip=True, normalized=False)])
    code_points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    texts = [f"{chr(c)}Q" for c in code_points]
    found = zip(code_points, word.encode_batch(texts), space.encode_batch(texts), strict=True)
    for c, alone, stripped in found:
        assert (1 not in alone.ids) == (c in unicode_tables.word_characters()), hex(c)
        assert (stripped.offsets[-1][0] == 0) == (c in unicode_tables.WHITE_SPACE), hex(c)


def test_transformers_reads_what_we_save(tmp_path):
    transformers = pytest.importorskip("transformers")
    tokens = vocabulary(random.Random(1))
    (tmp_path / "vocab.txt").write_text("\n".join(tokens), encoding="utf-8", newline="\n")
    ours = Tokenizer.from_pretrained(tmp_path, lowercase=True)
    ours.save_pretrained(tmp_path / "ours")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "ours")
    texts = ["The unaffable CAFÉ [MASK]", "the café 北京"]
    want = theirs(texts, padding=True)
    batch = ours(texts, special_tokens_in_text=True)
    for name in ("input_ids", "attention_mask", "token_type_ids"):
        assert batch[name].numpy().tolist() == want[name]
    theirs.save_pretrained(tmp_path / "theirs")
    again = Tokenizer.from_pretrained(tmp_path / "theirs")
    assert again.vocabulary == ours.vocabulary
    assert again(texts)["input_ids"].numpy().tolist() == ours(texts)["input_ids"].numpy().tolist()
