"""Worker: records with `bert-tf records`, the reading of the corpus for the plan included.

usage: worker_records_bert_tf.py TEXT TOKENIZER static|dynamic DUPE_FACTOR
"""

import os
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from by_turns import serve

from bert_tf.config import Masking
from bert_tf.pretraining_data.corpus.corpus_plan import Reading
from bert_tf.pretraining_data.records.shards import RecordSettings
from bert_tf.recipes.records import make_records


def main(path, tokenizer, masking, copies):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    settings = RecordSettings(
        masking=Masking(max_predictions=20) if masking == "static" else None,
        dupe_factor=copies,
        reading=Reading(layout="lines", duplicates="keep"),
    )

    def unit():
        with tempfile.TemporaryDirectory() as folder:
            make_records(path, tokenizer, folder, settings, processes=1)
        return os.path.getsize(path) / 1e3

    serve(unit, f"bert_tf, {masking}, {copies} copies")


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]))
