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

import sentencepiece
import tokenizers
import transformers
from tokenizers import AddedToken, decoders, normalizers, pre_tokenizers, processors

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


RULES = """
9	20
a	20
d	20
3000	20
2028	20
bd	31 2044 32
b2	32
2460	31
2167	56 49 49 49
fb01	66 69
ff26	46
ff35	55
ff2c	4c
45 301	c9
65 301	e9
41 30a 323	1ea0 30a
304b 3099	304c
1100 1161	ac00
d a	20
"""


def spiece(folder, name, model_type, kind, config=None, **options):
    """A folder with a SentencePiece model of a few pieces and a small character map."""
    with tempfile.TemporaryDirectory() as place:
        rules = pathlib.Path(place, "rules.tsv")
        rules.write_text(f"{RULES.strip()}\nad\t\n200b\t\n", encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(SENTENCES * 2),
            model_prefix=f"{place}/model",
            model_type=kind,
            normalization_rule_tsv=str(rules),
            hard_vocab_limit=False,
            minloglevel=2,
            num_threads=1,
            **{"vocab_size": 400 if options.get("byte_fallback") else 180} | options,
        )
        (folder / name).write_bytes(pathlib.Path(place, "model.model").read_bytes())
    write(folder, "config.json", {"model_type": model_type} if model_type else {})
    if config:
        write(folder, "tokenizer_config.json", config)


def modernbert(folder):
    """A folder of tokenizer.json alone, with NFC and tokens of white space."""
    trained = tokenizers.ByteLevelBPETokenizer()
    trained.train_from_iterator(SENTENCES * 2, vocab_size=400, show_progress=False)
    whole = trained._tokenizer
    whole.normalizer = normalizers.NFC()
    whole.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    whole.decoder = decoders.ByteLevel()
    whole.add_tokens([AddedToken(" " * n, normalized=True) for n in (4, 3, 2)])
    whole.add_tokens([AddedToken("\t\t", normalized=True)])
    names = ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]")
    whole.add_special_tokens([AddedToken(name, lstrip=name == "[MASK]") for name in names])
    whole.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[(name, whole.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )
    whole.save(str(folder / "tokenizer.json"))
    keys = ("unk_token", "cls_token", "sep_token", "pad_token", "mask_token")
    config = {"tokenizer_class": "PreTrainedTokenizerFast", **dict(zip(keys, names, strict=True))}
    write(folder, "config.json", {"model_type": "modernbert"})
    write(folder, "tokenizer_config.json", config)


ALBERT = dict(
    pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, control_symbols=["[CLS]", "[SEP]", "[MASK]"]
)
DEBERTA = dict(
    pad_id=0, bos_id=1, eos_id=2, unk_id=3,
    pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]",
)  # fmt: skip
FILE = {"tokenizer_class": "PreTrainedTokenizerFast"}
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
    "modernbert": modernbert,
    "albert": lambda at: spiece(at, "spiece.model", "albert", "unigram", **ALBERT),
    "albert with case and accents": lambda at: spiece(
        at,
        "spiece.model",
        "albert",
        "bpe",
        {"do_lower_case": False, "keep_accents": True},
        **ALBERT,
    ),
    "xlm-roberta": lambda at: spiece(at, "sentencepiece.bpe.model", "xlm-roberta", "unigram"),
    "deberta": lambda at: spiece(at, "spm.model", "deberta-v2", "unigram", **DEBERTA),
    "deberta with punctuation": lambda at: spiece(
        at,
        "spm.model",
        "deberta-v2",
        "bpe",
        {"do_lower_case": True, "split_by_punct": True},
        **DEBERTA,
    ),
    "t5": lambda at: spiece(
        at, "spiece.model", "t5", "unigram", {"extra_ids": 3}, pad_id=0, eos_id=1, unk_id=2,
        bos_id=-1,
    ),
    "bare unigram": lambda at: spiece(
        at, "tokenizer.model", None, "unigram", FILE, byte_fallback=True
    ),
    "bare bpe": lambda at: spiece(at, "tokenizer.model", None, "bpe", FILE, byte_fallback=True),
}  # fmt: skip


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
