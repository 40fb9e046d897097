"""Write golden_added.json: where the reference cuts added tokens out of texts.

    python tests/text/make_golden_added.py

Last run with tokenizers 0.23.3. The file holds a vocabulary, the added tokens with their flags and
ids, texts, and what `tokenizers` with BERT's normalizer and pre-tokenizer makes of them; with
`in_text: false`, under its `encode_special_tokens`.
"""

import json
import pathlib

from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = "abcdefghilmnoqrstuvxyzABCDEFIOVé北京ᄒ"
VOCABULARY = [
    *SPECIAL, *LETTERS, *("##" + x for x in LETTERS), *"[]<>/.,-_!",
    "the", "cafe", "foo", "bar", "##bar", "ing", "##ing", "e1", "##1", "covid", "##ᅡ", "##ᆫ",
]  # fmt: skip
# content -> the flags that are set.
ADDED = {
    "[MASK]": "special lstrip",
    "[E1]": "special",
    "[/E1]": "special rstrip",
    "mask": "special single_word",
    "Foo": "single_word",
    "ab": "", "abc": "", "bcd": "",
    "<br>": "lstrip rstrip",
    "é北": "single_word",
    "COVID": "normalized", "Café": "normalized single_word", "foo bar": "normalized",
    "北京": "normalized rstrip", "Q": "normalized lstrip rstrip single_word",
    "하": "normalized", "\u166d": "normalized lstrip", "[e2]": "normalized special",
    "the": "normalized single_word",
}  # fmt: skip
TEXTS = [
    "", "plain text of no token", "[E1] foo [/E1]  bar", "a[E1]b[/E1]\t\u00a0c", "[e1] [E2] [e2]",
    "the  [MASK]!", "[MASK][MASK] [MASK]", "\u3000\u2028[MASK] [[MASK]]",
    "Foo foo Foo1 Foo_ Foo.", "éFoo Foo\u0301 \u200dFoo Ⓐ-Foo", "abcd bcd abab aabc ab",
    "x <br> y\n<br><br>\n z <br>", "COVID Covid covids COV\u0301ID COVI\u00adD",
    "Café café CAFE cafes the-cafe", "foo bar Foo  bar", "foo\tBAR foo\u3000bar foobar",
    "北京 北 京 北京京x 東北京東", "x北京  y 北京 北京", "Q qq 北q京 q",
    "a Q  , q. Q\u166d \u166dQ \u166dq", "北Q 京  Q  北", "한국 하 한 하하",
    "the them the, THE_the", "a\u166db \u166d  \u166d\u166d", "é北 é北x xé北 京é北 é北京",
    "mask Mask [mask] unmask mask_", "a\u00adb \u00ad", "ing" * 34 + "COVID" + "a" * 101,
    "a" * 99 + "COVID" + "b" * 100, "[CLS] [SEP][PAD] [UNK]COVID",
    "\U0010f100[E1]\U0010f101 \ue000COVID\U0002b820", "<br>\u0085<br>", "Q<br>Q  <br>  Q",
    "北京<br> 北京  [/E1] 北京", "COVID" * 40,
]  # fmt: skip
SETTINGS = [(True, True), (False, True), (True, False)]  # lowercase, chinese
FLAGS = ("special", "normalized", "lstrip", "rstrip", "single_word")


def main():
    ids = {token: i for i, token in enumerate(VOCABULARY)}
    added = [
        {"content": content, **{flag: flag in flags.split() for flag in FLAGS}}
        for content, flags in ADDED.items()
    ]
    added += [dict(added[1], content=token) for token in SPECIAL if token not in ADDED]
    cases = []
    for lowercase, chinese in SETTINGS:
        tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(
            lowercase=lowercase, handle_chinese_chars=chinese
        )
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.add_tokens([AddedToken(**token) for token in added])
        for in_text in (True, False):
            tokenizer.encode_special_tokens = not in_text
            answers = tokenizer.encode_batch(TEXTS)
            cases.append({
                "lowercase": lowercase, "chinese": chinese, "in_text": in_text,
                "ids": [a.ids for a in answers],
                "offsets": [[x for span in a.offsets for x in span] for a in answers],
            })  # fmt: skip
    placed = {i: token.content for i, token in tokenizer.get_added_tokens_decoder().items()}
    by_content = {token["content"]: token for token in added}
    golden = {
        "vocabulary": VOCABULARY,
        "added": {str(i): by_content[content] for i, content in sorted(placed.items())},
        "texts": TEXTS,
        "cases": cases,
    }
    path = pathlib.Path(__file__).with_name("golden_added.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
