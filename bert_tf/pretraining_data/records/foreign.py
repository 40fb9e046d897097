"""Which features records have, and whether every number is in the range of its feature.

The files that a manifest names are known by their checksums. Others (Google's, the TF Model
Garden's, NVIDIA's) are parsed once, so that no number out of its range reaches a device: a GPU
reads zeros there instead of failing.
"""

import numpy as np
import tensorflow as tf

from bert_tf.errors import InputError, shown_name
from bert_tf.pretraining_data.records import schema
from bert_tf.text.special_ids import row_ends

# What the TF Model Garden calls a feature -> what Google's records do.
SYNONYMS = {"input_word_ids": "input_ids", "input_type_ids": "segment_ids"}
_NEEDED = ("input_ids", "input_mask", "segment_ids")
_MASKS = ("masked_lm_positions", "masked_lm_ids", "masked_lm_weights")
# Numbers are read as 32 bits. Labels begin with -1, which is none; weights and these with 0.
_MOST = 2**31 - 1
_NOT_NEGATIVE = {*_NEEDED, *_MASKS, "token_boundary"}


def features_in(serialized, place):
    """The features of a record.

    Args:
      serialized: bytes, a tf.train.Example.
      place: str, where it is, for messages.
    Returns:
      dict of name -> (length, "int64" or "float32"); features of bytes are left aside.
    Raises:
      InputError: it is no tf.train.Example.
    """
    try:
        example = tf.train.Example.FromString(serialized)
    except Exception:  # protobuf's DecodeError, of whichever implementation
        raise InputError(f"{place}: not a tf.train.Example") from None
    features = {}
    for name, feature in example.features.feature.items():
        if feature.HasField("int64_list"):
            features[name] = (len(feature.int64_list.value), "int64")
        elif feature.HasField("float_list"):
            features[name] = (len(feature.float_list.value), "float32")
    return features


def check_features(features, place):
    """Checks that features are those of pretraining records and go together.

    Args:
      features: dict, as `features_in` gives.
      place: str, what they are of, for messages.
    Raises:
      InputError: one is missing, or of another kind or length than it has to be.
    """
    found = {SYNONYMS.get(name, name): feature for name, feature in features.items()}
    masks = [name for name in _MASKS if name in found]
    for name in (*_NEEDED, *(_MASKS if masks else ())):
        if name not in found:
            has = ", ".join(map(shown_name, sorted(features)[:20])) or "nothing"
            raise InputError(f"{place}: a record without {name}; it has {has}")
    wanted = {name: found["input_ids"][0] for name in (*_NEEDED, "token_boundary")}
    wanted |= {name: found[masks[0]][0] for name in masks} | {"next_sentence_labels": 1}
    for name, length in wanted.items():
        kind = "float32" if name == "masked_lm_weights" else "int64"
        if name in found and (found[name] != (length, kind) or length < 1):
            raise InputError(
                f"{place}: {name} is {_shown(found[name])}, wanted {_shown((max(1, length), kind))}"
            )


def check_first_record(serialized, features, place, manifest):
    """Checks a record against what its manifest says of all.

    Args:
      serialized: bytes. features: dict, the manifest's. place, manifest: str, for messages.
    Raises:
      InputError: the record lacks a feature, or has it of another kind or length.
    """
    found = features_in(serialized, place)
    for name, feature in features.items():
        if found.get(name) != feature:
            has = f"is {_shown(found[name])}" if name in found else "is missing"
            raise InputError(
                f"{place}: {shown_name(name)} {has}, and {manifest} says {_shown(feature)}"
            )


def check_numbers(serialized, features, place_of):
    """Parses records and checks every number against the range that its name has.

    Args:
      serialized: list of n bytes. features: dict, those of the first record.
      place_of: function from a row's number, 0 to n - 1, to where it is, for messages.
    Returns:
      dict of name (Google's) -> int64 or float32 [n, length].
    Raises:
      InputError: a record has other features than the first, or a number that cannot be.
    """
    try:
        parsed = schema.parse_exactly(tf.constant(serialized), features)
    except tf.errors.InvalidArgumentError:
        row = next(i for i, one in enumerate(serialized) if not _fits(one, features))
        raise InputError(
            f"{place_of(row)}: a record with other features than the first, which has "
            + ", ".join(f"{shown_name(name)} [{n}]" for name, (n, _) in features.items())
        ) from None
    arrays = {SYNONYMS.get(name, name): values.numpy() for name, values in parsed.items()}
    for name, values in arrays.items():
        if values.dtype == np.float32:
            wrong = ~np.isfinite(values) | (values < 0 if name in _NOT_NEGATIVE else False)
            wanted = "a finite number, 0 or more" if name in _NOT_NEGATIVE else "a finite number"
        else:
            least = 0 if name in _NOT_NEGATIVE else -1
            wrong, wanted = (values < least) | (values > _MOST), f"{least} to {_MOST}"
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise InputError(
                f"{place_of(row)}: {shown_name(name)} holds {values[row, column]} in column "
                f"{column}, wanted {wanted}"
            )
    return arrays


def check_ids(input_ids, tokenizer, place_of):
    """Checks token ids against a vocabulary: known ids, and [CLS] or what stands for it first.

    Args:
      input_ids: int64 [n, length]. tokenizer: Tokenizer. place_of: as in `check_numbers`.
    Raises:
      InputError: the ids are of another vocabulary.
    """
    wrong = input_ids >= tokenizer.vocab_size
    start, _ = row_ends(tokenizer)
    wrong[:, 0] |= input_ids[:, 0] != start
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise InputError(
            f"{place_of(row)}: id {input_ids[row, column]} in column {column}; the "
            f"vocabulary of {tokenizer.pieces.settings.source} has 0 to "
            f"{tokenizer.vocab_size - 1}, and {tokenizer.vocabulary[start]}, which is {start}, "
            "begins a row: the records were made with another one"
        )


def _fits(serialized, features):
    try:
        schema.parse_exactly(tf.constant([serialized]), features)
    except tf.errors.InvalidArgumentError:
        return False
    return True


def _shown(feature):
    length, kind = feature
    return f"{kind} [{length}]"
