"""Worker: answers from an export.

usage: worker_serving_bert_tf.py CALLS EXPORT PRECISION

CALLS is the JSON file of serving.py: each turn does the next of its workloads.
"""

import os
import sys

# What configs/serving/README.md says of a program that does nothing but answer.
os.environ.setdefault("TF_ONEDNN_ASSUME_FROZEN_WEIGHTS", "1")

from serving_calls import serve_calls

import bert_tf


def main(calls, export, precision):
    answer = bert_tf.load_export(export)

    def labels(texts):
        return answer(texts)["label"].tolist()

    serve_calls(calls, labels, f"bert_tf, {precision}", precision == "float32")


if __name__ == "__main__":
    main(*sys.argv[1:])
