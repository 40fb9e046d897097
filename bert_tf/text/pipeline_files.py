"""Byte-level BPE tokenizers in files: vocab.json and merges.txt, or tokenizer.json."""

import dataclasses
import json
import os

from bert_tf.atomic import new_files
from bert_tf.errors import InputError, shown
from bert_tf.text.added_tokens import TokenizerFiles, read_added_tokens
from bert_tf.text.json_entries import is_unicode, read_bytes, read_json
from bert_tf.text.pipeline_settings import PipelineSettings
from bert_tf.text.vocabulary_files import model_max_length

NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_MODEL_OPTIONS = ("unk_token", "fuse_unk", "byte_fallback", "ignore_merges")


@dataclasses.dataclass
class Parts:
    """What the files of a tokenizer say, before added tokens.

    vocabulary: list of str. source: the file it is in. model: dict of options. merges, scores: as
    in PipelineSettings. steps: dict, as there. defaults: dict of name -> str, special tokens where
    nothing names others. whole: bool, all is as tokenizer.json says.
    """

    vocabulary: list
    source: str
    model: dict
    merges: list
    scores: list
    steps: dict
    defaults: dict
    whole: bool = False


def read_pipeline(path, kind):
    """Read a tokenizer that is a pipeline.

    Args:
      path: str, a directory.
      kind: str, the class of transformers that it is read as.
    Returns:
      PipelineSettings.
    Raises:
      InputError: a file is missing or cannot be used; the line names file and key.
    """
    files = TokenizerFiles.read(path)
    parts = KINDS.get(kind, _of_file)(path, files)
    nulls = {key for key, value in files.config.values.items() if value is None}
    defaults = {key: token for key, token in parts.defaults.items() if key not in nulls}
    names, added, whole = read_added_tokens(
        files, parts.vocabulary, parts.source, parts.whole, defaults
    )
    ids = {token: i for i, token in enumerate(whole)}
    steps = {
        name: step(ids, names) if callable(step) else step for name, step in parts.steps.items()
    }
    return PipelineSettings(
        vocabulary=tuple(whole),
        base_size=len(parts.vocabulary),
        model=parts.model,
        merges=tuple(parts.merges),
        scores=tuple(parts.scores),
        steps=steps,
        added_tokens=added,
        model_max_length=model_max_length(files.config),
        cleanup=files.config.get("clean_up_tokenization_spaces", bool) is True,
        source=parts.source,
        **names,
    )


def _of_file(path, files):
    """A tokenizer that is what tokenizer.json says."""
    whole = files.whole
    if not whole:
        raise InputError(f"{path}: no tokenizer.json")
    vocabulary, model, merges = _bpe_of_json(whole)
    steps = {
        name: whole.get(name, dict)
        for name in ("normalizer", "pre_tokenizer", "post_processor", "decoder")
    }
    return Parts(vocabulary, whole.file, model, merges, [], steps, {}, whole=True)


def _gpt2(path, files):
    """GPT2Tokenizer: its own steps, but for the post-processor."""
    parts = _byte_level(path, files)
    parts.defaults = dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>")
    if files.whole:
        parts.steps["post_processor"] = files.whole.get("post_processor", dict)
    elif any(files.config.get(f"add_{end}_token", bool) for end in ("bos", "eos")):
        parts.steps["post_processor"] = lambda ids, names: _ends(files.config, ids, names)
    return parts


def _roberta(path, files):
    """RobertaTokenizer: its own steps and template."""
    parts = _byte_level(path, files)
    parts.defaults = {
        "bos_token": "<s>",
        "eos_token": "</s>",
        "sep_token": "</s>",
        "cls_token": "<s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "mask_token": "<mask>",
    }
    config = files.config
    options = {
        "trim_offsets": config.get("trim_offsets", bool) is not False,
        "add_prefix_space": config.get("add_prefix_space", bool) is True,
    }

    def template(ids, names):
        ends = {
            key: [names[f"{key}_token"], ids.get(names[f"{key}_token"])] for key in ("sep", "cls")
        }
        return {"type": "RobertaProcessing", **ends, **options}

    parts.steps["post_processor"] = template
    return parts


def _byte_level(path, files):
    """What GPT-2's and RoBERTa's classes have in common."""
    whole = files.whole
    if whole:
        vocabulary, model, merges = _bpe_of_json(whole)
        source, model = whole.file, {"type": "BPE", "fuse_unk": False}
    else:
        source = os.path.join(path, "vocab.json")
        if not os.path.isfile(source):
            raise InputError(f"{path}: wanted tokenizer.json, or vocab.json and merges.txt")
        vocabulary = entries(read_json(source))
        merges = _read_merges(os.path.join(path, "merges.txt"), set(vocabulary))
        model = {"type": "BPE", "fuse_unk": False}
    step = {
        "type": "ByteLevel",
        "add_prefix_space": files.config.get("add_prefix_space", bool) is True,
        "trim_offsets": True,
        "use_regex": True,
    }
    decoder = {
        "type": "ByteLevel",
        "add_prefix_space": True,
        "trim_offsets": True,
        "use_regex": True,
    }
    steps = dict(normalizer=None, pre_tokenizer=step, post_processor=None, decoder=decoder)
    return Parts(vocabulary, source, model, merges, [], steps, {})


def _ends(config, ids, names):
    """The template of `add_bos_token` and `add_eos_token`."""

    def special(end, kind):
        token = names[f"{end}_token"]
        there = config.get(f"add_{end}_token", bool) and token is not None
        return [{"SpecialToken": {"id": token, "type_id": kind}}] if there else []

    def side(name, kind):
        text = {"Sequence": {"id": name, "type_id": kind}}
        return [*special("bos", kind), text, *special("eos", kind)]

    single = side("A", 0)
    tokens = [names[f"{end}_token"] for end in ("bos", "eos") if names[f"{end}_token"] is not None]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, *side("B", 1)],
        "special_tokens": {
            token: {"id": token, "ids": [ids[token]], "tokens": [token]} for token in tokens
        },
    }


KINDS = {"GPT2Tokenizer": _gpt2, "RobertaTokenizer": _roberta}


def entries(vocabulary):
    """The tokens of an object of token -> id, in the order of their ids.

    Args:
      vocabulary: Entries.
    Returns:
      list of str, "" for an id without an entry.
    Raises:
      InputError: it is empty, or an id is none, or another token has it, or is far too large.
    """
    if not vocabulary:
        name = vocabulary.place.rstrip(".") or "the vocabulary"
        raise InputError(f"{vocabulary.file}: {name} is empty")
    most = 2 * len(vocabulary.values)
    by_id = {}
    for token in vocabulary.values:
        number = vocabulary.get(token, int)
        if number is None or not 0 <= number < most:
            raise vocabulary.fault(token, f"an id from 0 to {most - 1}, as there are {most // 2}")
        if by_id.setdefault(number, token) != token:
            raise vocabulary.fault(token, f"another id than {shown(by_id[number])} has")
        if not is_unicode(token):
            raise vocabulary.fault(token, "a token without half of a surrogate pair")
    return [by_id.get(i, "") for i in range(max(by_id) + 1)]


def _bpe_of_json(whole):
    """(vocabulary, options, merges) of the BPE model in tokenizer.json."""
    model = whole.inner("model")
    if model.get("type", str) != "BPE":
        raise model.fault("type", "'BPE'")
    for key in ("continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(key, str):
            raise model.fault(key, "none")
    if model.values.get("dropout"):
        raise model.fault("dropout", "none")
    vocabulary = entries(model.inner("vocab"))
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


def _read_merges(path, known):
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


def write(settings, directory):
    """Write tokenizer.json and tokenizer_config.json, readable here and by transformers.

    Args:
      settings: PipelineSettings.
      directory: str or os.PathLike; made when it is not there.
    Raises:
      InputError: the disk is full or the place cannot be written; what was there still is.
    """
    ids = {token: i for i, token in enumerate(settings.vocabulary)}
    added = sorted(settings.added_tokens, key=lambda token: ids[token.content])
    base = settings.vocabulary[: settings.base_size]
    model = dict(settings.model)
    if settings.scores:
        model["vocab"] = [list(pair) for pair in zip(base, settings.scores, strict=True)]
    else:
        model["vocab"] = {token: i for i, token in enumerate(base) if token}
        model["merges"] = [list(pair) for pair in settings.merges]
    whole = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": ids[token.content], **dataclasses.asdict(token)} for token in added
        ],
        **settings.steps,
        "model": model,
    }
    config = {"tokenizer_class": "PreTrainedTokenizerFast"}
    config |= {name: getattr(settings, name) for name in NAMES if getattr(settings, name)}
    config["clean_up_tokenization_spaces"] = settings.cleanup
    config["added_tokens_decoder"] = {
        str(ids[token.content]): dataclasses.asdict(token) for token in added
    }
    if settings.model_max_length is not None:
        config["model_max_length"] = settings.model_max_length
    with new_files(directory, "tokenizer.json", "tokenizer_config.json") as (first, second):
        for place, values in ((first, whole), (second, config)):
            place.write_bytes(f"{json.dumps(values, indent=2, ensure_ascii=False)}\n".encode())
