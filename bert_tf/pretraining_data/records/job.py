"""What a process or a machine has to know to make shards of records, and what it leaves behind."""

import dataclasses
import functools
import json
import os

from bert_tf.pretraining_data.records.manifest import UNFINISHED, write_json
from bert_tf.pretraining_data.records.shards import RecordSettings, ShardMaker
from bert_tf.text.tokenizer import Tokenizer

# Building a matcher takes time; the plan and the shards made in a process share one.
tokenizer_in = functools.lru_cache(maxsize=1)(Tokenizer.from_pretrained)


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
        tokenizer = tokenizer_in(self.tokenizer)
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
            whole = size == note["summary"]["bytes"] and {*note} == {"summary", "counts"}
        except (OSError, ValueError, KeyError, TypeError):  # not there, or damaged
            return None
        return note if whole else None

    def missing(self):
        """The numbers of the shards that have to be made, list of int."""
        return [number for number in range(len(self.shards)) if self.finished(number) is None]

    def file(self, number):
        """The name of a shard."""
        return f"records-{number:05d}-of-{len(self.shards):05d}.tfrecord"

    def _note(self, number):
        return os.path.join(self.output, UNFINISHED, f"shard-{number:05d}.json")
