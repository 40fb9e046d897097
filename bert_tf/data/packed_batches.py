"""Rows of a table, several in one row of max_length tokens -> batches of one shape, in tf.data.

Where every new shape is compiled anew, on a TPU or under XLA, this spares the padding that sorting
by length spares elsewhere (see `data.packing`).
"""

import numpy as np
import tensorflow as tf

from bert_tf.data.cells import cell_tensors, cell_types, flat_cells
from bert_tf.data.packing import PackedOrder, pack_rows
from bert_tf.data.pipeline import PARALLEL, prediction_batches, until


def packed_order(table, features, *, batch_size, seed, packing):
    """Which rows of a table share a row, in every batch of an endless run; tokenizes all of them.

    Args:
      table: Table.
      features: as in `pipeline.training_batches`; a packed row has their `max_length` tokens.
      batch_size: int. Packed rows a batch.
      seed: int >= 0.
      packing: packing.Packing.
    Returns:
      packing.PackedOrder.
    """
    lengths = np.empty(len(table), np.int64)
    for inputs, rows in prediction_batches(table, features, batch_size=256):
        lengths[rows.numpy()] = np.count_nonzero(inputs["attention_mask"], axis=1)
    return PackedOrder(lengths, features.max_length, batch_size, seed, packing)


@tf.autograph.experimental.do_not_convert
def packed_batches(table, features, plan, *, start_step=0, stop_step=None):
    """The batches of the steps start_step, start_step + 1, ..., the same wherever the run starts.

    Args:
      table: Table with labels.
      features: as in `pipeline.training_batches`.
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

    def read(step):
        chosen, rows = plan.batch(step)
        return rows, *flat_cells(table.kinds, table.cells(chosen), table.labels(chosen))

    def batch(step):
        types = (tf.int64, *cell_types(table.kinds, example))
        rows, *arrays = tf.numpy_function(read, [step], types)
        rows = tf.ensure_shape(rows, [None])
        tokens, labels = features(cell_tensors(table.kinds, arrays, example, table.label))
        inputs, packed = pack_rows(
            tokens, {"labels": labels}, rows, plan.batch_size, plan.width, plan.packing
        )
        weights = inputs.pop("sentence_weights")
        labels = packed["labels"]
        there = tf.reshape(weights > 0, [*weights.shape, *[1] * (labels.shape.rank - 2)])
        # A place without an example has the first label, and no weight.
        return inputs, tf.where(there, labels, tf.zeros_like(labels)), weights

    steps = tf.data.Dataset.range(start_step, np.iinfo(np.int64).max)
    batches = steps.map(batch, num_parallel_calls=PARALLEL, deterministic=True)
    return until(batches.prefetch(2), start_step, stop_step)
