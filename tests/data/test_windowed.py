"""A table by its windows: entries, cells and labels of their rows."""

import numpy as np
import tensorflow as tf

from bert_tf.data import evaluation_batches, windowed
from bert_tf.data.windowed import WindowedTable
from bert_tf.tasks.features import Features
from tests.tables import read_table


def table_of(tmp_path, texts):
    lines = "".join(f"{text}\t{number % 2}\n" for number, text in enumerate(texts))
    (tmp_path / "a.tsv").write_text("text\tlabel\n" + lines)
    return read_table(tmp_path / "a.tsv")


def test_each_window_has_the_cells_of_its_row_and_its_own_number(tmp_path):
    table = WindowedTable(table_of(tmp_path, "abc"), np.array([1, 3, 1]))
    assert len(table) == 5 and table.rows.tolist() == [0, 1, 1, 1, 2]
    assert table.cells(np.array([3, 0, 4])) == {"text": ["b", "a", "c"], "window": [2, 0, 0]}
    assert table.labels(np.array([3, 0])).tolist() == [1, 0]


def test_batches_come_with_the_numbers_of_their_windows(tmp_path):
    def features(cells):
        lengths = tf.strings.length(cells["text"])
        mask = tf.cast(tf.sequence_mask(lengths, 8), tf.int32)
        return {"attention_mask": mask, "window": cells["window"]}, cells["label"]

    count = lambda cells: tf.cast(tf.strings.length(cells["text"]), tf.int64)  # noqa: E731
    whole = Features(features, {"attention_mask": 1}, 8, count)
    table = windowed(table_of(tmp_path, ["aaa", "b", "cc"]), whole)
    seen = {}
    for inputs, labels, rows in evaluation_batches(table, whole, batch_size=4, numbered=True):
        for entry, window, label in zip(rows, inputs["window"], labels, strict=True):
            seen[int(entry)] = (int(table.rows[entry]), int(window), int(label))
    assert seen == {
        0: (0, 0, 0),
        1: (0, 1, 0),
        2: (0, 2, 0),
        3: (1, 0, 1),
        4: (2, 0, 0),
        5: (2, 1, 0),
    }
