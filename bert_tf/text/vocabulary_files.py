"""Reading and writing the WordPiece files of a model directory, as Hugging Face lays them out."""

import dataclasses
import json
import os
import re
import tempfile

from bert_tf.errors import InputError

# The names of the five special tokens in tokenizer_config.json, and what BERT calls them.
SPECIAL = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
_OTHER_KINDS = (
    "merges.txt",
    "vocab.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
    "tokenizer.json",
)


@dataclasses.dataclass(frozen=True)
class WordPieceSettings:
    """What a WordPiece tokenizer is made of.

    vocabulary: tuple of str, in the order of the ids. strip_accents None: as lowercase says.
    special_tokens: the five named ones and whatever else may be kept whole in a text.
    model_max_length None: not known. source: the file an error names.
    """

    vocabulary: tuple
    lowercase: bool
    strip_accents: bool | None
    tokenize_chinese_chars: bool
    pad_token: str
    unk_token: str
    cls_token: str
    sep_token: str
    mask_token: str
    special_tokens: tuple
    model_max_length: int | None
    source: str


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
        directory, vocabulary_file = os.path.dirname(path), path
    else:
        directory, vocabulary_file = path, os.path.join(path, "vocab.txt")
    bare = path == vocabulary_file
    model = {} if bare else _read_json(os.path.join(directory, "tokenizer.json"))
    config = (
        {}
        if bare
        else {
            **_read_json(os.path.join(directory, "special_tokens_map.json")),
            **_read_json(os.path.join(directory, "tokenizer_config.json")),
        }
    )
    if os.path.exists(vocabulary_file):
        source, vocabulary = vocabulary_file, _read_lines(vocabulary_file)
    elif model.get("model", {}).get("type") == "WordPiece":
        source = os.path.join(directory, "tokenizer.json")
        vocabulary = _vocabulary_of_model(model, source)
    else:
        raise _no_vocabulary(path)
    if not any(vocabulary):
        raise InputError(f"{source}: the vocabulary is empty")

    normalizer = _bert_normalizer(model, os.path.join(directory, "tokenizer.json"))
    names = {key: _content(config.get(key)) or default for key, default in SPECIAL.items()}
    vocabulary, special = _add_tokens(vocabulary, names.values(), model, config, source)
    for key, token in names.items():
        if token not in vocabulary:
            raise InputError(
                f"{source}: no line holds {token!r}, which a BERT vocabulary needs ({key})"
            )

    def setting(config_key, normalizer_key, default):
        return (
            config[config_key]
            if config.get(config_key) is not None
            else normalizer.get(normalizer_key, default)
        )

    if lowercase is None:
        lowercase = setting("do_lower_case", "lowercase", not _has_capitals(vocabulary))
    if config.get("do_basic_tokenize") is False:
        raise InputError(
            f"{os.path.join(directory, 'tokenizer_config.json')}: do_basic_tokenize is false; "
            "only BERT's own splitting of words is known"
        )
    return WordPieceSettings(
        vocabulary=tuple(vocabulary),
        lowercase=bool(lowercase),
        strip_accents=setting("strip_accents", "strip_accents", None),
        tokenize_chinese_chars=bool(
            setting("tokenize_chinese_chars", "handle_chinese_chars", True)
        ),
        special_tokens=special,
        model_max_length=config.get("model_max_length"),
        source=source,
        **names,
    )


def write_wordpiece(settings, directory):
    """Write vocab.txt and tokenizer_config.json, readable by `read_wordpiece` and by transformers.

    Args:
      settings: WordPieceSettings.
      directory: str or os.PathLike; made when it is not there.
    Raises:
      InputError: a token holds a line break, which vocab.txt cannot express.
    """
    for i, token in enumerate(settings.vocabulary):
        if "\n" in token or "\r" in token:
            raise InputError(
                f"token {i} ({token!r}) holds a line break, which vocab.txt cannot express"
            )
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
    if settings.model_max_length is not None:
        config["model_max_length"] = settings.model_max_length
    os.makedirs(directory, exist_ok=True)
    _write(
        os.path.join(directory, "vocab.txt"), "".join(f"{token}\n" for token in settings.vocabulary)
    )
    _write(
        os.path.join(directory, "tokenizer_config.json"),
        json.dumps(config, indent=2, ensure_ascii=False) + "\n",
    )


def _write(path, text):
    """Write a whole UTF-8 file, or leave what was there."""
    handle, temporary = tempfile.mkstemp(
        dir=os.path.dirname(path), prefix=f".{os.path.basename(path)}."
    )
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp's 0600 is for secrets
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _read_json(path):
    """The object in a JSON file; an empty one when there is no file."""
    if not os.path.exists(path):
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: wanted a JSON object, got {type(value).__name__}")
    return value


def _read_lines(path):
    """The tokens of a vocab.txt, without white space at the end of a line, as in the reference."""
    with open(path, "rb") as file:
        lines = file.read().split(b"\n")
    if not lines[-1]:
        lines.pop()
    tokens = []
    for number, line in enumerate(lines, 1):
        try:
            tokens.append(line.decode("utf-8").rstrip())
        except UnicodeDecodeError as error:
            raise InputError(f"{path}:{number}: byte {error.start + 1} is not UTF-8") from error
    return tokens


def _vocabulary_of_model(model, source):
    """The tokens of tokenizer.json in the order of their ids."""
    model = model["model"]
    for key, wanted in (("continuing_subword_prefix", "##"), ("max_input_chars_per_word", 100)):
        if model.get(key, wanted) != wanted:
            raise InputError(f"{source}: model.{key} is {model[key]!r}, only {wanted!r} is known")
    by_id = {i: token for token, i in model.get("vocab", {}).items()}
    # A vocab.txt with a token on two lines becomes a tokenizer.json without the earlier id.
    return [by_id.get(i, "") for i in range(max(by_id, default=-1) + 1)]


def _bert_normalizer(model, source):
    """The normalizer settings of tokenizer.json, {} when there is none."""
    normalizer = model.get("normalizer") or {}
    if normalizer and (
        normalizer.get("type") != "BertNormalizer" or not normalizer.get("clean_text", True)
    ):
        raise InputError(
            f"{source}: normalizer {normalizer.get('type')!r} (clean_text "
            f"{normalizer.get('clean_text')}) is not known, only BertNormalizer with clean_text"
        )
    return normalizer


def _content(token):
    """A special token's text; the files hold it bare or as a described object."""
    return token.get("content") if isinstance(token, dict) else token


def _add_tokens(vocabulary, named, model, config, source):
    """The vocabulary with the added tokens behind it, and all that may be kept whole in a text."""
    added = {int(i): token for i, token in config.get("added_tokens_decoder", {}).items()}
    added = added or {token["id"]: token for token in model.get("added_tokens", [])}
    special = dict.fromkeys(named)
    special.update(
        dict.fromkeys(_content(token) for token in config.get("additional_special_tokens") or ())
    )
    known = set(vocabulary)
    for i, token in sorted(added.items()):
        content = token["content"]
        if content in special and content in known:
            continue
        if not token.get("special"):
            raise InputError(
                f"{source}: the added token {content!r} is not special; "
                "ordinary tokens outside the vocabulary are not known"
            )
        if content not in known and i != len(vocabulary):
            raise InputError(
                f"{source}: the added token {content!r} has id {i}, wanted {len(vocabulary)}"
            )
        if content not in known:
            vocabulary = [*vocabulary, content]
        special[content] = None
    return vocabulary, tuple(token for token in special if token in vocabulary)


def _has_capitals(vocabulary):
    """Does an ordinary entry hold A-Z? "[CLS]" and "<S>" are not ordinary."""
    return any(
        re.search("[A-Z]", token) and not re.fullmatch(r"\[.*\]|<.*>", token)
        for token in vocabulary
    )


def _no_vocabulary(path):
    if not os.path.isdir(path):
        return InputError(f"{path}: no such directory, and no vocab.txt")
    others = [name for name in _OTHER_KINDS if os.path.exists(os.path.join(path, name))]
    found = (
        f"only {', '.join(others)}, another kind of tokenizer" if others else "no tokenizer files"
    )
    return InputError(
        f"{path}: wanted vocab.txt or a tokenizer.json with a WordPiece model, found {found}"
    )
