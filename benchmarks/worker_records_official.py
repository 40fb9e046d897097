"""Worker: records with tf-models-official's script, in its own environment.

usage: worker_records_official.py TEXT TOKENIZER DUPE_FACTOR
"""

import os
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags
from by_turns import serve
from official.nlp.data import create_pretraining_data


def main(path, tokenizer, copies):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    def unit():
        with tempfile.TemporaryDirectory() as folder:
            flags.FLAGS(
                [
                    "create_pretraining_data",
                    f"--input_file={path}",
                    f"--output_file={os.path.join(folder, 'records')}",
                    f"--vocab_file={os.path.join(tokenizer, 'vocab.txt')}",
                    f"--dupe_factor={copies}",
                ]
            )
            create_pretraining_data.main(None)
        return os.path.getsize(path) / 1e3

    serve(unit, f"tf-models-official, {copies} copies")


if __name__ == "__main__":
    main(*sys.argv[1:])
