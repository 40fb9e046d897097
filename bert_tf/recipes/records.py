"""Records: a corpus and a tokenizer in, shards of pretraining examples and their manifest out.

The corpus is read once to plan the shards; then each is made by itself, in as many processes as
there are, or by Beam. What is done is remembered beside the shards until all of them are: the same
command again makes only those that are missing.
"""

import dataclasses
import glob
import json
import math
import os
import shutil
import time

from absl import logging

from bert_tf.config import Masking, from_dict
from bert_tf.errors import ConfigError, InputError
from bert_tf.pretraining_data.corpus import corpus_plan, text_files
from bert_tf.pretraining_data.corpus.documents import expand
from bert_tf.pretraining_data.corpus.label_columns import Classes
from bert_tf.pretraining_data.records import processes as record_processes
from bert_tf.pretraining_data.records.job import RecordJob, tokenizer_in
from bert_tf.pretraining_data.records.schema import (
    MANIFEST,
    UNFINISHED,
    Manifest,
    vocabulary_fingerprint,
    write_json,
)
from bert_tf.pretraining_data.records.shards import RecordSettings
from bert_tf.recipes.interruption import Interrupted

# Fields of Masking and their flags; what is not told stays at its default.
_MASKING = (("probability", "masking_probability"), ("max_predictions", "max_predictions"))
# Fields of corpus_plan.Reading that are flags as they are.
_READING = ("layout", "language", "policy", "field", "duplicates")


def make_records(
    corpus, tokenizer, output, settings, shards=None, processes=None, runner=None, runner_options=()
):
    """Makes the records of a corpus.

    Args:
      corpus: str, globs of files as `documents.expand` takes them.
      tokenizer: str, a directory.
      output: str, a folder; made when it is not there.
      settings: RecordSettings.
      shards: int, or None: as many as the size of the corpus suggests.
      processes: int, or None: as many as there are cores, if the corpus is worth it.
      runner: str, a Beam runner to make the shards with instead, or None.
      runner_options: list of str, flags for it.
    Returns:
      Manifest.
    Raises:
      InputError: a file cannot be read or written.
      ConfigError: the folder holds records that were made with other settings.
      Interrupted: by Ctrl-C; the finished shards stay.
    """
    files = expand(corpus)
    vocabulary = tokenizer_in(tokenizer)
    told = _told(files, vocabulary, settings, shards)
    manifest = _existing(output, told)
    if manifest is not None:
        logging.info("%s: all records are there", output)
        return manifest
    job, counts = _planned(files, tokenizer, output, settings, shards, told)
    todo = [number for number in range(len(job.shards)) if job.finished(number) is None]
    if len(todo) < len(job.shards):
        logging.info("%d of %d shards are there", len(job.shards) - len(todo), len(job.shards))
    if runner is None:
        # A process takes seconds to start, in which another one reads this much.
        worth = 1 + counts["bytes"] // 2**24
        count = min(processes or min(os.cpu_count(), worth), len(todo))
        made = record_processes.run(job, todo, count)
    else:
        from bert_tf.pretraining_data.records import beam

        made = beam.run(job, todo, runner, runner_options)
    try:
        _follow(made, job, len(todo))
    except KeyboardInterrupt:
        missing = sum(job.finished(number) is None for number in range(len(job.shards)))
        raise Interrupted(
            f"interrupted; {missing} of {len(job.shards)} shards are missing, "
            "the same command makes them"
        ) from None
    return _finish(job, vocabulary, counts, told)


def _told(files, vocabulary, settings, shards):
    """All that decides the records, ready for JSON; where folders lie does not."""
    corpus = [[os.path.basename(path), *text_files.mark(path)] for path in files]
    told = dataclasses.asdict(settings)
    told.update(shards=shards, vocabulary=vocabulary.fingerprint, corpus=corpus)
    return json.loads(json.dumps(told))


def _existing(output, told):
    """The Manifest of a folder whose records are whole; None where they have to be made.

    Raises:
      ConfigError: they were made with other settings.
      InputError: there are other records, or some have gone.
    """
    if os.path.exists(os.path.join(output, MANIFEST)):
        manifest = Manifest.read(output)
        _compare(manifest.settings, told, output)
        for shard in manifest.shards:
            path = os.path.join(output, shard["file"])
            if not os.path.exists(path) or os.path.getsize(path) != shard["bytes"]:
                raise InputError(
                    f"{path}: missing or not of {shard['bytes']} bytes as {MANIFEST} has it; "
                    f"remove the folder to make all records again"
                )
        return manifest
    if os.path.exists(os.path.join(output, UNFINISHED, "plan.json")):
        return None
    others = sorted(glob.glob(os.path.join(glob.escape(output), "*.tfrecord")))
    if others:
        raise InputError(f"{others[0]}: no {MANIFEST} tells of it; wanted a folder without records")
    return None


def _compare(before, told, output):
    """Raises ConfigError that names the first setting that differs."""
    before, told = _flat(before), _flat(told)
    for key in (*told, *before):
        if before.get(key) != told.get(key):
            if key == "corpus" or max(len(str(each.get(key))) for each in (before, told)) > 60:
                raise ConfigError(
                    f"{output}: holds records of another {key}; wanted an empty folder"
                )
            raise ConfigError(
                f"{output}: holds records with {key} {before.get(key)}, not {told.get(key)}; "
                "wanted an empty folder"
            )


def _flat(settings, prefix=""):
    """{"masking": {"unit": "word"}} as {"masking.unit": "word"}."""
    flat = {}
    for key, value in settings.items():
        inner = isinstance(value, dict)
        flat.update(_flat(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": value})
    return flat


def _planned(files, tokenizer, output, settings, shards, told):
    """The RecordJob, planned now or on an earlier start, and the counts of what was read."""
    path = os.path.join(output, UNFINISHED, "plan.json")
    # A plan of which nothing was made yet binds nobody.
    if os.path.exists(path) and glob.glob(os.path.join(glob.escape(output), "*.tfrecord")):
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
        _compare(before, told, output)
        return RecordJob(files, tokenizer, output, settings, plans, classes), counts
    logging.info("reading %d files to plan the shards", len(files))
    classes = Classes(settings.reading.labels, tokenizer_in(tokenizer))
    plans, counts = corpus_plan.plan(files, settings.reading, shards, settings.paired, classes)
    classes = classes.found()
    logging.info("%d shards", len(plans))
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    except OSError as error:
        raise InputError(f"{output}: cannot be made: {error.strerror}") from None
    counts = dataclasses.asdict(counts)
    saved = {"settings": told, "counts": counts, "classes": classes}
    saved["shards"] = list(map(dataclasses.asdict, plans))
    write_json(path, saved)
    return RecordJob(files, tokenizer, output, settings, plans, classes), counts


def _follow(made, job, todo):
    """Says what is done as it is done. `made`: iterator of the numbers of finished shards."""
    started = time.monotonic()
    for done, number in enumerate(made, 1):
        summary, seconds = job.finished(number)["summary"], time.monotonic() - started
        left = seconds / done * (todo - done)
        logging.info(
            "%s: %s records; %d of %d shards, %.0f s, %.0f s to go",
            *(summary["file"], f"{summary['records']:,}", done, todo, seconds, left),
        )


def _finish(job, vocabulary, counts, told):
    """Writes the manifest; removes the notes and what processes that were killed left behind."""
    settings = job.settings
    notes = [job.finished(number) for number in range(len(job.shards))]
    counts = dict(counts)
    for note in notes:
        for key, value in note["counts"].items():
            counts[key] = counts.get(key, 0) + value
    counts["records"] = sum(note["summary"]["records"] for note in notes)
    if not counts["records"]:
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
        settings=told,
        labels=job.classes,
    )
    manifest.write(job.output)
    shutil.rmtree(os.path.join(job.output, UNFINISHED), ignore_errors=True)
    for torn in glob.glob(os.path.join(glob.escape(job.output), "records-*.tfrecord.*.tmp")):
        os.unlink(torn)
    return manifest


def settings_of(values):
    """RecordSettings from what the command was told, dict of flag -> value.

    Raises:
      ConfigError: a value cannot be used.
    """
    static = values["masking"] == "static"
    masking = None
    if static:
        unit = values["masking_unit"] or ("word" if values["segmenter"] else "token")
        told = {name: values[flag] for name, flag in _MASKING if values[flag] is not None}
        masking = from_dict(Masking, {"unit": unit, **told}, "--masking=static")
        most = max(1, math.ceil(values["max_length"] * masking.probability))
        masking = dataclasses.replace(masking, max_predictions=masking.max_predictions or most)
    for name in ("masking_probability", "max_predictions", "masking_unit"):
        if values[name] is not None and not static:
            raise ConfigError(
                f"--{name} is {values[name]}, and --masking=dynamic leaves masks to `bert-tf "
                "pretrain`; its `masking` section has them"
            )
    same = ("max_length", "sentence_objective", "short_probability", "segmenter", "seed")
    return RecordSettings(
        **{name: values[name] for name in same},
        masking=masking,
        # Google's ten copies are for masks that never change.
        dupe_factor=values["dupe_factor"] or (10 if static else 1),
        # Without them nobody who draws masks later would know the words.
        boundaries=values["boundaries"] == "true" or values["segmenter"] is not None,
        reading=corpus_plan.Reading(
            **{name: values[name] for name in _READING}, labels=_labels(values["label"] or ())
        ),
    )


def _labels(flags):
    """["mood", "name=B,I,O"] as {"mood": (), "name": ("B", "I", "O")}."""
    columns = {}
    for flag in flags:
        name, told, names = flag.partition("=")
        names = tuple(each.strip() for each in names.split(",")) if told else ()
        if not name or name in columns or "" in names or len(set(names)) < len(names):
            raise ConfigError(f"--label={flag}: wanted NAME or NAME=CLASS,CLASS,... and each once")
        columns[name] = names
    return columns
