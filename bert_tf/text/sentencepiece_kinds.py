"""The tokenizers of SentencePiece models: ALBERT's, XLM-R's, DeBERTa's, T5's, and the bare model.

Source: transformers 5.24, the tokenizer of each family, and convert_slow_tokenizer.py.
"""

import base64
import os

from bert_tf.errors import InputError
from bert_tf.text import sentencepiece_file as sentencepiece
from bert_tf.text.added_tokens import AddedToken
from bert_tf.text.pipeline_parts import Parts, ends, template, unigram_of_json

MODEL_FILES = ("tokenizer.model", "spm.model", "spiece.model", "sentencepiece.bpe.model")
# What Google's downloads of ALBERT have in the place of spiece.model.
OF_ALBERT = ("30k-clean.model", os.path.join("assets", "30k-clean.model"))
# Those that may be told to lower-case.
LOWERING = ("AlbertTokenizer", "DebertaV2Tokenizer")
_MARK = "▁"


class _Source:
    """The pieces of a folder, from tokenizer.json or else from the model file of this name."""

    def __init__(self, path, files, name):
        self.whole, self.charsmap, self.extra, self.model = files.whole, None, [], None
        if self.whole:
            self.file = self.whole.file
            self.vocabulary, _, self.scores = unigram_of_json(self.whole)
            self.charsmap = _charsmap_of_json(self.whole)
            return
        names = (name, *OF_ALBERT) if name == "spiece.model" else (name,)
        files = [os.path.join(path, each) for each in names]
        self.file = next(filter(os.path.isfile, files), None)
        if self.file is None:
            raise InputError(
                f"{path}: wanted tokenizer.json or {name}, as its configuration names a tokenizer "
                "of SentencePiece"
            )
        self.model = sentencepiece.read_model(self.file)
        self.vocabulary = [piece for piece, _, _ in self.model.pieces]
        self.scores = [score for _, score, _ in self.model.pieces]
        self.extra = _added(self.model)
        if self.model.charsmap:
            self.charsmap = base64.b64encode(self.model.charsmap).decode()

    def parts(self, unk_id, steps, defaults):
        """Parts of these pieces."""
        if not 0 <= unk_id < len(self.vocabulary):
            raise InputError(f"{self.file}: wanted more than {unk_id} pieces, for that is unknown")
        model = {"type": "Unigram", "unk_id": unk_id, "byte_fallback": False}
        return Parts(
            self.vocabulary, self.file, model, [], self.scores, steps, defaults, extra=self.extra
        )

    def precompiled(self):
        """The normalizer of the character map; none without one."""
        if self.charsmap is None:
            return []
        return [{"type": "Precompiled", "precompiled_charsmap": self.charsmap}]


def _added(model):
    """Control pieces, which are special, and pieces that a user defined, which are not."""
    kinds = (sentencepiece.CONTROL, sentencepiece.USER_DEFINED)
    return [
        AddedToken(piece, special=kind == sentencepiece.CONTROL)
        for piece, _, kind in model.pieces
        if kind in kinds and piece
    ]


def _charsmap_of_json(whole):
    """The first character map among the normalizers of tokenizer.json, base64, or None."""
    step = whole.inner("normalizer")
    if step.get("type", str) == "Sequence":
        items = step.items("normalizers")
        steps = [items.inner(key) for key in items.values]
    else:
        steps = [step]
    for each in steps:
        if each.get("type", str) == "Precompiled":
            return each.get("precompiled_charsmap", str)
    return None


def _words(files, without="never"):
    """Words between white space, each with a mark: (pre-tokenizer, decoder)."""
    prefix = files.config.get("add_prefix_space", bool) is not False
    mark = _metaspace("always" if prefix else without)
    return {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, mark]}, mark


def _metaspace(scheme, split=True):
    return {"type": "Metaspace", "replacement": _MARK, "prepend_scheme": scheme, "split": split}


def _replace(pattern, content, kind="Regex"):
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


def _sequence(normalizers):
    return {"type": "Sequence", "normalizers": normalizers} if normalizers else None


def _names(begin, end, unknown, pad, mask):
    return {
        "bos_token": begin,
        "eos_token": end,
        "unk_token": unknown,
        "sep_token": end,
        "pad_token": pad,
        "cls_token": begin,
        "mask_token": mask,
    }


def albert_tokenizer(path, files):
    """AlbertTokenizer."""
    source, config = _Source(path, files, "spiece.model"), files.config
    normalizers = [_replace("``", '"', "String"), _replace("''", '"', "String")]
    if config.get("keep_accents", bool) is not True:
        normalizers += [{"type": "NFKD"}, {"type": "StripAccents"}]
    if config.get("do_lower_case", bool) is not False:
        normalizers.append({"type": "Lowercase"})
    words, mark = _words(files)

    def post_processor(ids, names):
        named = {"[CLS]": ids.get(names["cls_token"]), "[SEP]": ids.get(names["sep_token"])}
        single = [("[CLS]", 0), ("A", 0), ("[SEP]", 0)]
        return template(single, [*single, ("B", 1), ("[SEP]", 1)], named)

    steps = {
        "normalizer": _sequence(normalizers + source.precompiled()),
        "pre_tokenizer": words,
        "post_processor": post_processor,
        "decoder": mark,
    }
    return source.parts(1, steps, _names("[CLS]", "[SEP]", "<unk>", "<pad>", "[MASK]"))


def xlm_roberta_tokenizer(path, files):
    """XLMRobertaTokenizer, whose ids are fairseq's: the pieces of the model one place further."""
    source = _Source(path, files, "sentencepiece.bpe.model")
    defaults = _names("<s>", "</s>", "<unk>", "<pad>", "<mask>")
    if source.model is not None:
        named = {}
        for name, default in defaults.items():
            given = files.config.values.get(name)
            given = given.get("content") if isinstance(given, dict) else given
            named[name] = given if isinstance(given, str) else default
        first = [named[f"{name}_token"] for name in ("bos", "pad", "eos", "unk")]
        source.vocabulary = [*first, *source.vocabulary[3:], named["mask_token"]]
        source.scores = [0.0] * 4 + source.scores[3:] + [0.0]
    words, mark = _words(files)

    def post_processor(ids, names):
        begin, end = (names["bos_token"], 0), (names["eos_token"], 0)
        single = [begin, ("A", 0), end]
        return template(single, [*single, end, ("B", 0), end], ids)

    steps = {
        "normalizer": (source.precompiled() or [None])[0],
        "pre_tokenizer": words,
        "post_processor": post_processor,
        "decoder": mark,
    }
    return source.parts(3, steps, defaults)


def deberta_tokenizer(path, files):
    """DebertaV2Tokenizer."""
    source, config = _Source(path, files, "spm.model"), files.config
    unknown = config.values.get("unk_token", "[UNK]")
    unknown = unknown.get("content") if isinstance(unknown, dict) else unknown
    unk_id = 1 if source.model is None else source.model.unk_id
    if (unknown, 0.0) in zip(source.vocabulary, source.scores, strict=True):
        unk_id = list(zip(source.vocabulary, source.scores, strict=True)).index((unknown, 0.0))
    normalizers = [{"type": "Lowercase"}] if config.get("do_lower_case", bool) is True else []
    normalizers += [
        _replace(r"\s{2,}|[\n\r\t]", " "),
        {"type": "NFC"},
        {"type": "Strip", "strip_left": False, "strip_right": True},
    ]
    cut = []
    if config.get("split_by_punct", bool) is True:
        cut.append({"type": "Punctuation", "behavior": "Isolated"})
    prefix = config.get("add_prefix_space", bool) is not False
    mark = _metaspace("always" if prefix else "first")

    def post_processor(ids, names):
        begin, end = names["cls_token"], names["sep_token"]
        single = [(begin, 0), ("A", 0), (end, 0)]
        return template(single, [*single, ("B", 1), (end, 1)], ids)

    steps = {
        "normalizer": _sequence(normalizers),
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [*cut, mark]},
        "post_processor": post_processor,
        "decoder": mark,
    }
    return source.parts(unk_id, steps, _names("[CLS]", "[SEP]", "[UNK]", "[PAD]", "[MASK]"))


def t5_tokenizer(path, files):
    """T5Tokenizer, with its tokens for masked spans."""
    source = _Source(path, files, "spiece.model")
    number = files.config.get("extra_ids", int)
    number = 100 if number is None else number
    if not 0 <= number < 1 << 16:
        raise files.config.fault("extra_ids", "a number of tokens")
    if source.model is not None:
        source.vocabulary += [f"<extra_id_{i}>" for i in reversed(range(number))]
        source.scores += [0.0] * number
    source.extra += [AddedToken(f"<extra_id_{i}>") for i in range(number)]
    mark = _metaspace("always")

    def post_processor(ids, names):
        single = [("A", 0), ("</s>", 0)]
        return template(single, [*single, ("B", 0), ("</s>", 0)], ids)

    steps = {
        "normalizer": (source.precompiled() or [None])[0],
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "WhitespaceSplit"}, mark],
        },
        "post_processor": post_processor,
        "decoder": mark,
    }
    defaults = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    return source.parts(2, steps, defaults)


def bare(path, files):
    """A model file that no class is named for: what SentencePiece itself makes of texts."""
    name = next((x for x in MODEL_FILES if os.path.isfile(os.path.join(path, x))), None)
    if name is None:
        raise InputError(f"{path}: no tokenizer.json and no SentencePiece model")
    file = os.path.join(path, name)
    model = sentencepiece.read_model(file)
    vocabulary = [piece for piece, _, _ in model.pieces]
    merges, scores = [], []
    if model.kind == sentencepiece.BPE:
        options = {"type": "BPE", "unk_token": model.unk_piece, "fuse_unk": True}
        merges = _merges(model)
    else:
        options = {"type": "Unigram", "unk_id": model.unk_id}
        scores = [score for _, score, _ in model.pieces]
    options["byte_fallback"] = model.byte_fallback
    config, defaults = files.config, {"unk_token": model.unk_piece}
    if model.bos_id >= 0:
        defaults["bos_token"] = model.bos_piece
    if model.eos_id >= 0:
        defaults["eos_token"] = model.eos_piece
    legacy = config.get("legacy", bool) is not False
    wanted = any(config.get(f"add_{end}_token", bool) for end in ("bos", "eos"))
    mark = _metaspace("always" if legacy else "first", split=False)
    steps = {
        "normalizer": _sequence(_bare_normalizers(model, legacy)),
        "pre_tokenizer": mark if model.add_dummy_prefix else None,
        "post_processor": (lambda ids, names: ends(config, ids, names)) if wanted else None,
        "decoder": {"type": "Sequence", "decoders": _bare_decoders(model)},
    }
    return Parts(vocabulary, file, options, merges, scores, steps, defaults, extra=_added(model))


def _merges(model):
    """Pairs of ordinary pieces that make a third, the best score first."""
    normal = {
        piece: (-score, i)
        for i, (piece, score, kind) in enumerate(model.pieces)
        if kind == sentencepiece.NORMAL
    }
    ranked = []
    for piece, rank in normal.items():
        for place in range(1, len(piece)):
            left, right = piece[:place], piece[place:]
            if left in normal and right in normal:
                ranked.append((*rank, left, right))
    return [(left, right) for *_, left, right in sorted(ranked)]


def _bare_normalizers(model, legacy):
    found = []
    if model.charsmap:
        content = base64.b64encode(model.charsmap).decode()
        found.append({"type": "Precompiled", "precompiled_charsmap": content})
    if model.remove_extra_whitespaces:
        found += [_replace(r"\A +| +\z", ""), _replace(" {2,}", " ")]
    if model.escape_whitespaces:
        found.append(_replace(" ", _MARK, "String"))
    if model.add_dummy_prefix and legacy:
        found.append(_replace(r"\A▁", _MARK * 2))
    return found


def _bare_decoders(model):
    found = [_replace(_MARK, " ", "String")]
    if model.byte_fallback:
        found.append({"type": "ByteFallback"})
    if model.add_dummy_prefix:
        found += [{"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]
    elif model.byte_fallback:
        found.append({"type": "Fuse"})
    return found


KINDS = {
    "AlbertTokenizer": albert_tokenizer,
    "DebertaV2Tokenizer": deberta_tokenizer,
    "T5Tokenizer": t5_tokenizer,
    "XLMRobertaTokenizer": xlm_roberta_tokenizer,
}
