"""Reading and writing the WordPiece files of a model directory, as Hugging Face lays them out."""

import codecs
import dataclasses
import glob
import json
import math
import os
import re

from absl import logging

from bert_tf import hub
from bert_tf.atomic import new_files
from bert_tf.errors import InputError, shown
from bert_tf.text import tokenizer_json
from bert_tf.text.added_tokens import SPECIAL, AddedToken, TokenizerFiles, read_added_tokens
from bert_tf.text.json_entries import Entries, read_bytes, read_json
from bert_tf.text.unicode_tables import WHITE_SPACE

# The classes of transformers that cut words as BERT does, each also with "Fast" behind it.
_BERT_CLASSES = (
    "BertTokenizer",
    "ElectraTokenizer",
    "DistilBertTokenizer",
    "ConvBertTokenizer",
    "MobileBertTokenizer",
    "SqueezeBertTokenizer",
    "LayoutLMTokenizer",
    "LxmertTokenizer",
)
# Those that are what tokenizer.json says.
_FILE_CLASSES = ("PreTrainedTokenizerFast", "TokenizersBackend")
# Kinds of models with a vocab.txt that transformers cuts otherwise when no class is named.
_OTHER_MODELS = ("layoutlmv2", "prophetnet", "roformer", "splinter", "tapas")
_OTHER_KINDS = ("merges.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model")
_OTHER_KINDS += ("tokenizer.model",)
# What tells a folder of OpenAI's, KerasHub's or TF-Hub's, whose tokenizers have other names.
_OF_OTHER_HOMES = ("encoder.json", os.path.join("assets", "tokenizer"), "assets/*.txt")
# Of vocab.txt: its own, and those that it has in Google's downloads of Chinese ALBERTs.
_NAMES = ("vocab.txt", "vocab_chinese.txt", os.path.join("assets", "vocab_chinese.txt"))
_WHITE_SPACE = "".join(map(chr, sorted(WHITE_SPACE)))


@dataclasses.dataclass(frozen=True)
class WordPieceSettings:
    """What a WordPiece tokenizer is made of.

    vocabulary: tuple of str, in the order of the ids. base_size: int, how many of them WordPiece
    knows; those behind are added tokens alone. strip_accents None: as lowercase says.
    added_tokens: tuple of AddedToken, the special ones among them. model_max_length None: not
    known. source: the file an error names.
    """

    vocabulary: tuple
    base_size: int
    lowercase: bool
    strip_accents: bool | None
    tokenize_chinese_chars: bool
    pad_token: str
    unk_token: str
    cls_token: str
    sep_token: str
    mask_token: str
    added_tokens: tuple
    model_max_length: int | None
    source: str

    @property
    def special_tokens(self):
        """tuple of str, those of the added tokens that are special."""
        return tuple(token.content for token in self.added_tokens if token.special)


def read_wordpiece(path, lowercase=None):
    """Read the WordPiece tokenizer that a directory holds.

    Args:
      path: str or os.PathLike, a directory with vocab.txt or a WordPiece tokenizer.json, and
        perhaps tokenizer_config.json; or a vocab.txt itself.
      lowercase: bool, or None for what the directory says.
    Returns:
      WordPieceSettings.
    Raises:
      InputError: there is no such vocabulary, or it cannot be used; the line names the file.
    """
    path = os.fspath(path)
    if os.path.isfile(path):
        files, source = TokenizerFiles(*(Entries({}, path) for _ in range(4))), path
        vocabulary, alone = _read_lines(path), False
    else:
        files = TokenizerFiles.read(path)
        alone = _check_kind(files, path) in _FILE_CLASSES and bool(files.whole)
        source, vocabulary = _read_vocabulary(files, path)
    if not any(vocabulary):
        raise InputError(f"{source}: the vocabulary is empty")
    names, added, whole = read_added_tokens(files, vocabulary, source, alone)
    ids = {token: i for i, token in enumerate(whole)}
    tokenizer_json.check_bert(files.whole, names, ids, alone)
    _check_places(vocabulary, added, ids, names["unk_token"], source)
    return WordPieceSettings(
        vocabulary=tuple(whole),
        base_size=len(vocabulary),
        added_tokens=added,
        model_max_length=model_max_length(files.config),
        source=source,
        **_normalization(files, alone, lowercase, vocabulary),
        **names,
    )


def _check_kind(files, directory):
    """The class that transformers would take, or None; InputError if it cuts texts otherwise."""
    config = files.config
    config.one_of("word_tokenizer_type", "basic")
    config.one_of("subword_tokenizer_type", "wordpiece")
    for key in ("do_basic_tokenize", "do_word_tokenize", "do_subword_tokenize"):
        if config.get(key, bool) is False:
            raise config.fault(key, "only true here")
    for key in ("padding_side", "truncation_side"):
        config.one_of(key, "right")
    model = read_json(os.path.join(directory, "config.json"))
    for entries in (config, model):
        name = entries.get("tokenizer_class", str)
        if name is not None:
            if name.removesuffix("Fast") not in _BERT_CLASSES and name not in _FILE_CLASSES:
                raise entries.fault("tokenizer_class", "BertTokenizer or one that cuts as it does")
            return name
    if model.get("model_type", str) in _OTHER_MODELS:
        raise model.fault("model_type", "one whose words are cut as BERT cuts them")
    return None


def _read_vocabulary(files, directory):
    """The file that decides, and list of str, what WordPiece knows."""
    paths = [os.path.join(directory, name) for name in _NAMES]
    path = next(filter(os.path.isfile, paths), paths[0])
    of_json = tokenizer_json.read_vocabulary(files.whole)
    of_lines = _read_lines(path) if os.path.isfile(path) else None
    if of_json is None and of_lines is None:
        raise _no_vocabulary(directory)
    if of_json is None:
        return path, of_lines
    if of_lines is None:
        return files.whole.file, of_json
    lines, entries = ({token: i for i, token in enumerate(each)} for each in (of_lines, of_json))
    if _as_lines(entries) == _as_lines(lines):
        return path, of_lines  # the one with a place for each of two equal lines
    token, number = min(lines.items() ^ entries.items(), key=lambda item: (item[1], item[0]))
    logging.warning(
        "%s is not the vocabulary of %s, which counts, as in transformers; the first that one of "
        "them alone has is %s with the id %d",
        path,
        files.whole.file,
        shown(token),
        number,
    )
    return files.whole.file, of_json


def _as_lines(entries):
    """The entries of a vocabulary as a vocab.txt holds them, without empty ones."""
    return {line: i for token, i in entries.items() if (line := _line(token))}


def _line(token):
    """What stands for a token in vocab.txt: nothing for one that a line cannot hold.

    WordPiece never finds such a token, for its words hold no white space.
    """
    fits = not re.search(r"[\n\r]", token) and token == token.rstrip(_WHITE_SPACE)
    return token if fits else ""


def _check_places(vocabulary, added, ids, unk_token, source):
    """Raise InputError where the vocabulary and the added tokens cannot go together."""
    if ids[unk_token] >= len(vocabulary):
        raise InputError(
            f"{source}: {shown(unk_token)} is an added token, and WordPiece needs it (unk_token)"
        )
    _check_lines(added, ids, len(vocabulary), source)
    lines = list(map(_line, vocabulary))
    if len(ids) > len(set(vocabulary)) and len(set(lines)) < len(lines):
        raise InputError(
            f"{source}: {len(lines) - len(set(lines))} ids without an entry of their own; behind "
            "such a vocabulary an added token has no certain id"
        )


def _check_lines(added, ids, base_size, place):
    """Raise InputError for an added token within the vocabulary that vocab.txt cannot hold."""
    for token in added:
        if ids[token.content] < base_size and not _line(token.content):
            raise InputError(
                f"{place}: the added token {shown(token.content)} holds a line break or ends in "
                "white space, which vocab.txt cannot express"
            )


def _normalization(files, alone, lowercase, vocabulary):
    """How texts are normalized: dict of the fields of WordPieceSettings."""
    normalizer = files.whole.inner("normalizer")

    def setting(key, key_of_normalizer, default):
        value, of_normalizer = files.config.get(key, bool), normalizer.get(key_of_normalizer, bool)
        if alone or value is None:
            if not alone and of_normalizer not in (None, default):
                logging.warning(
                    "%s: %s: %s is followed; transformers takes %s where tokenizer_config.json "
                    "does not say %s",
                    files.whole.file,
                    f"normalizer.{key_of_normalizer}",
                    of_normalizer,
                    default,
                    key,
                )
            return of_normalizer
        return value

    lower = setting("do_lower_case", "lowercase", True)
    chinese = setting("tokenize_chinese_chars", "handle_chinese_chars", True)
    if lowercase is None:
        lowercase = not _has_capitals(vocabulary) if lower is None else lower
    return {
        "lowercase": bool(lowercase),
        "strip_accents": setting("strip_accents", "strip_accents", None),
        "tokenize_chinese_chars": chinese is not False,
    }


def model_max_length(config):
    """The longest row, as the file says it, or None."""
    value = config.values.get("model_max_length")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and not (number and math.isfinite(value) and value >= 1):
        raise config.fault("model_max_length", "a number of tokens")
    return value


def write_wordpiece(settings, directory):
    """Write vocab.txt and tokenizer_config.json, readable by `read_wordpiece` and by transformers.

    Args:
      settings: WordPieceSettings.
      directory: str or os.PathLike; made when it is not there.
    Raises:
      InputError: the disk is full or the place cannot be written, or vocab.txt cannot hold a token;
        what was there before still is.
    """
    ids = {token: i for i, token in enumerate(settings.vocabulary)}
    _check_lines(settings.added_tokens, ids, settings.base_size, directory)
    config = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": settings.lowercase,
        "strip_accents": settings.strip_accents,
        "tokenize_chinese_chars": settings.tokenize_chinese_chars,
    }
    config.update((key, getattr(settings, key)) for key in SPECIAL)
    more = [
        token for token in settings.special_tokens if token not in {config[key] for key in SPECIAL}
    ]
    if more:
        config["additional_special_tokens"] = more
    listed = settings.base_size < len(settings.vocabulary)
    if listed or any(token != AddedToken(token.content) for token in settings.added_tokens):
        by_id = sorted(settings.added_tokens, key=lambda token: ids[token.content])
        config["added_tokens_decoder"] = {
            str(ids[token.content]): dataclasses.asdict(token) for token in by_id
        }
    if settings.model_max_length is not None:
        config["model_max_length"] = settings.model_max_length
    lines = "".join(f"{_line(token)}\n" for token in settings.vocabulary[: settings.base_size])
    with new_files(directory, "vocab.txt", "tokenizer_config.json") as (vocabulary_path, path):
        vocabulary_path.write_bytes(lines.encode())
        path.write_bytes(f"{json.dumps(config, indent=2, ensure_ascii=False)}\n".encode())


def _read_lines(path):
    """The tokens of a vocab.txt, without white space at the end of a line, as in the reference."""
    lines = read_bytes(path).removeprefix(codecs.BOM_UTF8).split(b"\n")
    if re.fullmatch(rb"\s*\d+[ \t]+\d+\s*", lines[0]):
        raise InputError(f"{path}: holds word vectors; bert-tf convert makes a model of them")
    if not lines[-1]:
        lines.pop()
    tokens = []
    for number, line in enumerate(lines, 1):
        try:
            tokens.append(line.decode("utf-8").rstrip(_WHITE_SPACE))
        except UnicodeDecodeError as error:
            raise InputError(f"{path}:{number}: byte {error.start + 1} is not UTF-8") from error
    return tokens


def _has_capitals(vocabulary):
    """Does an ordinary entry hold A-Z? "[CLS]" and "<S>" are not ordinary."""
    return any(
        re.search("[A-Z]", token) and not re.fullmatch(r"\[.*\]|<.*>", token)
        for token in vocabulary
    )


def _no_vocabulary(path):
    if not os.path.isdir(path):
        return InputError(hub.nothing_at(path, "directory, and no vocab.txt"))
    others = [name for name in _OTHER_KINDS if os.path.exists(os.path.join(path, name))]
    found = (
        f"only {', '.join(others)}, another kind of tokenizer" if others else "no tokenizer files"
    )
    foreign = [x for name in _OF_OTHER_HOMES for x in glob.glob(name, root_dir=path)]
    hint = f"; {foreign[0]} is there: bert-tf convert writes its tokenizer anew" if foreign else ""
    return InputError(
        f"{path}: wanted vocab.txt or a tokenizer.json with a WordPiece model, found {found}{hint}"
    )
