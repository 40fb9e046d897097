"""Write golden.json: what the reference makes of hard texts, so that the fast tests do without it.

    python tests/text/make_golden.py

Last run with tokenizers 0.23.3. Texts and vocabulary are our own; the file holds the answers of
`tokenizers.BertWordPieceTokenizer`, and for `in_text: false` those of the same pipeline without
added tokens, which reads "[MASK]" as plain characters.
"""

import json
import pathlib
import tempfile

import tokenizers

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = "abcdefghijklmnopqrstuvwxyzABHIRÉéßİıσΣςдомДОМ한국ᄒᆞ北京好丽ไ0123456789"
VOCABULARY = [
    *SPECIAL, *LETTERS, *("##" + x for x in LETTERS), *"[]().,!?'…½²-$+^`|~。、؝᙭",
    "the", "cafe", "un", "##aff", "##able", "##ing", "don", "run", "##n", "mask", "i̇",
    "##ᅡ", "##ᆫ", "##ᅮ", "ᄀ", "##ᄀ", "##ᆨ",
]  # fmt: skip
TEXTS = [
    "", " \t\r\n", "The unaffable CAFÉ, don't!", "Hello [MASK] and [SEP]ab [mask][CLS",
    "[[MASK]]!",
    "e\u0301a\u0300b \u0301", "İstanbul ıI ß ẞ ΑΣ Σς ΌΣ", "한국 한국어 \u1112\u1161\u11ab",
    "北京好 a北b丽c",
    "\u4e3d\U0002f800 \uf900 \U0002a6d6x", "a\x00b\x07c\x7fd\x85e\ufffdf\u200bg\u00adh\ufeff",
    "a\u00a0b\u3000c\u2028d\u2003e\x0bf\x0cg\x1ch", "wait…½²ﬁ´ $1+2<3=4>5^6`7|8~9", "。北、京—“x”",
    "a" * 100, "a" * 101, "b " + "é" * 100 + " c", "e\u0301" * 101 + "!ab",
    "한" * 33 + " " + "한" * 34,
    "ไ" * 90 + " " + "д" * 101, "\U0001f600a \U0001f468\u200d\U0001f469 b",
    "a\u061db a\u166db \u2e43",
    "\U000f0000a\U0010f000b\U0010f100c\U0010fffed", "\u212b\u2126\u1e9b\u0323 \u2260 \u037e",
    "x\U000e0041y \U0001d15e \U00011a9e", "Дом ДОМ дом", "run running runn",
]  # fmt: skip
SETTINGS = [(True, None, True), (False, None, True), (True, False, True), (True, None, False)]


def reference(lowercase, strip_accents, chinese, in_text):
    """The reference tokenizer for one combination of settings."""
    vocabulary = {token: i for i, token in enumerate(VOCABULARY)}
    bert = tokenizers.BertWordPieceTokenizer(
        vocabulary,
        lowercase=lowercase,
        strip_accents=strip_accents,
        handle_chinese_chars=chinese,
    )._tokenizer
    if in_text:
        return bert
    plain = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    plain.normalizer, plain.pre_tokenizer = bert.normalizer, bert.pre_tokenizer
    plain.post_processor = bert.post_processor
    return plain


def cases():
    """The first setting in every way, the others in the plain one."""
    ways = [(False, 512), (True, 512), (True, 12), (True, 13), (False, 5)]
    for lowercase, strip_accents, chinese in SETTINGS:
        first = (lowercase, strip_accents, chinese) == SETTINGS[0]
        for in_text in (False, True) if first else (False,):
            tokenizer = reference(lowercase, strip_accents, chinese, in_text)
            for pairs, max_length in ways if first else ways[:1]:
                tokenizer.enable_truncation(max_length, strategy="longest_first")
                texts = list(zip(TEXTS, TEXTS[::-1], strict=True)) if pairs else TEXTS
                answers = tokenizer.encode_batch(texts)
                yield {
                    "lowercase": lowercase, "strip_accents": strip_accents, "chinese": chinese,
                    "in_text": in_text, "pairs": pairs, "max_length": max_length,
                    "ids": [a.ids for a in answers], "types": [a.type_ids for a in answers],
                    "offsets": [[x for span in a.offsets for x in span] for a in answers],
                }  # fmt: skip


def decoded():
    """Rows of ids and the text the reference's decoder makes of them."""
    path = pathlib.Path(tempfile.mkdtemp()) / "vocab.txt"
    path.write_text("\n".join(VOCABULARY), encoding="utf-8")
    tokenizer = tokenizers.BertWordPieceTokenizer(str(path))
    rows = [tokenizer.encode(text).ids[:30] for text in TEXTS]
    pieces = ["##a", "don", "'", "t", ".", "the", "##ing"]
    rows.append([VOCABULARY.index(piece) for piece in pieces])
    return [[row, tokenizer.decode(row), tokenizer.decode(row, False)] for row in rows]


def main():
    golden = {"vocabulary": VOCABULARY, "texts": TEXTS}
    golden.update(cases=list(cases()), decoded=decoded())
    path = pathlib.Path(__file__).with_name("golden.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
