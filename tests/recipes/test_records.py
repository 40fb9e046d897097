"""Records by command: the same bytes however they are made, and nothing made twice or mixed up."""

import glob
import json
import os
import pathlib
import pickle
import signal
import sys
import threading

import numpy as np
import pytest

from bert_tf.atomic import locked
from bert_tf.config import Masking
from bert_tf.errors import ConfigError, InputError
from bert_tf.pretraining_data.corpus.corpus_plan import Reading
from bert_tf.pretraining_data.hidden import known_of
from bert_tf.pretraining_data.records import folder
from bert_tf.pretraining_data.records.job import RecordJob
from bert_tf.pretraining_data.records.manifest import Manifest
from bert_tf.pretraining_data.records.shards import RecordSettings
from bert_tf.pretraining_data.records.table import RecordTable
from bert_tf.recipes import records
from bert_tf.recipes.interruption import Interrupted
from bert_tf.tasks import fill_mask
from bert_tf.text.tokenizer import Tokenizer
from tests import tiny

LINES = Reading(layout="lines")
SETTINGS = RecordSettings(max_length=32, masking=Masking(max_predictions=5), reading=LINES)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    random = np.random.default_rng(0)
    for number in range(2):
        texts = [
            "\n".join(
                " ".join(random.choice(tiny.WORDS, random.integers(3, 12))) + " ." for _ in range(8)
            )
            for _ in range(30)
        ]
        (folder / f"{number}.txt").write_text("\n\n".join(texts))
    return str(folder / "*.txt")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer") / "t"
    tiny.tokenizer(folder)
    return str(folder)


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory):
    """The folder of a tokenizer as GPT-2's: no [CLS], [SEP], [MASK] or padding, one token for both
    ends of a text."""
    folder = tmp_path_factory.mktemp("byte_level")
    characters = sorted({*"".join(tiny.WORDS), "\u0120", "."})
    vocabulary = {token: id for id, token in enumerate([*characters, "<|endoftext|>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "GPT2Tokenizer"}')
    return str(folder)


def make(corpus, tokenizer, output, settings=SETTINGS, shards=4, **more):
    more.setdefault("processes", 1)
    return records.make_records(corpus, tokenizer, str(output), settings, shards, **more)


def test_a_tokenizer_without_cls_puts_what_ends_a_text_at_both_ends(corpus, byte_level, tmp_path):
    settings = RecordSettings(max_length=32, sentence_objective="none", reading=LINES)
    make(corpus, byte_level, tmp_path / "records", settings)
    tokenizer = Tokenizer.from_pretrained(byte_level)
    table = RecordTable(str(tmp_path / "records"), tokenizer)
    rows = {x: y.numpy() for x, y in table.parse(table.read(np.arange(len(table)))).items()}
    lengths = rows["input_mask"].sum(axis=1)
    end = tokenizer.vocab_size - 1
    assert len(lengths) > 20 and (rows["input_ids"][:, 0] == end).all()
    assert (rows["input_ids"][np.arange(len(lengths)), lengths - 1] == end).all()
    known = known_of("causal_lm", tokenizer, table, None)
    assert np.flatnonzero(known.is_special).tolist() == [end]


def test_masks_without_a_mask_token_are_refused_before_anything_is_written(
    corpus, byte_level, tmp_path
):
    with pytest.raises(InputError, match="vocab.json: has no mask token, wanted one for static"):
        make(corpus, byte_level, tmp_path / "records")
    assert not (tmp_path / "records").exists()
    tokenizer = Tokenizer.from_pretrained(byte_level)
    for words in ("masked_lm", "replaced_tokens", "blank_infilling", "denoising"):
        with pytest.raises(
            InputError, match=f"no mask token, wanted one for objective.words {words}"
        ):
            known_of(words, tokenizer, None, None)
    with pytest.raises(InputError, match="no mask token, wanted one for words to fill in"):
        fill_mask.features({"text": ["a"]}, tokenizer, {"max_length": 8})


def contents(folder):
    return {name: (folder / name).read_bytes() for name in sorted(os.listdir(folder))}


def test_a_job_as_a_process_is_handed_it_makes_the_same_bytes(
    corpus, tokenizer, tmp_path, monkeypatch
):
    one, make_one = make(corpus, tokenizer, tmp_path / "one"), RecordJob.make
    monkeypatch.setattr(
        RecordJob, "make", lambda job, n: make_one(pickle.loads(pickle.dumps(job)), n)
    )
    assert make(corpus, tokenizer, tmp_path / "two") == one
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


@pytest.mark.slow  # two processes that start TensorFlow: what they are handed is tried above
def test_two_processes_write_the_bytes_that_one_writes(corpus, tokenizer, tmp_path):
    one = make(corpus, tokenizer, tmp_path / "one")
    two = make(corpus, tokenizer, tmp_path / "two", processes=2)
    assert one == two and contents(tmp_path / "one") == contents(tmp_path / "two")
    assert sorted(os.listdir(tmp_path / "one")) == [
        "manifest.json",
        *(f"records-0000{number}-of-00004.tfrecord" for number in range(4)),
    ]


def test_the_manifest_tells_what_was_read_and_made(corpus, tokenizer, tmp_path):
    manifest = make(corpus, tokenizer, tmp_path)
    assert manifest == Manifest.read(str(tmp_path))
    assert manifest.max_length == 32 and manifest.max_predictions == 5
    counts = manifest.counts
    assert (counts["files"], counts["documents"], counts["sentences"]) == (2, 60, 480)
    assert counts["records"] == sum(shard["records"] for shard in manifest.shards) > 0
    assert counts["label_0"] + counts["label_1"] == counts["records"]


def test_the_same_command_again_changes_nothing(corpus, tokenizer, tmp_path, monkeypatch):
    before = make(corpus, tokenizer, tmp_path)
    monkeypatch.setattr(folder.corpus_plan, "plan", None)  # nothing is read again
    assert make(corpus, tokenizer, tmp_path) == before


def test_a_file_whose_name_is_no_utf_8_can_be_read(corpus, tokenizer, tmp_path):
    (tmp_path / "text").mkdir()
    for path in glob.glob(corpus):
        name = os.fsdecode(b"caf\xe9-" + os.path.basename(path).encode())
        (tmp_path / "text" / name).write_bytes(pathlib.Path(path).read_bytes())
    text = str(tmp_path / "text" / "*.txt")
    before = make(text, tokenizer, tmp_path / "records")
    assert make(text, tokenizer, tmp_path / "records") == before


def test_a_run_that_was_stopped_makes_only_what_is_missing(
    corpus, tokenizer, tmp_path, monkeypatch
):
    whole = make(corpus, tokenizer, tmp_path / "whole")
    make_one = RecordJob.make
    interrupted_at(2, monkeypatch)
    with pytest.raises(Interrupted, match="2 of 4 shards are missing"):
        make(corpus, tokenizer, tmp_path / "stopped")
    assert not (tmp_path / "stopped" / "manifest.json").exists()
    (tmp_path / "stopped" / "records-00000-of-00004.tfrecord").write_bytes(b"torn")
    left = ".records-00001-of-00004.tfrecord.0123456789ab.tmp"  # by a process that was killed
    (tmp_path / "stopped" / left).write_bytes(b"torn")
    again = []
    monkeypatch.setattr(RecordJob, "make", lambda job, n: (again.append(n), make_one(job, n)))
    assert make(corpus, tokenizer, tmp_path / "stopped") == whole
    assert again == [0, 2, 3]
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    "change, named",
    [
        ({"seed": 1}, "seed 0, not 1"),
        ({"dupe_factor": 2}, "dupe_factor 1, not 2"),
        ({"masking": Masking(max_predictions=5, unit="word")}, "masking.unit token, not word"),
        ({"masking": None}, "masking"),
        ({"reading": Reading(layout="lines", language="zh")}, "reading.language en, not zh"),
    ],
)
def test_a_folder_with_records_of_other_settings_is_refused(
    corpus, tokenizer, tmp_path, change, named
):
    make(corpus, tokenizer, tmp_path)
    before = contents(tmp_path)
    other = RecordSettings(**{**vars(SETTINGS), **change})
    with pytest.raises(ConfigError, match=named):
        make(corpus, tokenizer, tmp_path, other)
    assert contents(tmp_path) == before


def test_another_vocabulary_or_corpus_is_refused_too(corpus, tokenizer, tmp_path):
    make(corpus, tokenizer, tmp_path / "out")
    with pytest.raises(ConfigError, match="another corpus"):
        make(corpus.replace("*", "0"), tokenizer, tmp_path / "out")
    other = tmp_path / "tokenizer"
    other.mkdir()
    (other / "vocab.txt").write_text("\n".join([*tiny.vocabulary(), "more"]))
    with pytest.raises(ConfigError, match="vocabulary"):
        make(corpus, str(other), tmp_path / "out")


def interrupted_at(count, monkeypatch):
    """Stops a run when so many shards are made."""
    made, make_one = [], RecordJob.make

    def make(job, number):
        if len(made) == count:
            raise KeyboardInterrupt
        make_one(job, number)
        made.append(number)

    monkeypatch.setattr(RecordJob, "make", make)


def test_an_unfinished_folder_of_other_settings_is_refused(
    corpus, tokenizer, tmp_path, monkeypatch
):
    interrupted_at(2, monkeypatch)
    with pytest.raises(Interrupted):
        make(corpus, tokenizer, tmp_path)
    monkeypatch.undo()
    with pytest.raises(ConfigError, match="shards 4, not 3"):
        make(corpus, tokenizer, tmp_path, shards=3)


def test_a_plan_of_which_nothing_was_made_binds_nobody(corpus, tokenizer, tmp_path, monkeypatch):
    interrupted_at(0, monkeypatch)
    with pytest.raises(Interrupted):
        make(corpus, tokenizer, tmp_path)
    monkeypatch.undo()
    assert len(make(corpus, tokenizer, tmp_path, shards=3).shards) == 3


def test_a_torn_plan_is_one_line_and_a_torn_note_is_made_again(
    corpus, tokenizer, tmp_path, monkeypatch
):
    interrupted_at(2, monkeypatch)
    with pytest.raises(Interrupted):
        make(corpus, tokenizer, tmp_path)
    monkeypatch.undo()
    (tmp_path / folder.UNFINISHED / "shard-00000.json").write_text('{"summ')
    (tmp_path / folder.UNFINISHED / "shard-00001.json").write_text('{"summary": 3}')
    plan = tmp_path / folder.UNFINISHED / "plan.json"
    text = plan.read_text()
    plan.write_text(text[:99])
    with pytest.raises(InputError, match="plan.json: not the plan that"):
        make(corpus, tokenizer, tmp_path)
    plan.write_text(text)
    assert make(corpus, tokenizer, tmp_path) == make(corpus, tokenizer, tmp_path)


def edited(corpus, folder):
    """The corpus in another folder, with a word of its last text changed for one as long."""
    for path in sorted(glob.glob(corpus)):
        text = pathlib.Path(path).read_text()
        if path.endswith("1.txt"):
            place = text.rindex("good")
            text = text[:place] + "film" + text[place + 4 :]
        (folder / os.path.basename(path)).write_text(text)
    return str(folder / "*.txt")


def test_a_corpus_of_the_same_size_that_was_edited_is_not_taken_for_the_same(
    corpus, tokenizer, tmp_path, monkeypatch
):
    (tmp_path / "text").mkdir()
    other = edited(corpus, tmp_path / "text")
    make(corpus, tokenizer, tmp_path / "whole")
    with pytest.raises(ConfigError, match="another corpus"):
        make(other, tokenizer, tmp_path / "whole")
    # Where a glance does not see it, the text itself tells when the shards are made.
    monkeypatch.setattr(folder.text_files, "fingerprint", lambda path: (os.path.getsize(path), ""))
    interrupted_at(2, monkeypatch)
    with pytest.raises(Interrupted):
        make(corpus, tokenizer, tmp_path / "stopped")
    monkeypatch.undo()
    monkeypatch.setattr(folder.text_files, "fingerprint", lambda path: (os.path.getsize(path), ""))
    with pytest.raises(InputError, match="changed since the records were begun"):
        make(other, tokenizer, tmp_path / "stopped")
    assert not (tmp_path / "stopped" / "manifest.json").exists()


def test_text_without_a_token_makes_no_records(tokenizer, tmp_path):
    (tmp_path / "text.txt").write_text("\u200b\u200b\n\n\u200b\n")
    settings = RecordSettings(max_length=32, sentence_objective="none", reading=LINES)
    for there in (False, True):
        with pytest.raises(InputError, match="no record, as there is no text with a token in it"):
            make(str(tmp_path / "text.txt"), tokenizer, tmp_path / "out", settings, 1)
        assert (tmp_path / "out").exists() == there
        (tmp_path / "out").mkdir(exist_ok=True)  # a folder of the user's stays, as empty as it was
    assert not os.listdir(tmp_path / "out")


def test_two_processes_do_not_make_records_in_one_folder(corpus, tokenizer, tmp_path):
    (tmp_path / "records").mkdir()
    with locked(tmp_path / "records"):
        with pytest.raises(InputError, match="records: in use by process .*; wait until it has"):
            make(corpus, tokenizer, tmp_path / "records")
        assert os.listdir(tmp_path / "records") == [".lock"]
    manifest = make(corpus, tokenizer, tmp_path / "records")
    with locked(tmp_path / "records"):  # of finished records nothing is written
        assert make(corpus, tokenizer, tmp_path / "records") == manifest


def test_records_that_another_process_finished_meanwhile_are_not_made_again(
    corpus, tokenizer, tmp_path, monkeypatch
):
    manifest = make(corpus, tokenizer, tmp_path)
    finished, calls = folder.finished, []

    def late(*arguments):
        calls.append(arguments)
        return finished(*arguments) if len(calls) > 1 else None

    monkeypatch.setattr(folder, "finished", late)
    monkeypatch.setattr(folder, "planned", None)
    assert make(corpus, tokenizer, tmp_path) == manifest


def test_records_of_unknown_origin_are_not_added_to(corpus, tokenizer, tmp_path):
    (tmp_path / "other.tfrecord").write_bytes(b"")
    with pytest.raises(InputError, match="other.tfrecord: no manifest.json names it"):
        make(corpus, tokenizer, tmp_path)


def test_a_shard_that_has_gone_is_named(corpus, tokenizer, tmp_path):
    make(corpus, tokenizer, tmp_path)
    os.unlink(tmp_path / "records-00002-of-00004.tfrecord")
    with pytest.raises(InputError, match="records-00002-of-00004.tfrecord: missing"):
        make(corpus, tokenizer, tmp_path)


def test_notes_are_left_of_unfinished_work_alone(corpus, tokenizer, tmp_path):
    make(corpus, tokenizer, tmp_path)
    assert not (tmp_path / folder.UNFINISHED).exists()
    json.loads((tmp_path / "manifest.json").read_text())


@pytest.mark.slow
def test_a_process_that_is_killed_is_one_line_and_the_rest_can_be_made(corpus, tokenizer, tmp_path):
    import multiprocessing

    def kill():
        while not (children := multiprocessing.active_children()):
            stop.wait(0.05)
        os.kill(children[0].pid, signal.SIGKILL)

    stop = threading.Event()
    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(InputError, match="ended from outside"):
        make(corpus, tokenizer, tmp_path, processes=2)
    killer.join()
    assert len(make(corpus, tokenizer, tmp_path).shards) == 4


def test_without_beam_a_runner_is_refused_before_anything_is_read(
    corpus, tokenizer, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    monkeypatch.setattr(folder, "planned", None)
    with pytest.raises(InputError, match="--runner needs Apache Beam, which is not installed"):
        make(corpus, tokenizer, tmp_path / "out", runner="zz")
    assert not (tmp_path / "out").exists()


def test_a_run_that_fails_before_its_first_shard_leaves_nothing(
    corpus, tokenizer, tmp_path, monkeypatch
):
    def no_runner(*_):
        raise ConfigError("--runner=zz")

    monkeypatch.setattr(records, "_make_shards", no_runner)
    with pytest.raises(ConfigError, match="--runner=zz"):
        make(corpus, tokenizer, tmp_path / "out")
    assert not (tmp_path / "out").exists()
