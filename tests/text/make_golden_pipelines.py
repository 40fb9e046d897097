"""Write golden_pipelines.json: small tokenizers of many kinds, and what the reference does.

    python tests/text/make_golden_pipelines.py

Last run with transformers 5.24.0, tokenizers 0.23.3 and sentencepiece 0.2.3. The vocabularies are
trained here on our own sentences; a case holds the files of a folder, and the answers of the
tokenizer that `transformers.AutoTokenizer` builds from it.
"""

import base64
import json
import pathlib
import tempfile
import zlib

import tokenizers
import transformers

SENTENCES = """The quick brown fox jumps over the lazy dog. It's a dog's life, don't you think?
They've said we'll be there by 12:30, or 13,000 years later. I'm here; she'd been there in 2021!
Tokenizers cut texts into tokens; the tokens are numbers. Überall in Zürich, à la carte, Ærø.
The tokenizer's vocabulary holds the pieces that occur most often in the texts it was trained on.
Tokens of the lazy fox: lower, lowest, newer, newest, wider, widest. The dog is quick and lazy.
北京是中国的首都。 東京は日本の首都です。 我们在北京,你们在上海。 Москва - столица России.""".split(
    "\n"
)

TEXTS = [
    "", " ", "  \t\n", "The quick brown fox.", " lazy  dog's\n\nlife", "don't I'M they'll'ves 's",
    "12,345 x² ½ ①Ⅷ", "café cafe\u0301 Å\u0323 ﬁne ＦＵＬＬ", "北京。首都 東京日本",
    "a\x00b\u200bc\u00adde\u2028f\u3000g",
    "👨\u200d👩\u200d👧 🇩🇪👍🏽", "▁The ▁▁ a▁b", "``quoted'' \"x\"", "İstanbul ß ẞ Σς ǅ",
    "العربية مرحبا",
    "x" * 60 + " " + "ab" * 30, "   deep    indent\t\ttabs\r\n",
    "<mask> is <s>not</s> [MASK][CLS] here", " a \u3000 <mask>  b",
    "𝔘𝔫𝔦\U000e0001\ufffd", "q\u0301\u0308 \u1100\u1161 각 が が", "don 't 'S a'b''s ' s", "Москва",
]  # fmt: skip


def byte_level(folder, model_type, specials=(), **config):
    """A folder of vocab.json and merges.txt."""
    trained = tokenizers.ByteLevelBPETokenizer()
    trained.train_from_iterator(
        SENTENCES * 2, vocab_size=420, special_tokens=list(specials), show_progress=False
    )
    trained.save_model(str(folder))
    write(folder, "config.json", {"model_type": model_type} if model_type else {})
    if config:
        write(folder, "tokenizer_config.json", config)


def write(folder, name, values):
    (folder / name).write_text(json.dumps(values), encoding="utf-8")


ROBERTA = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
CASES = {
    "gpt2": lambda at: byte_level(at, "gpt2", ["<|endoftext|>"]),
    "gpt2 with ends": lambda at: byte_level(
        at, "gpt2", add_bos_token=True, add_eos_token=True, add_prefix_space=True
    ),
    "roberta": lambda at: byte_level(at, "roberta", ROBERTA),
    "roberta with a mask that takes spaces": lambda at: byte_level(
        at,
        "roberta",
        ROBERTA,
        add_prefix_space=True,
        mask_token={
            "__type": "AddedToken",
            "content": "<mask>",
            "lstrip": True,
            "rstrip": False,
            "normalized": False,
            "single_word": False,
        },
    ),  # fmt: skip
}


def answers(reference):
    """What the reference makes of TEXTS, singly and in pairs, whole and cut."""
    for pairs, in_text, max_length in ((False, False, 512), (False, True, 512), (True, True, 17)):
        reference.encode_special_tokens = not in_text
        reference.enable_truncation(max_length, strategy="longest_first")
        texts = list(zip(TEXTS, TEXTS[::-1], strict=True)) if pairs else TEXTS
        found = reference.encode_batch(texts)
        yield {
            "pairs": pairs, "in_text": in_text, "max_length": max_length,
            "ids": [a.ids for a in found], "types": [a.type_ids for a in found],
            "offsets": [[x for span in a.offsets for x in span] for a in found],
        }  # fmt: skip


def case(name, make):
    """The files of one folder and the answers of its tokenizer."""
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        make(folder)
        files = {path.name: zlib.compress(path.read_bytes()) for path in sorted(folder.iterdir())}
        tokenizer = transformers.AutoTokenizer.from_pretrained(place)
    reference = tokenizer.backend_tokenizer
    reference.no_padding()
    found = list(answers(reference))
    rows = found[1]["ids"]
    return {
        "name": name,
        "files": {key: base64.b85encode(value).decode() for key, value in files.items()},
        "answers": found,
        "decoded": [
            [tokenizer.decode(row, skip_special_tokens=skip) for skip in (True, False)]
            for row in rows
        ],
        "vocabulary": reference.get_vocab_size(),
    }


def main():
    golden = {"texts": TEXTS, "cases": [case(*each) for each in CASES.items()]}
    path = pathlib.Path(__file__).with_name("golden_pipelines.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
