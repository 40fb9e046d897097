"""tokenizer.json of WordPiece: written, and read, where an error names what is not BERT's.

Source of the format: `tokenizers` 0.23, the serialization of its Tokenizer.
"""

import dataclasses

from bert_tf.errors import shown

_MODEL = {"continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
# BERT's template as TemplateProcessing writes it: what, and the type of its tokens.
_SINGLE = [("cls", 0), ("A", 0), ("sep", 0)]
_PAIR = [*_SINGLE, ("B", 1), ("sep", 1)]
_LOOKS = {"single": "[CLS] A [SEP]", "pair": "[CLS] A [SEP] B:1 [SEP]:1"}


def read_vocabulary(whole):
    """The entries of the WordPiece model.

    Args:
      whole: Entries of tokenizer.json.
    Returns:
      list of str in the order of their ids, "" for an id without an entry; None when there is no
      such file.
    Raises:
      InputError: the model is another one, or the ids cannot be those of a vocabulary.
    """
    if not whole:
        return None
    model = whole.inner("model")
    kind = model.get("type", str)
    if kind is None and _MODEL.keys() <= model.values.keys():
        kind = "WordPiece"  # older files do not say so
    if kind != "WordPiece":
        raise model.fault("type", "'WordPiece', the only kind known here")
    for key, wanted in _MODEL.items():
        if model.get(key, type(wanted)) not in (None, wanted):
            raise model.fault(key, f"only {wanted!r} here")
    return model.inner("vocab").tokens()


def check_bert(whole, names, ids, alone):
    """Raise InputError for a step of tokenizer.json that is not BERT's.

    Args:
      whole: Entries of tokenizer.json.
      names: dict of "unk_token", "cls_token", "sep_token", ... -> str.
      ids: dict of str -> int, the vocabulary.
      alone: bool; no class of BERT's stands for what the file leaves out.
    """
    if not whole:
        return
    if whole.inner("model").get("unk_token", str) not in (None, names["unk_token"]):
        raise whole.inner("model").fault("unk_token", f"{names['unk_token']!r}, the unk_token")
    for key, kinds in (
        ("normalizer", ["BertNormalizer"]),
        ("pre_tokenizer", ["BertPreTokenizer"]),
        ("post_processor", ["TemplateProcessing", "BertProcessing"]),
    ):
        step = whole.inner(key)
        if step:
            if step.get("type", str) is None:
                raise step.fault("type", f"{' or '.join(kinds)}")
            step.one_of("type", *kinds)
        elif alone:
            raise whole.fault(key, f"{' or '.join(kinds)}")
    if whole.inner("normalizer").get("clean_text", bool) is False:
        raise whole.inner("normalizer").fault("clean_text", "only true here")
    for key in ("truncation", "padding"):
        whole.inner(key).one_of("direction", "Right")
    _check_template(whole.inner("post_processor"), names, ids)


def _check_template(step, names, ids):
    """The post-processor puts BERT's special tokens in BERT's places."""
    kind = step.get("type", str)
    frame = {key: names[f"{key}_token"] for key in ("cls", "sep")}
    if kind == "BertProcessing":
        for key, token in frame.items():
            if step.get(key, list) != [token, ids[token]]:
                raise step.fault(key, f"[{shown(token)}, {ids[token]}]")
    elif kind == "TemplateProcessing":
        what = {key: {"SpecialToken": {"id": token}} for key, token in frame.items()}
        what |= {key: {"Sequence": {"id": key}} for key in "AB"}
        for key, template in (("single", _SINGLE), ("pair", _PAIR)):
            wanted = [
                {kind: inner | {"type_id": number}}
                for part, number in template
                for kind, inner in what[part].items()
            ]
            if step.get(key, list) != wanted:
                raise step.fault(key, f"BERT's, {_LOOKS[key]}")
        for token in frame.values():
            described = step.inner("special_tokens").inner(token)
            if described.get("ids", list) != [ids[token]]:
                raise described.fault("ids", f"[{ids[token]}]")


def of_wordpiece(settings):
    """tokenizer.json of a WordPiece tokenizer, as the `tokenizers` library reads it.

    Args:
      settings: WordPieceSettings.
    Returns:
      dict, without truncation and padding.
    """
    ids = {token: i for i, token in enumerate(settings.vocabulary)}
    ends = {"cls": settings.cls_token, "sep": settings.sep_token}

    def template(parts):
        return [
            {"SpecialToken": {"id": ends[part], "type_id": number}}
            if part in ends
            else {"Sequence": {"id": part, "type_id": number}}
            for part, number in parts
        ]

    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": ids[token.content], **dataclasses.asdict(token)}
            for token in sorted(settings.added_tokens, key=lambda token: ids[token.content])
        ],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": settings.tokenize_chinese_chars,
            "strip_accents": settings.strip_accents,
            "lowercase": settings.lowercase,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": template(_SINGLE),
            "pair": template(_PAIR),
            "special_tokens": {
                token: {"id": token, "ids": [ids[token]], "tokens": [token]}
                for token in ends.values()
            },
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": settings.unk_token,
            **_MODEL,
            "vocab": {
                token: i
                for i, token in enumerate(settings.vocabulary[: settings.base_size])
                if token and ids[token] == i
            },
        },
    }
