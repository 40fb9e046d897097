"""Records: a corpus and a tokenizer in, shards of pretraining examples and their manifest out.

The corpus is read once to plan the shards; then each is made by itself, in as many processes as
there are, or by Beam. What is done is remembered beside the shards until all of them are: the same
command again makes only those that are missing.
"""

import dataclasses
import functools
import glob
import json
import math
import os
import shutil
import time

from absl import logging

from bert_tf.data.corpus import corpus_plan
from bert_tf.data.corpus.documents import expand
from bert_tf.data.corpus.label_columns import Classes
from bert_tf.data.masking import Masking
from bert_tf.data.records.schema import MANIFEST, Manifest, vocabulary_fingerprint, write_json
from bert_tf.data.records.shards import RecordSettings, ShardMaker
from bert_tf.errors import ConfigError, InputError
from bert_tf.recipes import record_processes
from bert_tf.recipes.interruption import Interrupted
from bert_tf.text.tokenizer import Tokenizer

# Beside the shards while some are missing: the plan, and a note on each that is finished.
UNFINISHED = ".unfinished"
# Fields of corpus_plan.Reading that are flags as they are.
_READING = ("layout", "language", "policy", "field", "duplicates")


# Building a matcher takes seconds; the plan and the shards made here share one.
_tokenizer = functools.lru_cache(maxsize=1)(Tokenizer.from_pretrained)


@dataclasses.dataclass(frozen=True)
class RecordJob:
    """All that a process or a machine has to know to make shards.

    files: list of str. tokenizer: str, its directory. output: str. settings: RecordSettings.
    shards: list of corpus_plan.ShardPlan. classes: of the labels, as `label_columns.Classes.found`.
    """

    files: list
    tokenizer: str
    output: str
    settings: RecordSettings
    shards: list
    classes: dict

    @functools.cached_property
    def _maker(self):
        tokenizer = _tokenizer(self.tokenizer)
        return ShardMaker(self.files, tokenizer, self.settings, self.classes)

    def __getstate__(self):
        """What is sent to another process or machine: the fields, not what was built of them."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def make(self, number):
        """Writes shard `number` and the note that it is finished."""
        path = os.path.join(self.output, self.file(number))
        made = self._maker.write(path, number, self.shards[number])
        write_json(self._note(number), made)

    def finished(self, number):
        """The note on a finished shard, dict of `summary` and `counts`; None: it has to be made."""
        try:
            with open(self._note(number), encoding="utf-8") as file:
                note = json.load(file)
            size = os.path.getsize(os.path.join(self.output, self.file(number)))
        except OSError:
            return None
        return note if size == note["summary"]["bytes"] else None

    def file(self, number):
        """The name of a shard."""
        return f"records-{number:05d}-of-{len(self.shards):05d}.tfrecord"

    def _note(self, number):
        return os.path.join(self.output, UNFINISHED, f"shard-{number:05d}.json")


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
    vocabulary = _tokenizer(tokenizer)
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
        from bert_tf.recipes import records_beam

        made = records_beam.run(job, todo, runner, runner_options)
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
    corpus = [[os.path.basename(path), os.path.getsize(path)] for path in files]
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
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            saved = json.load(file)
        _compare(saved["settings"], told, output)
        plans = [corpus_plan.ShardPlan(**plan) for plan in saved["shards"]]
        job = RecordJob(files, tokenizer, output, settings, plans, saved["classes"])
        return job, saved["counts"]
    logging.info("reading %d files to plan the shards", len(files))
    classes = Classes(settings.reading.labels, _tokenizer(tokenizer))
    plans, counts = corpus_plan.plan(files, settings.reading, shards, settings.paired, classes)
    classes = classes.found()
    logging.info("%s; %d shards", counts, len(plans))
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
    notes = [job.finished(number) for number in range(len(job.shards))]
    counts = dict(counts)
    for note in notes:
        for key, value in note["counts"].items():
            counts[key] = counts.get(key, 0) + value
    counts["records"] = sum(note["summary"]["records"] for note in notes)
    settings = job.settings
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
        share, most = values["masking_probability"], values["max_predictions"]
        most = most or max(1, math.ceil(values["max_length"] * share))
        masking = Masking(probability=share, max_predictions=most, unit=values["masking_unit"])
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
