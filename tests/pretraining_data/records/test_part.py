"""A table of records in two parts."""

import numpy as np
import pytest

from bert_tf.errors import InputError
from bert_tf.pretraining_data.records.part import split_records
from bert_tf.pretraining_data.records.schema import features_of, new_records
from bert_tf.pretraining_data.records.table import RecordTable


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Forty rows of 1 to 10 tokens."""
    path = tmp_path_factory.mktemp("records") / "rows.tfrecord"
    mask = (np.arange(10) < np.arange(40)[:, None] % 10 + 1).astype(int)
    features = features_of(10, sentences=False)
    with new_records(str(path), features) as writer:
        writer.write(
            {
                "input_ids": mask * np.arange(40)[:, None],
                "input_mask": mask,
                "segment_ids": 0 * mask,
            }
        )
    return RecordTable(str(path))


def test_a_share_held_out_is_split_by_the_seed_and_loses_nothing(table):
    rows, held_out = split_records(table, 0.1, 3)
    assert len(held_out) == round(0.1 * len(table))
    assert sorted([*rows.rows, *held_out.rows]) == list(range(len(table)))
    assert held_out.read([1]) == table.read([held_out.rows[1]])
    assert held_out.lengths().tolist() == table.lengths()[held_out.rows].tolist()
    assert (rows.max_length, rows.features) == (table.max_length, table.features)
    again, other = split_records(table, 0.1, 3)[1], split_records(table, 0.1, 4)[1]
    assert again.rows.tolist() == held_out.rows.tolist() != other.rows.tolist()


def test_each_part_has_a_row_at_least(table):
    assert [len(part) for part in split_records(table, 0.001, 0)] == [39, 1]
    assert [len(part) for part in split_records(table, 0.999, 0)] == [1, 39]


def test_one_row_alone_is_not_split_and_its_records_are_named(tmp_path):
    path, features = tmp_path / "one.tfrecord", features_of(3, sentences=False)
    with new_records(str(path), features) as writer:
        writer.write({name: np.ones((1, 3), int) for name in features})
    with pytest.raises(InputError, match="one.tfrecord: one record, wanted two or more") as caught:
        split_records(RecordTable(str(path)), 0.1, 0)
    assert "\n" not in str(caught.value)
