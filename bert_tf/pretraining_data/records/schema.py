"""Pretraining records: Google's names, writing them, parsing them.

The names and kinds are those of google-research/bert, create_pretraining_data.py, and
token_boundary is ALBERT's; so their files can be read here and ours there.
"""

import contextlib
import hashlib
import os

import tensorflow as tf

from bert_tf.atomic import new_path
from bert_tf.errors import ConfigError, InputError
from bert_tf.pretraining_data.records.example_encoding import encode

# What a row of a record may be labelled with, by the objective over its segments.
SENTENCE_OBJECTIVES = ("next_sentence", "sentence_order", "sentence_order_3", "none")

DTYPES = {"int64": tf.int64, "float32": tf.float32}
_ROWS_AT_ONCE = 4096


def features_of(max_length, max_predictions=None, sentences=True, boundaries=False, labels=None):
    """What a record holds.

    Args:
      max_length: int, tokens a row.
      max_predictions: int, masked tokens a row at most; None for records without masks, which are
        drawn when training.
      sentences: bool, whether a row has a sentence label.
      boundaries: bool, whether it says where words begin.
      labels: dict of str -> int, names and lengths of further integer labels; None for none.
    Returns:
      dict of name -> (length, "int64" or "float32"), in the order they are written.
    Raises:
      ConfigError: a label has the name of another feature.
    """
    rows = ["input_ids", "input_mask", "segment_ids", *["token_boundary"] * boundaries]
    features = {name: (max_length, "int64") for name in rows}
    if max_predictions is not None:
        features["masked_lm_positions"] = (max_predictions, "int64")
        features["masked_lm_ids"] = (max_predictions, "int64")
        features["masked_lm_weights"] = (max_predictions, "float32")
    if sentences:
        features["next_sentence_labels"] = (1, "int64")
    for name, length in (labels or {}).items():
        if name in features:
            raise ConfigError(f"label {name!r} has the name of a feature that every record has")
        features[name] = (length, "int64")
    return features


@contextlib.contextmanager
def new_records(path, features):
    """Writes one TFRecord file, which takes its name when the body is done.

    Args:
      path: str. A file of that name is replaced then, and stays as it is if the body fails.
      features: as `features_of` gives.
    Yields:
      RecordWriter; its `summary` is there when the file is.
    Raises:
      InputError: the file cannot be written, or the disk is full.
    """
    with new_path(path) as place:
        with _writing(path):
            file = tf.io.TFRecordWriter(place)
        writer = RecordWriter(path, features, file)
        try:
            yield writer
            with _writing(path):
                file.flush()
        finally:
            with contextlib.suppress(tf.errors.OpError):  # of a flush that failed before
                file.close()
        with open(place, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
        name = os.path.basename(path)
        writer.summary = dict(file=name, records=writer.records, bytes=size, sha256=digest)


class RecordWriter:
    """Appends rows to an open TFRecord file; see `new_records`.

    Attributes:
      records: int, the rows written. summary: dict of file (its name), records, bytes and sha256.
    """

    def __init__(self, path, features, file):
        self.records, self.summary = 0, None
        self._path, self._features, self._file = path, features, file

    def write(self, arrays):
        """Appends rows: dict of name -> int or float [N, length], a key for each feature.

        Raises:
          InputError: they cannot be written, or the disk is full.
        """
        count = len(next(iter(arrays.values())))
        for start in range(0, count, _ROWS_AT_ONCE):
            part = {name: rows[start : start + _ROWS_AT_ONCE] for name, rows in arrays.items()}
            with _writing(self._path):
                for record in encode(part, self._features):
                    self._file.write(record)
        self.records += count


@contextlib.contextmanager
def _writing(path):
    """Within it an error of TensorFlow becomes an InputError that names the file."""
    try:
        yield
    except tf.errors.OpError as error:
        reason = error.message.rpartition("; ")[2].splitlines()[0]
        raise InputError(f"{path}: cannot be written: {reason}") from None


def parse(serialized, features):
    """Serialized records as tensors, in the graph or eagerly.

    Args:
      serialized: string [N].
      features: dict of name -> (length, "int64" or "float32"); what else a record holds is left
        aside.
    Returns:
      dict of name -> int32 or float32 [N, length].
    Raises:
      tf.errors.InvalidArgumentError: a record lacks a feature or has it at another length.
    """
    return {
        name: tf.cast(values, tf.int32) if values.dtype == tf.int64 else values
        for name, values in parse_exactly(serialized, features).items()
    }


def parse_exactly(serialized, features):
    """As `parse`, with the integers as the file has them: dict of name -> int64 or float32."""
    wanted = {
        name: tf.io.FixedLenFeature([length], DTYPES[kind])
        for name, (length, kind) in features.items()
    }
    return tf.io.parse_example(serialized, wanted)


def vocabulary_fingerprint(tokenizer):
    """sha256 of a tokenizer's entries in the order of their ids, as 64 hexadecimal digits."""
    entries = "\n".join(tokenizer.vocabulary).encode("utf-8", "surrogatepass")
    return hashlib.sha256(entries).hexdigest()
