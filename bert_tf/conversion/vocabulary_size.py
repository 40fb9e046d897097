"""How many ids the vocabulary in a folder has, against the rows of the word embeddings."""

import re

from absl import logging

from bert_tf.conversion.files import read_json
from bert_tf.errors import InputError


def check_vocabulary(folder, rows, named):
    """The word embeddings may have more rows than the vocabulary has entries, never fewer.

    Args:
      folder: Path, where the files of the tokenizer are.
      rows: `vocab_size` of the config.
      named: function of a Path, giving the one that messages name.
    Raises:
      InputError: there are fewer rows.
    """
    file, _, entries = vocabulary_entries(folder)
    if file is None or not isinstance(rows, int):
        return
    file = named(file)
    said = f"{file}: {entries} entries for {rows} rows of the word embeddings (vocab_size)"
    if entries > rows:
        raise InputError(f"{said}: not the vocabulary this model was trained with")
    if entries < rows:
        logging.warning("%s: the last %d rows have no entry", said, rows - entries)


def vocabulary_entries(folder):
    """How large the vocabulary in a folder is; whether its files are right otherwise is not seen.

    Args:
      folder: Path.

    Returns:
      Path of the file that holds it, None where there is none or it is of a kind that this package
      does not read; int, the ids it has; int, the ids with those of added tokens.
    """
    file, whole = folder / "vocab.txt", {}
    if file.is_file():
        text = file.read_bytes()
        entries = text.count(b"\n") + bool(text and not text.endswith(b"\n"))
    else:
        file = folder / "tokenizer.json"
        whole = read_json(file) if file.is_file() else {}
        model = whole.get("model")
        vocabulary = model.get("vocab") if isinstance(model, dict) else None
        if not isinstance(vocabulary, dict):
            return None, 0, 0
        entries = max([len(vocabulary), *map(_next, vocabulary.values())])
    return file, entries, max([entries, *map(_next, _added_ids(folder, whole))])


def _next(number):
    """The number of ids up to one, 0 for what is none."""
    return number + 1 if isinstance(number, int) else 0


def _added_ids(folder, whole):
    """What the tokenizer's files call the ids of tokens added to the vocabulary."""
    added, config = (
        read_json(folder / name) if (folder / name).is_file() else {}
        for name in ("added_tokens.json", "tokenizer_config.json")
    )
    decoder, listed = config.get("added_tokens_decoder"), whole.get("added_tokens")
    keys = decoder if isinstance(decoder, dict) else {}
    tokens = listed if isinstance(listed, list) else []
    return [
        *added.values(),
        *(token.get("id") for token in tokens if isinstance(token, dict)),
        *(int(key) for key in keys if re.fullmatch("[0-9]{1,18}", key)),
    ]
