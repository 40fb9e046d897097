"""What the files of a pipeline say: vocabularies, merges, scores and templates."""

import dataclasses
import math

from bert_tf.errors import InputError, shown
from bert_tf.text.json_entries import is_unicode, read_bytes

_MODEL_OPTIONS = ("unk_token", "fuse_unk", "byte_fallback", "ignore_merges")


@dataclasses.dataclass
class Parts:
    """What the files of a tokenizer say, before added tokens.

    vocabulary: list of str. source: the file it is in. model: dict of options. merges, scores: as
    in PipelineSettings. steps: dict, as there. defaults: dict of name -> str, special tokens where
    nothing names others. whole: bool, all is as tokenizer.json says. extra: list of AddedToken,
    special tokens without a name where the files say none.
    """

    vocabulary: list
    source: str
    model: dict
    merges: list
    scores: list
    steps: dict
    defaults: dict
    whole: bool = False
    extra: list = dataclasses.field(default_factory=list)


def ends(config, ids, names):
    """The template of `add_bos_token` and `add_eos_token`."""

    def special(end, kind):
        token = names[f"{end}_token"]
        there = config.get(f"add_{end}_token", bool) and token is not None
        return [(token, kind)] if there else []

    single = [*special("bos", 0), ("A", 0), *special("eos", 0)]
    return template(single, [*single, *special("bos", 1), ("B", 1), *special("eos", 1)], ids)


def template(single, pair, ids):
    """A TemplateProcessing as tokenizer.json has it.

    Args:
      single, pair: list of (str, int), "A", "B" or a token, and the token type.
      ids: dict of str -> int.
    """
    tokens = sorted({name for name, _ in (*single, *pair)} - {"A", "B"})

    def places(listed):
        for name, kind in listed:
            what = "Sequence" if name in ("A", "B") else "SpecialToken"
            yield {what: {"id": name, "type_id": kind}}

    return {
        "type": "TemplateProcessing",
        "single": list(places(single)),
        "pair": list(places(pair)),
        "special_tokens": {
            token: {"id": token, "ids": [ids.get(token)], "tokens": [token]} for token in tokens
        },
    }


def unigram_of_json(whole):
    """(vocabulary, options, scores) of the Unigram model in tokenizer.json."""
    model = whole.inner("model")
    if model.get("type", str) != "Unigram":
        raise model.fault("type", "'Unigram'")
    vocabulary, scores = [], []
    for number, pair in enumerate(model.get("vocab", list) or []):
        there = isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)
        if not there or type(pair[1]) not in (int, float) or not is_unicode(pair[0]):
            raise InputError(
                f"{whole.file}: model.vocab.{number}: {shown(pair)}, wanted [piece, score]"
            )
        if not math.isfinite(pair[1]):
            raise InputError(f"{whole.file}: model.vocab.{number}: the score is {pair[1]}")
        vocabulary.append(pair[0])
        scores.append(float(pair[1]))
    unk_id = model.get("unk_id", int)
    if unk_id is None or not 0 <= unk_id < len(vocabulary):
        raise model.fault("unk_id", f"an id below {len(vocabulary)}")
    fallback = model.get("byte_fallback", bool) is True
    return vocabulary, {"type": "Unigram", "unk_id": unk_id, "byte_fallback": fallback}, scores


def bpe_of_json(whole):
    """(vocabulary, options, merges) of the BPE model in tokenizer.json."""
    model = whole.inner("model")
    if model.get("type", str) != "BPE":
        raise model.fault("type", "'BPE'")
    for key in ("continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(key, str):
            raise model.fault(key, "none")
    if model.values.get("dropout"):
        raise model.fault("dropout", "none")
    vocabulary = model.inner("vocab").tokens()
    known, merges = set(vocabulary), []
    listed = model.get("merges", list) or []
    for number, pair in enumerate(listed):
        pair = pair.split(" ") if isinstance(pair, str) else pair
        _check_merge(pair, known, f"{whole.file}: model.merges.{number}")
        merges.append(tuple(pair))
    options = {key: model.values.get(key) for key in _MODEL_OPTIONS if key in model.values}
    for key in _MODEL_OPTIONS:
        model.get(key, str if key == "unk_token" else bool)
    return vocabulary, {"type": "BPE", **options}, merges


def read_merges(path, known):
    """The pairs of a merges.txt, a line each, the first merge first."""
    try:
        lines = read_bytes(path).decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8") from None
    if not lines[-1]:
        lines.pop()
    merges = []
    for number, line in enumerate(lines, 1):
        if line.startswith("#version"):
            continue
        pair = line.removesuffix("\r").split(" ")
        _check_merge(pair, known, f"{path}:{number}")
        merges.append(tuple(pair))
    return merges


def _check_merge(pair, known, where):
    """Raise InputError for what is not two tokens that make a third."""
    if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(x, str) for x in pair):
        raise InputError(f"{where}: {shown(pair)}, wanted two tokens with a space between them")
    for token in (*pair, "".join(pair)):
        if token not in known:
            raise InputError(f"{where}: {shown(token)} is not in the vocabulary")
