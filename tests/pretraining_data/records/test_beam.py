"""Beam makes the same shards as the processes do; needs Apache Beam (extra `beam`)."""

import pytest

from bert_tf.errors import ConfigError, InputError
from bert_tf.pretraining_data.records import beam
from tests.recipes.test_records import contents, corpus, make, tokenizer  # noqa: F401


def test_without_beam_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "apache_beam", None)
    with pytest.raises(InputError, match=r"pip install 'bert_tf\[beam\]'"):
        beam.run(None, [], "DirectRunner")


def test_the_local_runner_writes_the_same_bytes(corpus, tokenizer, tmp_path):  # noqa: F811
    pytest.importorskip("apache_beam")
    here = make(corpus, tokenizer, tmp_path / "here")
    by_beam = make(corpus, tokenizer, tmp_path / "beam", runner="DirectRunner")
    assert here == by_beam and contents(tmp_path / "here") == contents(tmp_path / "beam")


def test_a_runner_that_is_not_there_is_named(corpus, tokenizer, tmp_path):  # noqa: F811
    pytest.importorskip("apache_beam")
    with pytest.raises(ConfigError, match="--runner=NoRunner"):
        make(corpus, tokenizer, tmp_path, runner="NoRunner")


def test_what_a_worker_says_is_one_line(corpus, tokenizer, tmp_path, monkeypatch):  # noqa: F811
    pytest.importorskip("apache_beam")
    from bert_tf.pretraining_data.records.job import RecordJob

    def full(job, number):
        raise InputError("x.tfrecord: cannot be written: No space left on device")

    monkeypatch.setattr(RecordJob, "make", full)
    with pytest.raises(InputError, match="x.tfrecord: cannot be written") as error:
        make(corpus, tokenizer, tmp_path, runner="DirectRunner")
    assert "\n" not in str(error.value)
