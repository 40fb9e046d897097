"""Answers a second, string to label: an export beside other engines, by turns.

SST-2 sentences one at a time and in batches of 32, sorted by length and as they come; then texts of
about 16, 64 and 128 tokens. Every engine gets strings and gives labels; those of float32 have to
agree before anything is timed.

usage: serving.py --model=MODEL --data=dev.tsv [--torch_python=PYTHON] [--rounds=7]
                  [--precisions=float32,bfloat16]

MODEL is a model directory with a classifier's head, and its tokenizer, that transformers opens too.
`--torch_python` is a Python with torch, transformers and what bert_tf[onnx,openvino,litert] wants;
without it there is the export alone. The engines: ONNX Runtime on the file that its own optimizer
for BERT made (float32, and dynamic int8), with `tokenizers`; OpenVINO with
INFERENCE_PRECISION_HINT=f32, and by its default, which is bfloat16 on a CPU that has it;
transformers' pipeline; and the files that `bert-tf export --format=` writes, in their engines.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile

from by_turns import duel, table
from worker_serving_exports import EXPORTS

import bert_tf

# Share of the machine that other programs may take in a round that counts as undisturbed.
UNDISTURBED = 0.05
HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = ("onnx", "openvino", "openvino_default", "onnx_int8", "transformers", *EXPORTS)
BATCH, SENTENCES, LENGTHS = 32, 256, (16, 64, 128)


def workloads(path, tokenizer):
    """What is asked: dict of name -> list of calls, each a list of str."""
    with open(path, encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        texts = [row["sentence"].strip() for row in rows][:SENTENCES]
    words = " ".join(texts).split()
    found = {
        "SST-2, one at a time": [[text] for text in texts[:64]],
        "SST-2, 32 sorted": _batches(sorted(texts, key=len)),
        "SST-2, 32 as they come": _batches(texts),
    }
    for length in LENGTHS:
        same = [_text_of(words[20 * number :], length, tokenizer) for number in range(BATCH)]
        found[f"{length} tokens, one at a time"] = [[text] for text in same[:16]]
        found[f"{length} tokens, batches of {BATCH}"] = [same]
    return found


def _batches(texts):
    return [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]


def _text_of(words, length, tokenizer):
    """The words that make rows of `length` tokens, or one or two fewer."""
    count = length - 2
    while tokenizer([" ".join(words[:count])], max_length=512)["input_ids"].shape[1] > length:
        count -= 1
    return " ".join(words[:count])


def _peers(flags, directory):
    """The commands of the other engines' workers, once what they run is written."""
    asked, commands = flags.peers.split(","), []
    for worker, names in (("peers", set(PEERS) - set(EXPORTS)), ("exports", set(EXPORTS))):
        own = [name for name in asked if name in names]
        command = [flags.torch_python, os.path.join(HERE, f"worker_serving_{worker}.py")]
        if own:
            made = own if worker == "exports" else []
            package = {**os.environ, "PYTHONPATH": os.path.dirname(HERE)}
            subprocess.run(
                [*command, "make", flags.model, directory, *made], check=True, env=package
            )
        commands += [[*command, name, flags.model, directory] for name in own]
    return commands


def main():
    """Prints a table for each workload."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--torch_python")
    parser.add_argument("--peers", default=",".join(PEERS), help="which, separated by commas")
    parser.add_argument("--precisions", default="float32,bfloat16", help="of the exports")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="workloads whose names begin so, as SST-2,64")
    flags = parser.parse_args()
    tokenizer = bert_tf.Tokenizer.from_pretrained(flags.model)
    asked = workloads(flags.data, tokenizer)
    begins = tuple(flags.only.split(","))
    asked = {name: calls for name, calls in asked.items() if name.startswith(begins)}
    with tempfile.TemporaryDirectory() as directory:
        calls = os.path.join(directory, "calls.json")
        with open(calls, "w", encoding="utf-8") as file:
            json.dump(asked, file)
        ours = [sys.executable, os.path.join(HERE, "worker_serving_bert_tf.py"), calls]
        commands, model = [], bert_tf.load_task(flags.model)
        for precision in flags.precisions.split(","):
            place = os.path.join(directory, precision)
            # As many tokens as the other engines read, and not those it was trained with.
            export = bert_tf.export_saved_model(model, tokenizer, place, 512, precision=precision)
            commands.append([*ours, export, precision])
        if flags.torch_python:
            commands += _peers(flags, directory)
        turns = duel(commands, flags.rounds * len(asked))
    for place, name in enumerate(asked):
        own = {worker: rates[place :: len(asked)] for worker, rates in turns.items()}
        print(f"\n## {name}\n\n{table(own, 'texts')}\n\n{table(own, 'texts', UNDISTURBED)}")


if __name__ == "__main__":
    main()
