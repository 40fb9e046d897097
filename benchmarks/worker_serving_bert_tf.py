"""Worker: answers from an export.

usage: worker_serving_bert_tf.py CALLS EXPORT

CALLS is the JSON file of serving.py: each turn does the next of its workloads.
"""

import sys

from serving_calls import serve_calls

import bert_tf


def main(calls, export):
    answer = bert_tf.load_export(export)
    serve_calls(calls, lambda texts: answer(texts)["label"].tolist(), "bert_tf")


if __name__ == "__main__":
    main(*sys.argv[1:])
