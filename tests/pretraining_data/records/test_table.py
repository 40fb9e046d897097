"""Records by number; a damaged, missing or foreign one is named by file and offset, never lost."""

import hashlib
import json
import pathlib
import re
import struct

import numpy as np
import pytest
import tensorflow as tf

from bert_tf import Tokenizer
from bert_tf.errors import ConfigError, InputError
from bert_tf.pretraining_data.records import files, schema
from bert_tf.pretraining_data.records.table import RecordTable
from tests import tiny
from tests.pretraining_data import toy_records


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("tokenizer") / "t")


@pytest.fixture
def folder(tmp_path, tokenizer):
    return toy_records.write(tmp_path / "records", tokenizer)


def shard(folder, number=0):
    return sorted(pathlib.Path(folder).glob("*.tfrecord"))[number]


def offsets(path):
    return list(files.places_checked(str(path)).starts)


def numbers(table):
    parsed = table.parse(tf.constant(table.read(np.arange(len(table)))))
    return toy_records.row_numbers(parsed["input_ids"]).tolist()


def flip(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 4
    path.write_bytes(data)


def refusal(source, *arguments):
    with pytest.raises(InputError) as caught:
        RecordTable(source, *arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("manifest", [True, False])
def test_rows_are_read_by_number_in_any_order(folder, tokenizer, manifest):
    if not manifest:
        (pathlib.Path(folder) / "manifest.json").unlink()
    table = RecordTable(folder, tokenizer)
    assert len(table) == 100 and numbers(table) == list(range(100))
    assert table.max_length == toy_records.LENGTH and table.max_predictions is None
    assert table.sentence_objective == "next_sentence" and not table.faults
    some = np.array([99, 0, 60, 59, 0])
    parsed = table.parse(tf.constant(table.read(some)))
    assert toy_records.row_numbers(parsed["input_ids"]).tolist() == some.tolist()
    assert parsed["input_mask"].dtype == tf.int32
    wanted = np.concatenate(
        [toy_records.rows(60)["input_mask"], toy_records.rows(40, first=60)["input_mask"]]
    )
    np.testing.assert_array_equal(table.lengths(), wanted.sum(1))


def test_glob_takes_some_shards_under_the_same_manifest(folder, tokenizer):
    table = RecordTable(f"{folder}/part-1*", tokenizer)
    assert numbers(table) == list(range(60, 100)) and table.manifest is not None
    assert "nothing-*: matches no file" in refusal(f"{folder}/nothing-*")


def test_records_of_another_vocabulary_are_refused(folder, tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join([*tiny.vocabulary(), "more"]) + "\n")
    other = tiny.Tokenizer.from_pretrained(tmp_path)
    line = refusal(folder, other)
    assert line.startswith(f"{folder}/manifest.json: the records were made with another vocabulary")
    assert str(tmp_path) in line


def test_foreign_records_of_a_larger_vocabulary_are_refused_by_offset(folder, tmp_path):
    (pathlib.Path(folder) / "manifest.json").unlink()
    entries = [*tiny.SPECIAL, *tiny.WORDS]
    (tmp_path / "vocab.txt").write_text("\n".join(entries) + "\n")
    line = refusal(folder, tiny.Tokenizer.from_pretrained(tmp_path))
    assert line.startswith(f"{shard(folder)}, offset 0: id {len(entries)} in column 1")


@pytest.mark.parametrize("manifest", [True, False])
@pytest.mark.parametrize("place", [0, 9, 30, -1])  # length, its checksum, data, their checksum
def test_flipped_byte_is_named_or_skipped_and_counted(folder, tokenizer, manifest, place):
    if not manifest:
        (pathlib.Path(folder) / "manifest.json").unlink()
    starts = offsets(shard(folder))
    flip(shard(folder), starts[17] + place if place >= 0 else starts[18] + place)
    line = refusal(folder, tokenizer)
    assert line.startswith(f"{shard(folder)}, offset {starts[17]}: damaged record")
    table = RecordTable(folder, tokenizer, "skip")
    assert numbers(table) == [n for n in range(100) if n != 17]
    assert table.skipped == 1 and len(table.faults) == 1


@pytest.mark.parametrize("length", [2**60, 2**64 - 17, 10**5])
def test_a_length_beyond_the_file_is_named_and_takes_no_memory(folder, tokenizer, length):
    """TensorFlow's reader ends the process there, if the length has the right checksum."""
    starts, path = offsets(shard(folder)), shard(folder)
    header = struct.pack("<Q", length)
    data = bytearray(path.read_bytes())
    data[starts[17] : starts[17] + 12] = header + struct.pack("<I", files._masked_crc32c(header))
    path.write_bytes(data)
    line = refusal(folder, tokenizer)
    assert line.startswith(f"{path}, offset {starts[17]}: damaged record (it would be longer than")
    table = RecordTable(folder, tokenizer, "skip")
    assert numbers(table) == [n for n in range(100) if n != 17] and table.skipped == 1
    manifest = json.loads((path.parent / "manifest.json").read_text())
    manifest["shards"][0]["sha256"] = hashlib.sha256(data).hexdigest()  # as if it were made so
    (path.parent / "manifest.json").write_text(json.dumps(manifest))
    assert "the record is longer than the file" in refusal(folder, tokenizer)


@pytest.mark.parametrize("manifest", [True, False])
def test_truncated_shard_is_named_or_skipped_and_counted(folder, tokenizer, manifest):
    starts = offsets(shard(folder))
    with open(shard(folder), "r+b") as file:
        file.truncate(starts[40] + 25)
    if not manifest:
        (pathlib.Path(folder) / "manifest.json").unlink()
    assert f"{shard(folder)}, offset {starts[40]}: truncated" in refusal(folder, tokenizer)
    table = RecordTable(folder, tokenizer, "skip")
    assert numbers(table) == [*range(40), *range(60, 100)]
    # Only the manifest can tell how many there were.
    assert table.skipped == (20 if manifest else 1)


def test_shard_cut_off_between_two_records_is_short_of_its_manifest(folder, tokenizer):
    starts = offsets(shard(folder))
    with open(shard(folder), "r+b") as file:
        file.truncate(starts[50])
    wanted = f"{shard(folder)}, offset {starts[50]}: the file ends, and 10 of the 60 records"
    assert refusal(folder, tokenizer).startswith(wanted)
    assert RecordTable(folder, tokenizer, "skip").skipped == 10


def test_missing_shard_is_named_or_skipped_and_counted(folder, tokenizer):
    gone = shard(folder, 1)
    gone.unlink()
    assert refusal(folder, tokenizer).startswith(f"{gone}: is missing; manifest.json names it")
    table = RecordTable(folder, tokenizer, "skip")
    assert numbers(table) == list(range(60)) and table.skipped == 40


def test_other_file_under_a_shards_name_is_refused_whatever_the_policy(folder, tokenizer, tmp_path):
    other = toy_records.write(tmp_path / "other", tokenizer, counts=(60,), masks=True)
    shard(folder).write_bytes(shard(other).read_bytes())
    assert "sha256 is not the one in manifest.json" in refusal(folder, tokenizer)
    assert "sha256 is not the one in manifest.json" in refusal(folder, tokenizer, "skip")


def test_files_that_are_no_records_are_refused(tmp_path, tokenizer):
    path = tmp_path / "a.tfrecord"
    path.write_bytes(b"some text that is long enough for a header")
    assert refusal(str(path)).startswith(f"{path}, offset 0: truncated or damaged record")
    path.write_bytes(b"")
    assert refusal(str(path)) == f"{path}: has no records"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"\x00\x01 no example")
    assert refusal(str(path)) == f"{path}, offset 0: not a tf.train.Example"
    example = tf.train.Example()
    example.features.feature["label_ids"].int64_list.value.append(1)
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(example.SerializeToString())
    assert "offset 0: a record without input_ids; it has label_ids" in refusal(str(path))


def test_record_of_another_length_among_foreign_ones_is_named(tmp_path):
    path = tmp_path / "a.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for length in (8, 8, 9):
            example = tf.train.Example()
            for name in ("input_word_ids", "input_mask", "input_type_ids"):
                example.features.feature[name].int64_list.value.extend([1] * length)
            writer.write(example.SerializeToString())
    third = offsets(path)[2]
    assert f"{path}, offset {third}: a record with other features" in refusal(str(path))


def test_names_of_the_model_garden_are_read_as_googles(tmp_path):
    path = tmp_path / "a.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        example = tf.train.Example()
        for name in ("input_word_ids", "input_mask", "input_type_ids"):
            example.features.feature[name].int64_list.value.extend([1, 2, 3])
        writer.write(example.SerializeToString())
    table = RecordTable(str(path))
    parsed = table.parse(tf.constant(table.read([0])))
    assert sorted(parsed) == ["input_ids", "input_mask", "segment_ids"]
    assert table.sentence_objective == "none" and table.max_length == 3


def test_file_that_changes_while_it_is_read_is_named(folder, tokenizer):
    table = RecordTable(folder, tokenizer)
    with open(shard(folder), "r+b") as file:
        file.truncate(100)
    with pytest.raises(InputError, match=r"offset \d+: not the record that was there"):
        table.read([30])


def test_unknown_policy_is_refused(folder):
    with pytest.raises(ConfigError, match="policy is 'ignore', wanted one of fail, skip"):
        RecordTable(folder, policy="ignore")


def test_manifest_that_is_none_is_refused(folder):
    (pathlib.Path(folder) / "manifest.json").write_text(json.dumps({"max_length": 5}))
    assert "not a manifest" in refusal(folder)


def test_checksums_are_tensorflows(tmp_path):
    path = tmp_path / "a"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"x" * 300)
    assert files._length(path.read_bytes()[:12]) == 300


@pytest.mark.parametrize(
    "name, number, wanted",
    [
        ("next_sentence_labels", 2, "0 to 1"),
        ("next_sentence_labels", -2, "-1 to"),
        ("masked_lm_ids", 10**4, "0 to"),
        ("masked_lm_ids", -1, "0 to"),
        ("masked_lm_positions", 2**32 + 1, "0 to"),
        ("input_ids", -5, "0 to"),
        ("input_ids", 2**32 + 2, "0 to"),  # in 32 bits it would be [CLS]
        ("segment_ids", 2**40, "0 to"),
        ("masked_lm_weights", np.nan, "a finite number, 0 or more"),
        ("masked_lm_weights", -1.0, "a finite number, 0 or more"),
        ("masked_lm_weights", np.inf, "a finite number, 0 or more"),
    ],
)
def test_foreign_label_out_of_range_is_named_by_offset(
    tmp_path, tokenizer, monkeypatch, name, number, wanted
):
    """A GPU would train on nothing there, without a word."""
    fixed_masks = toy_records.fixed_masks

    def odd(arrays):
        arrays = fixed_masks(arrays)
        arrays[name] = arrays[name].astype(np.float32 if "weights" in name else np.int64)
        arrays[name][-1, 0] = number
        return arrays

    monkeypatch.setattr(toy_records, "fixed_masks", odd)
    toy_records.write(tmp_path / "odd", tokenizer, (9,), masks=True, manifest=False)
    for policy in ("fail", "skip"):  # others may be wrong where nobody can tell
        message = refusal(tmp_path / "odd", tokenizer, policy)
        assert re.search(f"offset [0-9]+: {name} .*{number}.*, wanted {wanted}", message), message


@pytest.mark.parametrize(
    "change, named",
    [
        ({"input_mask": None}, "a record without input_mask; it has input_ids, masked_lm_ids"),
        ({"masked_lm_ids": None}, "a record without masked_lm_ids; it has input_ids"),
        ({"masked_lm_weights": (4, "int64")}, "masked_lm_weights is int64 [4], wanted float32 [4]"),
        ({"segment_ids": (9, "int64")}, "segment_ids is int64 [9], wanted int64 [24]"),
        ({"next_sentence_labels": (2, "int64")}, "next_sentence_labels is int64 [2], wanted int64"),
        ({"input_ids": (24, "float32")}, "input_ids is float32 [24], wanted int64 [24]"),
        ({"input_ids": (0, "int64")}, "input_ids is int64 [0], wanted int64 [1]"),
    ],
)
@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_foreign_records_whose_features_do_not_go_together_are_named(
    tmp_path, tokenizer, change, named, policy
):
    features = {**schema.features_of(24, 4), **change}
    features = {name: feature for name, feature in features.items() if feature is not None}
    path = tmp_path / "a.tfrecord"
    with schema.new_records(str(path), features) as writer:
        kinds = {"int64": np.int64, "float32": np.float32}
        writer.write({name: np.zeros((2, n), kinds[kind]) for name, (n, kind) in features.items()})
    assert refusal(str(path), tokenizer, policy).startswith(f"{path}, offset 0: {named}")


@pytest.mark.parametrize(
    "change, named",
    [
        ({"input_ids": [10**12, "int64"]}, "input_mask is int64 [24], wanted int64 [10000000"),
        (
            {name: [10**12, "int64"] for name in ("input_ids", "input_mask", "segment_ids")},
            "input_ids is int64 [24], and manifest.json says int64 [1000000000000]",
        ),
        ({"token_boundary": [24, "int64"]}, "token_boundary is missing, and manifest.json says"),
        ({"next_sentence_labels": [1, "float32"]}, "next_sentence_labels is float32 [1], wanted"),
        ({"mood": [3, "float32"]}, "mood is missing, and manifest.json says float32 [3]"),
    ],
)
def test_a_manifest_that_says_other_than_its_records_is_named(folder, tokenizer, change, named):
    path = pathlib.Path(folder) / "manifest.json"
    values = json.loads(path.read_text())
    values["features"] |= change
    values["max_length"] = values["features"]["input_ids"][0]
    path.write_text(json.dumps(values))
    assert named in refusal(folder, tokenizer)


def test_told_label_of_foreign_records_is_held_against_its_classes(tmp_path, tokenizer):
    folder = tmp_path / "foreign"
    labels = {"mood": lambda numbers: numbers[:, None] % 3}
    table = RecordTable(
        toy_records.write(folder, tokenizer, (9,), labels=labels, manifest=False), tokenizer
    )
    table.check_labels("mood", 3)
    with pytest.raises(InputError, match="mood 2, wanted 0 to 1"):
        table.check_labels("mood", 2)


def test_folder_that_is_not_finished_is_never_read_as_a_short_one(folder, tokenizer):
    (pathlib.Path(folder) / "manifest.json").unlink()
    (pathlib.Path(folder) / ".unfinished").mkdir()
    shard(folder, 1).unlink()
    assert "records are not finished" in refusal(folder, tokenizer)
    assert "records are not finished" in refusal(f"{folder}/*.tfrecord", tokenizer)


def test_what_a_killed_process_left_behind_is_no_shard(folder, tokenizer):
    half = shard(folder).read_bytes()
    (pathlib.Path(folder) / "manifest.json").unlink()
    shard(folder).with_suffix(".tfrecord.123.tmp").write_bytes(half)
    assert len(RecordTable(folder, tokenizer)) == 100


def test_glob_over_folders_keeps_every_check_of_their_manifests(tmp_path, tokenizer):
    for name, counts in (("a", (9,)), ("b", (7, 5))):
        toy_records.write(tmp_path / "all" / name, tokenizer, counts)
    every = str(tmp_path / "all" / "*" / "*.tfrecord")
    table = RecordTable(every, tokenizer)
    assert len(table) == 21 and table.manifest is not None
    words = "\n".join(reversed(tiny.vocabulary()))
    (tmp_path / "vocab.txt").write_text(words, encoding="utf-8")
    other = Tokenizer.from_pretrained(tmp_path / "vocab.txt")
    assert "another vocabulary" in refusal(every, other)
    flip(tmp_path / "all" / "b" / "part-1-of-2.tfrecord", 40)
    assert "part-1-of-2.tfrecord, offset" in refusal(every, tokenizer)


def test_folders_of_other_kinds_and_strays_are_not_mixed(tmp_path, tokenizer):
    toy_records.write(tmp_path / "all" / "a", tokenizer, (9,))
    toy_records.write(tmp_path / "all" / "b", tokenizer, (9,), masks=True)
    every = str(tmp_path / "all" / "*" / "*.tfrecord")
    assert f"{tmp_path}/all/b: another max_predictions" in refusal(every, tokenizer)
    toy_records.write(tmp_path / "all" / "c", tokenizer, (9,), manifest=False)
    stray = refusal(str(tmp_path / "all" / "[ac]" / "*.tfrecord"), tokenizer)
    assert "/c/part-0-of-1.tfrecord: no manifest.json names it" in stray
