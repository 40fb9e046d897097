"""Tokenizers that are pipelines in files, read as the classes of transformers 5 read them."""

import dataclasses
import json
import os

from bert_tf.atomic import new_files
from bert_tf.errors import InputError
from bert_tf.text import sentencepiece_kinds
from bert_tf.text.added_tokens import TokenizerFiles, read_added_tokens
from bert_tf.text.json_entries import read_json
from bert_tf.text.pipeline_parts import (
    Parts,
    bpe_of_json,
    ends,
    read_merges,
    unigram_of_json,
)
from bert_tf.text.pipeline_settings import PipelineSettings
from bert_tf.text.vocabulary_files import model_max_length

NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


def read_pipeline(path, kind, lowercase=None):
    """Read a tokenizer that is a pipeline.

    Args:
      path: str, a directory.
      kind: str, the class of transformers that it is read as.
      lowercase: bool, or None: as the directory says. Only some kinds can be told.
    Returns:
      PipelineSettings.
    Raises:
      InputError: a file is missing or cannot be used; the line names file and key.
    """
    files = TokenizerFiles.read(path)
    if lowercase is not None:
        if lowercase and kind not in sentencepiece_kinds.LOWERING:
            raise InputError(f"{path}: lowercase: a {kind} cannot be told to lower-case texts")
        files.config.values["do_lower_case"] = lowercase
    parts = KINDS.get(kind, _of_file)(path, files)
    nulls = {key for key, value in files.config.values.items() if value is None}
    defaults = {key: token for key, token in parts.defaults.items() if key not in nulls}
    names, added, whole = read_added_tokens(
        files, parts.vocabulary, parts.source, parts.whole, defaults, parts.extra
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
        return sentencepiece_kinds.bare(path, files)
    merges, scores = [], []
    if whole.inner("model").get("type", str) == "Unigram":
        vocabulary, model, scores = unigram_of_json(whole)
    else:
        vocabulary, model, merges = bpe_of_json(whole)
    steps = {
        name: whole.get(name, dict)
        for name in ("normalizer", "pre_tokenizer", "post_processor", "decoder")
    }
    return Parts(vocabulary, whole.file, model, merges, scores, steps, {}, whole=True)


def _gpt2(path, files):
    """GPT2Tokenizer: its own steps, but for the post-processor."""
    parts = _byte_level(path, files)
    parts.defaults = dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>")
    if files.whole:
        parts.steps["post_processor"] = files.whole.get("post_processor", dict)
    elif any(files.config.get(f"add_{end}_token", bool) for end in ("bos", "eos")):
        parts.steps["post_processor"] = lambda ids, names: ends(files.config, ids, names)
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
        vocabulary, model, merges = bpe_of_json(whole)
        source, model = whole.file, {"type": "BPE", "fuse_unk": False}
    else:
        source = os.path.join(path, "vocab.json")
        if not os.path.isfile(source):
            raise InputError(
                f"{path}: wanted tokenizer.json, or vocab.json and merges.txt, as its "
                "configuration names a byte-level tokenizer"
            )
        vocabulary = read_json(source).tokens()
        merges = read_merges(os.path.join(path, "merges.txt"), set(vocabulary))
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


KINDS = {
    "GPT2Tokenizer": _gpt2,
    "RobertaTokenizer": _roberta,
    **sentencepiece_kinds.KINDS,
}


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
