"""Tokens beside WordPiece: what the files of a directory say of them, read as transformers 5 does.

Source: transformers 5.24, tokenization_utils_base.py: `_from_pretrained`, and the constructor in
tokenization_utils_tokenizers.py.
"""

import dataclasses
import os
import re
from typing import NamedTuple

from bert_tf.errors import InputError, shown
from bert_tf.text.json_entries import Entries, is_unicode, read_json

# The names of BERT's special tokens in tokenizer_config.json, and what BERT calls them.
SPECIAL = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
# All that transformers names itself, in the order in which it adds those the vocabulary lacks.
_NAMED = "bos_token eos_token unk_token sep_token pad_token cls_token mask_token".split()
_FLAGS = "special normalized lstrip rstrip single_word".split()


@dataclasses.dataclass(frozen=True)
class AddedToken:
    """A token that is cut out of a text before WordPiece sees it.

    special: it is left plain text unless special tokens are asked for. normalized: it is looked for
    in the normalized text, in its own normalized form. lstrip, rstrip: it takes in the white space
    before or behind it. single_word: it is none where a letter, a digit or "_" stands beside it.
    """

    content: str
    special: bool = True
    normalized: bool = False
    lstrip: bool = False
    rstrip: bool = False
    single_word: bool = False


class TokenizerFiles(NamedTuple):
    """The JSON files of a directory, as Entries; empty ones for those that are not there.

    config: tokenizer_config.json. special: special_tokens_map.json. added: added_tokens.json.
    whole: tokenizer.json.
    """

    config: Entries
    special: Entries
    added: Entries
    whole: Entries

    @classmethod
    def read(cls, directory):
        """Read them; InputError if one cannot be read."""
        return cls(
            *(
                read_json(os.path.join(directory, name))
                for name in (
                    "tokenizer_config.json",
                    "special_tokens_map.json",
                    "added_tokens.json",
                    "tokenizer.json",
                )
            )
        )


def read_added_tokens(files, vocabulary, source, whole_alone=False, defaults=None, extra=()):
    """Find out which tokens are added to a vocabulary, and which of them are special.

    Args:
      files: TokenizerFiles.
      vocabulary: list of str, what WordPiece knows; the place of a token is its id.
      source: str, the file of the vocabulary, which errors name.
      whole_alone: bool; the tokenizer is what tokenizer.json says, so what that adds counts beside
        what tokenizer_config.json does.
      defaults: dict of name -> str, the special tokens where the files name none; an empty name is
        then allowed, and a token that the vocabulary lacks is put behind it. None: BERT's, which it
        has to have.
      extra: list of AddedToken, special tokens without a name, where the files say none.
    Returns:
      names: dict of the keys of SPECIAL, with `defaults` of all names -> str or None. tokens: tuple
      of AddedToken. vocabulary: list of str, with the tokens behind it that it lacked.
    Raises:
      InputError: an entry is of the wrong type, a token of BERT's is missing, or a token's id is
        not its place.
    """
    is_bert = defaults is None
    defaults = SPECIAL if is_bert else defaults
    in_files, extra = _named(files), _extra(files) or list(extra)
    named = {key: AddedToken(defaults[key]) for key in _NAMED if key in defaults} | in_files
    named = {key: named[key] for key in dict.fromkeys([*_NAMED, *named]) if key in named}
    specials = {token.content for token in named.values()}
    recorded = _recorded(files, specials, whole_alone)
    tokens = {}  # in the order in which transformers gives ids to those the vocabulary lacks
    for token in [*(recorded[i] for i in sorted(recorded)), *named.values(), *extra]:
        if token.content in specials:
            token = dataclasses.replace(token, special=True)
        tokens.setdefault(token.content, token)

    known, added = set(vocabulary), {token.content for token in recorded.values()}
    names = {key: named[key].content for key in (SPECIAL if is_bert else _NAMED) if key in named}
    for key, content in names.items() if is_bert else ():
        if content not in known | added:
            raise InputError(
                f"{source}: no entry is {shown(content)}, which a BERT vocabulary needs ({key})"
            )
    whole = [*vocabulary, *(content for content in tokens if content not in known)]
    ids = {content: i for i, content in enumerate(whole)}
    for i in sorted(recorded):
        content = recorded[i].content
        if ids[content] != i:
            raise InputError(
                f"{source}: the added token {shown(content)} has the id {i}, and its place in the "
                f"vocabulary is {ids[content]}"
            )
    listed = [token.content for token in extra if tokens[token.content].special]
    order = dict.fromkeys([*names.values(), *listed, *tokens])
    order = sorted(order, key=lambda content: not tokens[content].special)
    if not is_bert:
        names = dict.fromkeys(_NAMED) | names
    return names, tuple(tokens[content] for content in order), whole


def _decides(files):
    """Whether tokenizer_config.json lists the added tokens, so that no other file counts."""
    return files.config.get("added_tokens_decoder", dict) is not None


def _named(files):
    """The special tokens to which the files give a name: dict of name -> AddedToken."""
    config = files.config.values | ({} if _decides(files) else files.special.values)
    named = {}
    for key, value in config.items():
        if key in _NAMED or (key.endswith("_token") and isinstance(value, str | dict)):
            of_map = not _decides(files) and key in files.special.values
            named[key] = _token(files.special if of_map else files.config, key, special=True)
    for entries in [files.config] if _decides(files) else [files.config, files.special]:
        if isinstance(entries.values.get("extra_special_tokens"), dict):
            inner = entries.inner("extra_special_tokens")
            named |= {key: _token(inner, key, special=True) for key in inner.values}
    return {key: token for key, token in named.items() if token is not None}


def _extra(files):
    """The special tokens without a name, list of AddedToken."""
    extra = _listed(files.config, "extra_special_tokens")
    extra = extra or _listed(files.config, "additional_special_tokens")
    if not _decides(files):
        more = _listed(files.special, "extra_special_tokens", special=True)
        extra = [*extra, *more] or _listed(files.special, "additional_special_tokens", special=True)
    return extra


def _listed(entries, key, special=False):
    """The tokens of a list; none of an object, which gives them names."""
    if isinstance(entries.values.get(key), dict):
        return []
    items = entries.items(key)
    return [_token(items, i, special, needed=True) for i in items.values]


def _token(entries, key, special=False, specials=(), needed=False):
    """One AddedToken; the files hold it bare or as an object.

    Args:
      entries: Entries. key: str. needed: bool; it may not be absent.
      special: bool, whether it is special when nothing says it is not.
      specials: set of str, contents that are special whatever the entry says.
    Returns:
      AddedToken, or None when there is none.
    """
    value = entries.values.get(key)
    if value is None and not needed:
        return None
    if isinstance(value, str) and value:
        return AddedToken(entries.get(key, str))
    if not isinstance(value, dict):
        raise entries.fault(key, "a token, or an object with its content")
    inner = entries.inner(key)
    content = inner.get("content", str)
    if not content:
        raise inner.fault("content", "a token")
    flags = {name: inner.get(name, bool) for name in _FLAGS}
    special = content in specials or (special if flags["special"] is None else flags["special"])
    normalized = not special if flags["normalized"] is None else flags["normalized"]
    strips = (bool(flags[name]) for name in ("lstrip", "rstrip", "single_word"))
    return AddedToken(content, special, normalized, *strips)


def _recorded(files, specials, whole_alone):
    """The tokens to which the files give an id: dict of int -> AddedToken."""
    listed = files.whole.items("added_tokens")
    whole = {}
    for key in listed.values:
        token = _token(listed, key, specials=specials, needed=True)
        number = listed.inner(key).get("id", int)
        if number is None or number in whole:
            raise listed.inner(key).fault("id", "the id of one token")
        whole[number] = token
    if not _decides(files):
        return _legacy(files, specials) | whole
    decoder = files.config.inner("added_tokens_decoder")
    recorded = {}
    for key in decoder.values:
        if not re.fullmatch("0|[1-9][0-9]{0,17}", key):
            raise decoder.fault(key, "an id as its key")
        recorded[int(key)] = _token(decoder, key, specials=specials, needed=True)
    for number, token in whole.items() if whole_alone else ():
        if recorded.setdefault(number, token) != token:
            raise InputError(
                f"{files.whole.file}: added_tokens: {shown(token.content)} is not what "
                f"{files.config.file} says of the id {number}"
            )
    return recorded


def _legacy(files, specials):
    """The tokens of added_tokens.json, which transformers wrote before 4.34."""
    told = {token.content for token in _named(files).values()}
    extra = _listed(files.config, "extra_special_tokens")
    extra = extra or _listed(files.config, "additional_special_tokens")
    extra += _listed(files.special, "extra_special_tokens")
    told |= {token.content for token in extra}
    recorded = {}
    for content in files.added.values:
        number = files.added.get(content, int)
        if number is None or number in recorded or not content or not is_unicode(content):
            raise files.added.fault(content, "a token, and an id of its own")
        recorded[number] = AddedToken(content, content in specials | told, content not in told)
    return recorded
