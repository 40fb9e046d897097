"""A folder of records while they are made: what is in it, the plan, and the manifest at the end."""

import contextlib
import dataclasses
import glob
import json
import os
import shutil

from absl import logging

from bert_tf.atomic import locked
from bert_tf.errors import ConfigError, InputError, require_file_name
from bert_tf.pretraining_data.corpus import corpus_plan, text_files
from bert_tf.pretraining_data.corpus.label_columns import Classes
from bert_tf.pretraining_data.records.job import RecordJob, tokenizer_in
from bert_tf.pretraining_data.records.manifest import MANIFEST, UNFINISHED, Manifest, write_json
from bert_tf.pretraining_data.records.schema import vocabulary_fingerprint


def identity(files, vocabulary, settings, shards):
    """All that decides the records, ready for JSON; where folders lie does not.

    Args:
      files: list of str, the corpus.
      vocabulary: Tokenizer.
      settings: RecordSettings.
      shards: int, or None where the size of the corpus decides.
    Returns:
      dict.
    """
    corpus = [[os.path.basename(path), *text_files.fingerprint(path)] for path in files]
    values = dataclasses.asdict(settings)
    values.update(shards=shards, vocabulary=vocabulary.fingerprint, corpus=corpus)
    return json.loads(json.dumps(values))


def finished(output, identity):
    """The Manifest of a folder whose records are whole; None where they have to be made.

    Args:
      output: str, a folder, there or not.
      identity: dict, as `identity` gives.
    Raises:
      ConfigError: they were made with other settings.
      InputError: there are other records, some have gone, or no folder can be called so.
    """
    require_file_name(output)
    if os.path.exists(os.path.join(output, MANIFEST)):
        manifest = Manifest.read(output)
        _require_same(manifest.settings, identity, output)
        for shard in manifest.shards:
            path = os.path.join(output, shard["file"])
            if not os.path.exists(path) or os.path.getsize(path) != shard["bytes"]:
                raise InputError(
                    f"{path}: missing or not of {shard['bytes']} bytes as {MANIFEST} has it; "
                    f"remove the folder to make all records again"
                )
        return manifest
    if os.path.exists(_plan_file(output)):
        return None
    others = _shards_in(output)
    if others:
        raise InputError(f"{others[0]}: no {MANIFEST} names it; wanted a folder without records")
    return None


@contextlib.contextmanager
def claimed(output):
    """Makes a folder and keeps other processes out while the body runs.

    Args:
      output: str. A plan of which no shard was made does not stay; a folder that was not there
        before and is empty in the end is removed.
    Raises:
      InputError: it cannot be made, or another process makes records there.
    """
    require_file_name(output)
    new = not os.path.exists(output)
    try:
        os.makedirs(output, exist_ok=True)
    except OSError as error:
        raise InputError(f"{output}: cannot be made: {error.strerror}") from None
    try:
        with locked(output):
            try:
                yield
            finally:
                if not _shards_in(output):
                    shutil.rmtree(os.path.join(output, UNFINISHED), ignore_errors=True)
    finally:
        if new and os.path.isdir(output) and not os.listdir(output):
            os.rmdir(output)


def planned(files, tokenizer, output, settings, shards, identity):
    """Plans the shards, or reads the plan of an earlier start.

    Args:
      files: list of str, the corpus.
      tokenizer, output: str, folders.
      settings, shards: as `identity` takes them.
      identity: dict, as `identity` gives.
    Returns:
      RecordJob, and dict of name -> int, the counts of what was read.
    Raises:
      InputError: the corpus or the plan cannot be read, or the folder cannot be written.
      ConfigError: the plan was made with other settings.
    """
    path = _plan_file(output)
    # A plan of which no shard was made yet is made again, whatever its settings.
    if os.path.exists(path) and _shards_in(output):
        try:
            with open(path, encoding="utf-8") as file:
                saved = json.load(file)
            plans = [corpus_plan.ShardPlan(**plan) for plan in saved["shards"]]
            classes, counts, before = saved["classes"], saved["counts"], saved["settings"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path}: not the plan that `bert-tf records` writes ({error}); remove {output} to "
                "begin again"
            ) from None
        _require_same(before, identity, output)
        return RecordJob(files, tokenizer, output, settings, plans, classes), counts
    logging.info("reading %d files to plan the shards", len(files))
    classes = Classes(settings.reading.labels, tokenizer_in(tokenizer))
    plans, counts = corpus_plan.plan(files, settings.reading, shards, settings.paired, classes)
    classes = classes.found()
    logging.info("%d shards", len(plans))
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    except OSError as error:
        raise InputError(f"{output}: cannot be written: {error.strerror}") from None
    counts = dataclasses.asdict(counts)
    saved = {"settings": identity, "counts": counts, "classes": classes}
    saved["shards"] = list(map(dataclasses.asdict, plans))
    write_json(path, saved)
    return RecordJob(files, tokenizer, output, settings, plans, classes), counts


def finish(job, counts, vocabulary, identity):
    """Writes the manifest and removes the plan.

    Args:
      job: RecordJob, all of whose shards are made.
      counts: dict of name -> int, of what was read.
      vocabulary: Tokenizer.
      identity: dict, as `identity` gives.
    Returns:
      Manifest.
    Raises:
      InputError: there is no record at all, and nothing is left then; or it cannot be written.
    """
    settings = job.settings
    notes = [job.finished(number) for number in range(len(job.shards))]
    counts = dict(counts)
    for note in notes:
        for key, value in note["counts"].items():
            counts[key] = counts.get(key, 0) + value
    counts["records"] = sum(note["summary"]["records"] for note in notes)
    unfinished = os.path.join(job.output, UNFINISHED)
    if not counts["records"]:
        for number in range(len(job.shards)):
            os.unlink(os.path.join(job.output, job.file(number)))
        shutil.rmtree(unfinished)
        raise InputError(f"{job.files[0]}: no record, as there is no text with a token in it")
    if (
        counts.get("label_1") == counts["records"]
        and settings.sentence_objective == "next_sentence"
    ):
        logging.warning(
            "every second sentence is a random one: no document holds two sentences; in the layout "
            "lines a blank line ends a document"
        )
    manifest = Manifest(
        max_length=settings.max_length,
        max_predictions=settings.masking and settings.masking.max_predictions,
        sentence_objective=settings.sentence_objective,
        vocabulary=vocabulary_fingerprint(vocabulary),
        features=settings.features_with(job.classes),
        shards=[note["summary"] for note in notes],
        counts=counts,
        settings=identity,
        labels=job.classes,
    )
    manifest.write(job.output)
    shutil.rmtree(unfinished, ignore_errors=True)
    return manifest


def _plan_file(output):
    return os.path.join(output, UNFINISHED, "plan.json")


def _shards_in(output):
    return sorted(glob.glob(os.path.join(glob.escape(output), "*.tfrecord")))


def _require_same(before, now, output):
    """Raises ConfigError that names the first setting that differs."""
    before, now = _flat(before), _flat(now)
    for key in (*now, *before):
        if before.get(key) != now.get(key):
            if key == "corpus" or max(len(str(each.get(key))) for each in (before, now)) > 60:
                raise ConfigError(
                    f"{output}: holds records of another {key}; wanted an empty folder"
                )
            raise ConfigError(
                f"{output}: holds records with {key} {before.get(key)}, not {now.get(key)}; "
                "wanted an empty folder"
            )


def _flat(settings, prefix=""):
    """{"masking": {"unit": "word"}} as {"masking.unit": "word"}."""
    flat = {}
    for key, value in settings.items():
        inner = isinstance(value, dict)
        flat.update(_flat(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": value})
    return flat
