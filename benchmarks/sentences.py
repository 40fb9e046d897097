"""Real sentences as batches of ids, the same for every worker."""

import csv

import numpy as np

BATCH, LONGEST = 32, 128
# Sentences are sorted by length within windows of so many batches, as in transformers'
# group_by_length.
WINDOW = 50


def encode(table, vocabulary, path):
    """Tokenizes a TSV's `sentence` column and keeps ids, lengths and labels in an .npz file.

    Args:
      table: str, a file with the columns `sentence` and `label`.
      vocabulary: str, vocab.txt of an uncased BERT.
      path: str, the .npz to write.
    """
    import tensorflow as tf
    import tensorflow_text as tf_text

    with open(table, encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    tokenizer = tf_text.BertTokenizer(vocabulary, lower_case=True, token_out_type=tf.int32)
    words = [word.rstrip("\n") for word in open(vocabulary, encoding="utf-8")]
    start, end = words.index("[CLS]"), words.index("[SEP]")
    ids = tokenizer.tokenize([row["sentence"] for row in rows]).merge_dims(1, 2)
    ids = ids[:, : LONGEST - 2]
    edge = tf.ones((len(rows), 1), tf.int32)
    ids = tf.concat([edge * start, ids, edge * end], axis=1)
    labels = np.array([int(row["label"]) for row in rows], "int32")
    np.savez(path, ids=ids.flat_values, lengths=ids.row_lengths(), labels=labels)


def batches(path, seed=0, fixed=False):
    """Yields (inputs, labels) for ever: dicts of int32 [B, L] and int32 [B].

    Args:
      path: str, what `encode` wrote.
      seed: int, of the order.
      fixed: bool, rows of 128 tokens instead of the longest of the batch.
    """
    stored = np.load(path)
    ids, lengths, labels = stored["ids"], stored["lengths"], stored["labels"]
    starts = np.cumsum(lengths) - lengths
    random = np.random.default_rng(seed)
    while True:
        order = random.permutation(len(labels))
        size = BATCH * WINDOW
        for window in (order[i : i + size] for i in range(0, len(order) - size + 1, size)):
            window = window[np.argsort(-lengths[window], kind="stable")].reshape(WINDOW, BATCH)
            for rows in random.permutation(window):
                length = LONGEST if fixed else lengths[rows].max()
                padded = np.zeros((BATCH, length), "int32")
                for row, index in enumerate(rows):
                    padded[row, : lengths[index]] = ids[starts[index] :][: lengths[index]]
                mask = (np.arange(length) < lengths[rows, None]).astype("int32")
                inputs = {"input_ids": padded, "attention_mask": mask, "token_type_ids": 0 * mask}
                yield inputs, labels[rows]
