"""Records: a corpus and a tokenizer in, shards of pretraining examples and their manifest out.

The corpus is read once to plan the shards; then each is made by itself, in as many processes as
there are, or by Beam. Notes beside the shards say which are finished: the same command again makes
only those that are missing.
"""

import dataclasses
import math
import os
import time

from absl import logging

from bert_tf.config import Masking, from_dict
from bert_tf.errors import ConfigError, shown
from bert_tf.pretraining_data.corpus import corpus_plan, layouts, text_files
from bert_tf.pretraining_data.corpus.documents import expand
from bert_tf.pretraining_data.records import folder
from bert_tf.pretraining_data.records.job import tokenizer_in
from bert_tf.pretraining_data.records.processes import run as run_processes
from bert_tf.pretraining_data.records.shards import RecordSettings
from bert_tf.recipes.interruption import Interrupted
from bert_tf.text.special_ids import row_ends

# Fields of Masking and their flags; what is not given stays at its default.
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
      InputError: a file cannot be read or written, another process makes records there, or Beam is
        not installed.
      ConfigError: the folder holds records that were made with other settings, or a key is given
        and no file has any.
      Interrupted: by Ctrl-C; the finished shards stay.
    """
    if runner is not None:
        from bert_tf.pretraining_data.records.beam import require_beam

        require_beam()
    files = expand(corpus)
    if not settings.reading.labels:  # else they are JSON lines
        check_field(corpus, settings.reading.layout, settings.reading.field)
    vocabulary = tokenizer_in(tokenizer)
    row_ends(vocabulary)  # or it says what is missing, before anything is written
    if settings.masking:
        vocabulary.require_mask("static masks")
    identity = folder.identity(files, vocabulary, settings, shards)
    manifest = folder.finished(output, identity)
    if manifest is None:
        with folder.claimed(output):
            manifest = folder.finished(output, identity)  # of another process, by now
            if manifest is None:
                plan = folder.planned(files, tokenizer, output, settings, shards, identity)
                _make_shards(*plan, processes, runner, runner_options)
                return folder.finish(*plan, vocabulary, identity)
    logging.info("%s: all records are there", output)
    return manifest


def check_field(corpus, layout, field):
    """Raises ConfigError where a key is given for the texts of JSON lines, and no file has any.

    Args:
      corpus: str, as `documents.expand` takes it.
      layout: str, or None: as each file begins.
      field: str, the key; "text" where none is given.
    """
    if field == "text" or layout is not None:
        return
    for path in expand(corpus):
        head = text_files.read_head(path, text_files.Faults("skip", text_files.Counts()))
        if head is not None and layouts.guess_layout(head).layout == "jsonl":
            return
    raise ConfigError(f"--field is {shown(field)}, and no file of {corpus} is JSON lines")


def _make_shards(job, counts, processes, runner, runner_options):
    """Makes the shards of a RecordJob that are not there yet."""
    missing = job.missing()
    if len(missing) < len(job.shards):
        logging.info("%d of %d shards are there", len(job.shards) - len(missing), len(job.shards))
    if runner is None:
        # A process takes seconds to start, in which another one reads this much.
        worth = 1 + counts["bytes"] // 2**24
        count = min(processes or min(os.cpu_count(), worth), len(missing))
        made = run_processes(job, missing, count)
    else:
        from bert_tf.pretraining_data.records import beam

        made = beam.run(job, missing, runner, runner_options)
    try:
        _follow(made, job, len(missing))
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted; {len(job.missing())} of {len(job.shards)} shards are missing, "
            "the same command makes them"
        ) from None


def _follow(made, job, todo):
    """Logs each shard as it is finished. `made`: iterator of the numbers of finished shards."""
    started = time.monotonic()
    for done, number in enumerate(made, 1):
        summary, seconds = job.finished(number)["summary"], time.monotonic() - started
        left = seconds / done * (todo - done)
        logging.info(
            "%s: %s records; %d of %d shards, %.0f s, %.0f s to go",
            *(summary["file"], f"{summary['records']:,}", done, todo, seconds, left),
        )


def settings_of(values):
    """RecordSettings from the flags of the command, dict of flag -> value.

    Raises:
      ConfigError: a value cannot be used.
    """
    static = values["masking"] == "static"
    masking = None
    if static:
        unit = values["masking_unit"] or ("word" if values["segmenter"] else "token")
        given = {name: values[flag] for name, flag in _MASKING if values[flag] is not None}
        masking = from_dict(Masking, {"unit": unit, **given}, "--masking=static")
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
        # Whoever draws masks later knows the words by them alone.
        boundaries=values["boundaries"] == "true" or values["segmenter"] is not None,
        reading=corpus_plan.Reading(
            **{name: values[name] for name in _READING}, labels=_labels(values["label"] or ())
        ),
    )


def _labels(flags):
    """["mood", "name=B,I,O"] as {"mood": (), "name": ("B", "I", "O")}."""
    columns = {}
    for flag in flags:
        name, separator, names = flag.partition("=")
        names = tuple(each.strip() for each in names.split(",")) if separator else ()
        if not name or name in columns or "" in names or len(set(names)) < len(names):
            raise ConfigError(f"--label={flag}: wanted NAME or NAME=CLASS,CLASS,... and each once")
        columns[name] = names
    return columns
