"""How far an export is from the model it was made of, on real texts, at several batch sizes.

    python benchmarks/export_parity.py --model=DIR --data=dev.tsv

DIR is a model directory with a head (a workdir's `model`) or an encoder alone, which gets a fresh
head of two labels. Both sides get the same batches, in the file's order; what is printed is the
largest difference of a logit. Exits 0 when no difference is above 1e-5.
"""

import argparse
import sys
import tempfile
import time

import numpy as np

import bert_tf
from bert_tf.conversion.contents import opened
from bert_tf.data import read_table
from bert_tf.export import row_length

ALLOWED = 1e-5


def main(argv=None):
    """Runs the comparison; returns the exit code."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--model", required=True, help="a model directory or an encoder")
    flags.add_argument("--data", required=True, help="a TSV, CSV or JSON lines file with texts")
    flags.add_argument("--text", default="sentence", help="the column with the texts")
    flags.add_argument("--rows", type=int, default=2000)
    flags.add_argument("--batch_sizes", type=int, nargs="+", default=[1, 7, 64])
    flags = flags.parse_args(argv)

    model = _model(flags.model)
    tokenizer = bert_tf.Tokenizer.from_pretrained(flags.model)
    table = read_table(flags.data, {"text": flags.text}, {"text": "text"})
    texts = table.cells(range(min(flags.rows, len(table))))["text"]
    with tempfile.TemporaryDirectory() as directory:
        began = time.perf_counter()
        answer = bert_tf.load_export(bert_tf.export_saved_model(model, tokenizer, directory))
        print(f"exported and loaded in {time.perf_counter() - began:.1f} s", flush=True)
        worst = max(_compared(model, tokenizer, answer, texts, size) for size in flags.batch_sizes)
    return 0 if worst <= ALLOWED else 1


def _model(directory):
    with opened(directory) as contents:
        has_head = contents.task is not None
    if has_head:
        return bert_tf.load_task(directory)
    model = bert_tf.SequenceClassifier(bert_tf.load_encoder(directory))
    kernel = model.head.projection.kernel
    kernel.assign(50.0 * kernel)  # logits as large as a trained head's; fresh ones are near 0
    return model


def _compared(model, tokenizer, answer, texts, size):
    """Prints and returns the largest difference of a logit at one batch size."""
    worst, largest, began = 0.0, 0.0, time.perf_counter()
    for start in range(0, len(texts), size):
        batch = texts[start : start + size]
        tokens = tokenizer(batch, max_length=row_length(model))
        expected = np.asarray(model(tokens, training=False))
        outputs = answer(batch)
        found = outputs["score"][:, None] if "score" in outputs else outputs["logits"]
        worst = max(worst, float(np.abs(found - expected).max()))
        largest = max(largest, float(np.abs(expected).max()))
    seconds = time.perf_counter() - began
    print(
        f"{len(texts)} texts, batches of {size}: largest difference {worst:.2e} "
        f"(largest logit {largest:.2f}), {seconds:.0f} s for both",
        flush=True,
    )
    return worst


if __name__ == "__main__":
    sys.exit(main())
