"""A table of pretraining records: rows of TFRecord files by number, checked when it is opened."""

import functools
import os

import numpy as np
import tensorflow as tf

from bert_tf.errors import ConfigError, InputError
from bert_tf.pretraining_data.records import files, foreign, schema, sources
from bert_tf.pretraining_data.records.manifest import MANIFEST

POLICIES = ("fail", "skip")
_ROWS_AT_ONCE = 4096


class RecordTable:
    """The rows of one or more TFRecord files; the data stay in the files.

    Memory holds where each row is, 20 bytes. Files that a manifest.json beside them names are
    compared with its checksums; of others every record is checked and parsed once.

    Args:
      source: str. A folder that `bert-tf records` made, or a glob of TFRecord files, of one or
        several such folders, or of Google's, the TF Model Garden's or NVIDIA's making.
      tokenizer: Tokenizer that the records have to be made with, or None.
      policy: "fail" at a damaged or missing record, or "skip" such records and count them. A whole
        record with impossible numbers is an error under both, as others of the same making may be
        wrong in ways that cannot be seen.

    Attributes:
      source: str, as given.
      features: dict of name -> (length, "int64" or "float32"), the names as in the files;
        parsed_features: the same under Google's names.
      max_length: int, tokens a row. max_predictions: int; None: rows have no fixed masks.
      copies: int, how many times a text stands in them at most, as far as manifests tell.
      labels: dict, those that a manifest tells of, as `Manifest` has them.
      sentence_objective: str, one of `schema.SENTENCE_OBJECTIVES`; where no manifest tells,
        "next_sentence" if there are labels.
      skipped: int, how many records were left out at least. faults: list of str, a line for each.
    Raises:
      InputError: nothing there can be read; a record is damaged, of another kind, or made with
        another vocabulary; the line names file and offset.
      ConfigError: the policy is unknown.
    """

    def __init__(self, source, tokenizer=None, policy="fail"):
        if policy not in POLICIES:
            raise ConfigError(f"policy is {policy!r}, wanted one of {', '.join(POLICIES)}")
        self._policy, self.skipped, self.faults = policy, 0, []
        self._largest = {}  # of foreign records, feature -> (its largest number, the row)
        self.source = os.fspath(source)
        found, manifests = sources.find(self.source)
        self.manifest = manifests[min(manifests)] if manifests else None
        copies = [each.settings.get("dupe_factor", 1) for each in manifests.values()]
        self.copies = max(copies, default=1)
        if self.manifest is not None and tokenizer is not None:
            self._check_vocabulary(min(manifests), tokenizer)
        self._files = [path for path, _ in found]
        found = [self._open(path, summary) for path, summary in found]
        self._starts = np.concatenate([np.asarray(starts, np.int64) for starts, _ in found])
        self._sizes = np.concatenate([np.asarray(sizes, np.int64) for _, sizes in found])
        counts = [len(starts) for starts, _ in found]
        self._file_of = np.repeat(np.arange(len(self._files), dtype=np.int32), counts)
        self._lengths = None
        # Few at a time: a process may not have as many files open as a corpus has shards.
        self._opened = functools.lru_cache(maxsize=64)(_open_for_reading)
        if not len(self):
            raise InputError(f"{source}: has no records" + (" left" if self.skipped else ""))
        self._describe(tokenizer)

    def __len__(self):
        return len(self._starts)

    def read(self, rows):
        """Fetch records.

        Args:
          rows: int array [n], numbers of rows from 0, in any order.
        Returns:
          list of n bytes, serialized tf.train.Example.
        Raises:
          InputError: a file has changed since the table was opened.
        """
        rows = np.asarray(rows)
        places = zip(self._file_of[rows], self._starts[rows], self._sizes[rows], strict=True)
        fetched = []
        for number, start, size in places:
            path = self._files[number]
            frame = os.pread(
                self._opened(path).fileno(), int(size) + files.HEADER_BYTES, int(start)
            )
            data = frame[files.HEADER_BYTES :]
            if len(data) != size or int.from_bytes(frame[:8], "little") != size:
                raise InputError(
                    f"{path}, offset {start}: not the record that was there when the file was "
                    "opened; files must not change while they are read"
                )
            fetched.append(data)
        return fetched

    def parse(self, serialized):
        """Records as tensors under Google's names, in the graph or eagerly.

        Args:
          serialized: string [N], what `read` gives.
        Returns:
          dict of name -> int32 or float32 [N, length].
        """
        parsed = schema.parse(serialized, self.features)
        return {foreign.SYNONYMS.get(name, name): values for name, values in parsed.items()}

    def lengths(self):
        """How many tokens each row has, int32 [rows]; the first time reads every record."""
        if self._lengths is not None:
            return self._lengths
        features = {"input_mask": self.features["input_mask"]}
        lengths = np.empty(len(self), np.int32)
        for rows in _chunks(len(self)):
            parsed = schema.parse(tf.constant(self.read(rows)), features)
            lengths[rows] = tf.math.count_nonzero(parsed["input_mask"], axis=1).numpy()
        self._lengths = lengths
        return lengths

    def token_counts(self, size):
        """How often each id stands in the rows, padding aside, int64 [size]; reads every record."""
        counts = np.zeros(size, np.int64)
        for rows in _chunks(len(self)):
            parsed = self.parse(tf.constant(self.read(rows)))
            ids = parsed["input_ids"].numpy()[parsed["input_mask"].numpy() > 0]
            counts += np.bincount(ids, minlength=size)
        return counts

    def _open(self, path, summary):
        """Starts and sizes of the records of a file; summary: what the manifest says, or None."""
        if not os.path.isfile(path):
            many = f"; manifest.json names it, with {summary['records']} records"
            self._leave_out(f"{path}: is missing" + many, summary["records"])
            return (), ()
        if summary is not None:
            same = os.path.getsize(path) == summary["bytes"]
            if same and files.sha256(path) == summary["sha256"]:
                return files.places_in_whole_file(path)[:2]
        places = files.places_checked(path)
        starts, sizes, faults = places
        for fault in faults:
            self._leave_out(f"{path}, offset {fault.offset}: {fault.reason}", 1)
        if summary is not None:
            missing = summary["records"] - len(starts) - len(faults)
            if missing < 0 or (not missing and not faults):
                raise InputError(
                    f"{path}: its sha256 is not the one in manifest.json, though its records are "
                    "whole; wanted the file that was made with the manifest"
                )
            if missing:
                self._leave_out(
                    f"{path}, offset {os.path.getsize(path)}: the file ends, and {missing} of the "
                    f"{summary['records']} records in manifest.json are not there",
                    missing,
                )
        return starts, sizes

    def _leave_out(self, fault, count):
        if self._policy == "fail":
            raise InputError(f"{fault}; make it again, or have such records skipped and counted")
        self.faults.append(fault)
        self.skipped += count

    def _check_vocabulary(self, folder, tokenizer):
        if schema.vocabulary_fingerprint(tokenizer) != self.manifest.vocabulary:
            raise InputError(
                f"{os.path.join(folder, MANIFEST)}: the records were made with another "
                f"vocabulary than {tokenizer.pieces.settings.source}"
            )

    def _describe(self, tokenizer):
        self.labels = {} if self.manifest is None else self.manifest.labels
        if self.manifest is not None:
            self.features = dict(self.manifest.features)
            self.sentence_objective = self.manifest.sentence_objective
            for row in np.unique(self._file_of, return_index=True)[1]:  # the first of each file
                foreign.check_first_record(
                    self.read([row])[0], self.features, self._place(row), MANIFEST
                )
        else:
            self.features = foreign.features_in(self.read([0])[0], self._place(0))
            foreign.check_features(self.features, self._place(0))
            labelled = "next_sentence_labels" in self.features
            self.sentence_objective = "next_sentence" if labelled else "none"
        self.parsed_features = {
            foreign.SYNONYMS.get(name, name): feature for name, feature in self.features.items()
        }
        self.max_length = self.parsed_features["input_ids"][0]
        masked = self.features.get("masked_lm_positions")
        self.max_predictions = None if masked is None else masked[0]
        if self.manifest is None:
            self._check_rows(tokenizer)

    def _check_rows(self, tokenizer):
        """Parse every record once: of the same features, ids and labels within their ranges."""
        for rows in _chunks(len(self)):

            def place_of(row, rows=rows):
                return self._place(rows[row])

            parsed = foreign.check_numbers(self.read(rows), self.features, place_of)
            for name, values in parsed.items():
                most = values.max(axis=1, initial=0)
                row = int(np.argmax(most))
                found = int(most[row]), int(rows[row])
                self._largest[name] = max(self._largest.get(name, found), found)
            if tokenizer is not None:
                foreign.check_ids(parsed["input_ids"], tokenizer, place_of)
        if tokenizer is not None:
            self.check_labels("masked_lm_ids", tokenizer.vocab_size)
        self.check_labels("masked_lm_positions", self.max_length)
        self.check_labels("next_sentence_labels", 2)

    def check_labels(self, name, count):
        """Raises InputError if records without a manifest hold `count` or more under a name."""
        largest, row = self._largest.get(name, (0, 0))
        if largest >= count:
            raise InputError(f"{self._place(row)}: {name} {largest}, wanted 0 to {count - 1}")

    def _place(self, row):
        return f"{self._files[self._file_of[row]]}, offset {self._starts[row]}"


def _open_for_reading(path):
    try:
        return open(path, "rb", buffering=0)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _chunks(count):
    for start in range(0, count, _ROWS_AT_ONCE):
        yield np.arange(start, min(start + _ROWS_AT_ONCE, count))
