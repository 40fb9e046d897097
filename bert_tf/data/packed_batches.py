"""Rows of a table, several in one row of max_length tokens -> batches of one shape, in tf.data.

Where every new shape is compiled anew, on a TPU or under XLA, this spares the padding that sorting
by length spares elsewhere (see `data.packing`).
"""

import numpy as np
import tensorflow as tf

from bert_tf.data.packing import PackedOrder, pack_rows
from bert_tf.data.pipeline import as_bytes, prediction_batches, until


def packed_order(table, tokenizer, *, batch_size, max_length, seed, packing):
    """Which rows of a table share a row, in every batch of an endless run; tokenizes all of them.

    Args:
      table: Table.
      tokenizer: Tokenizer.
      batch_size: int. Packed rows a batch.
      max_length: int, tokens of a packed row; longer texts are cut.
      seed: int >= 0.
      packing: packing.Packing.
    Returns:
      packing.PackedOrder.
    """
    lengths = np.empty(len(table), np.int64)
    for inputs, rows in prediction_batches(table, tokenizer, batch_size=256, max_length=max_length):
        lengths[rows.numpy()] = np.count_nonzero(inputs["attention_mask"], axis=1)
    return PackedOrder(lengths, max_length, batch_size, seed, packing)


@tf.autograph.experimental.do_not_convert
def packed_batches(table, tokenizer, plan, *, start_step=0, stop_step=None):
    """The batches of the steps start_step, start_step + 1, ..., the same wherever the run starts.

    Args:
      table: Table with labels.
      tokenizer: Tokenizer.
      plan: PackedOrder of the table, as `packed_order` gives; B, L and S are its batch_size, width
        and packing.max_examples.
      start_step, stop_step: as in pipeline.training_batches.
    Returns:
      tf.data.Dataset of (inputs, labels, sample_weight). inputs: dict of int32 [B, L], as
      `packing.pack_rows` gives, and sentence_positions int32 [B, S]. labels: as
      pipeline.training_batches gives, with [B, S] in the place of [batch]. sample_weight: float32
      [B, S], 1 for an example and 0 where there is none.
    """
    example = table.labels(np.arange(1))
    paired = table.texts(np.arange(1))[1] is not None

    def read(step):
        chosen, rows = plan.batch(step)
        texts, pairs = table.texts(chosen)
        return as_bytes(texts), as_bytes(pairs or []), rows, table.labels(chosen)

    def batch(step):
        kinds = (tf.string, tf.string, tf.int64, tf.as_dtype(example.dtype))
        texts, pairs, rows, labels = tf.numpy_function(read, [step], kinds)
        for vector in (texts, pairs, rows):
            vector.set_shape([None])
        labels.set_shape([None, *example.shape[1:]])
        tokens = tokenizer(texts, pairs if paired else None, max_length=plan.width)
        inputs, packed = pack_rows(
            tokens, {"labels": labels}, rows, plan.batch_size, plan.width, plan.packing
        )
        weights = inputs.pop("sentence_weights")
        labels = packed["labels"]
        there = tf.reshape(weights > 0, [*weights.shape, *[1] * (labels.shape.rank - 2)])
        # A place without an example has the first label, and no weight.
        return inputs, tf.where(there, labels, tf.zeros_like(labels)), weights

    steps = tf.data.Dataset.range(start_step, np.iinfo(np.int64).max)
    batches = steps.map(batch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return until(batches.prefetch(tf.data.AUTOTUNE), start_step, stop_step)
