"""The manifest of a folder of records: what they hold, and which files they are."""

import dataclasses
import json
import os

from bert_tf.atomic import write_file
from bert_tf.errors import InputError, shown, shown_name
from bert_tf.pretraining_data.corpus import cloze
from bert_tf.pretraining_data.records.foreign import check_features
from bert_tf.pretraining_data.records.schema import DTYPES, SENTENCE_OBJECTIVES

MANIFEST = "manifest.json"
# Beside the shards while some are missing: the plan, and a note on each that is finished.
UNFINISHED = ".unfinished"

_SHARD = {"file", "records", "bytes", "sha256"}


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a folder of records holds: manifest.json.

    max_length: int. max_predictions: int, or None where masks are drawn when training.
    sentence_objective: one of SENTENCE_OBJECTIVES. vocabulary: `vocabulary_fingerprint`. features:
    as `features_of`. shards: list of `RecordWriter.summary`, in order. counts: dict of what was
    read and written. settings: dict of all else that decides the records; empty where unknown.
    labels: dict of further labels, name -> {"of": "sentence" or "token", "names": list of str, the
    classes in the order of their numbers}, or what `cloze.Sizes.found` gives.
    """

    max_length: int
    max_predictions: int | None
    sentence_objective: str
    vocabulary: str
    features: dict
    shards: list
    counts: dict
    settings: dict = dataclasses.field(default_factory=dict)
    labels: dict = dataclasses.field(default_factory=dict)

    @classmethod
    def read(cls, folder):
        """Reads the manifest of a folder.

        Raises:
          InputError: there is none, or it is not one; the line says what is wrong.
        """
        path = os.path.join(folder, MANIFEST)
        values = _read_object(path)
        values.setdefault("labels", {})
        fields = {field.name for field in dataclasses.fields(cls)}
        if set(values) != fields:
            odd = sorted(fields ^ set(values))[0]
            what = "is missing" if odd in fields else "is unknown"
            raise InputError(f"{path}: not a manifest of records: {shown_name(odd)} {what}")
        for name, (accepts, wanted) in _FIELDS.items():
            if not accepts(values[name]):
                raise InputError(
                    f"{path}: not a manifest of records: {name} is {shown(values[name])}, "
                    f"wanted {wanted}"
                )
        features = {name: tuple(feature) for name, feature in values["features"].items()}
        check_features(features, path)
        manifest = cls(**{**values, "features": features})
        manifest._require_agreement(path)
        return manifest

    def write(self, folder):
        """Writes manifest.json into a folder, whole or not at all.

        Raises:
          InputError: it cannot be written.
        """
        write_json(os.path.join(folder, MANIFEST), dataclasses.asdict(self))

    def _require_agreement(self, path):
        """Raises InputError unless lengths and labels are those of the features."""
        masks = self.features.get("masked_lm_positions", (None,))[0]
        lengths = {"max_length": self.features["input_ids"][0], "max_predictions": masks}
        for name, length in lengths.items():
            if getattr(self, name) != length:
                raise InputError(
                    f"{path}: not a manifest of records: {name} is {getattr(self, name)}, and "
                    f"its features have {length}"
                )
        for name, label in self.labels.items():
            columns = _columns(name, label, self.max_length)
            if any(self.features.get(column) != (n, "int64") for column, n in columns.items()):
                wanted = ", ".join(f"{column} [{n}]" for column, n in columns.items())
                raise InputError(
                    f"{path}: not a manifest of records: label {shown(name)} without its "
                    f"features, {wanted}"
                )


def write_json(path, value):
    """Writes a JSON file that takes its name when it is whole.

    Raises:
      InputError: it cannot be written, or the disk is full.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    # A file's name need not be UTF-8; what is not becomes \udcXX, which is JSON.
    write_file(path, text.encode("utf-8", "backslashreplace"))


def _read_object(path):
    try:
        with open(path, encoding="utf-8") as file:
            values = json.load(file)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # not JSON, or not UTF-8
        raise InputError(f"{path}: not JSON: {error}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: not a manifest of records: holds {shown(values)}")
    return values


def _columns(name, label, max_length):
    """The features of a label, dict of name -> length."""
    if label["of"] != "cloze":
        return {name: max_length if label["of"] == "token" else 1}
    blank, candidates = cloze.columns(name)
    return {name: 1, blank: max_length, candidates: label["candidates"] * label["pieces"]}


def _is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_size(value):
    return _is_count(value) and value > 0


def _is_feature(value):
    return isinstance(value, list) and len(value) == 2 and _is_size(value[0]) and value[1] in DTYPES


def _is_shard(value):
    if not isinstance(value, dict) or value.keys() != _SHARD:
        return False
    counts = _is_count(value["records"]) and _is_count(value["bytes"])
    name = value["file"]
    bare = isinstance(name, str) and name not in ("", ".", "..") and os.path.basename(name) == name
    return counts and bare and isinstance(value["sha256"], str)


def _is_label(value):
    if not isinstance(value, dict):
        return False
    if value.get("of") == "cloze":
        return _is_size(value.get("candidates")) and _is_size(value.get("pieces"))
    names = value.get("names")
    known = value.get("of") in ("sentence", "token") and value.keys() == {"of", "names"}
    return known and isinstance(names, list) and all(isinstance(name, str) for name in names)


def _all(kind, accepts, least=0):
    """Whether a value is a list or dict of at least so many things that are accepted."""

    def check(value):
        values = value.values() if isinstance(value, dict) else value
        return isinstance(value, kind) and len(value) >= least and all(map(accepts, values))

    return check


# Field -> whether a value is one, and what is wanted.
_FIELDS = {
    "max_length": (_is_size, "1 or more"),
    "max_predictions": (lambda value: value is None or _is_size(value), "1 or more, or null"),
    "sentence_objective": (
        lambda value: isinstance(value, str) and value in SENTENCE_OBJECTIVES,
        f"one of {', '.join(SENTENCE_OBJECTIVES)}",
    ),
    "vocabulary": (lambda value: isinstance(value, str), "a digest"),
    "features": (_all(dict, _is_feature, 1), "[length, int64 or float32] for each name"),
    "shards": (_all(list, _is_shard), "file, records, bytes and sha256 of each"),
    "counts": (_all(dict, _is_count), "counts by name"),
    "settings": (
        lambda value: isinstance(value, dict) and _is_size(value.get("dupe_factor", 1)),
        "settings by name",
    ),
    "labels": (_all(dict, _is_label), "what `bert-tf records` writes of labels"),
}
