"""Words and neighbours: what is kept and drawn, by how frequent words are, at any step the same."""

import numpy as np
import pytest
import tensorflow as tf

from bert_tf import InputError
from bert_tf.config import Neighbours
from bert_tf.pretraining_data.batches import pretraining_batches, rows_of_step
from bert_tf.pretraining_data.hidden import known_of
from bert_tf.pretraining_data.records.table import RecordTable
from bert_tf.pretraining_data.skip_gram import WordFrequencies, skip_gram_rows
from tests import tiny
from tests.pretraining_data import toy_records

SETTINGS = Neighbours(window=3, negatives=4, noise_words=8, sampling=0.1)
# Of 5 tokens, two special: words 2, 3 and 4 stand 16, 1 and 1 times.
COUNTS = np.array([7, 9, 16, 1, 1])


class Counted:
    """A table of which only the counts are asked."""

    source = "records"

    def __init__(self, counts):
        self.token_counts = lambda size: np.array(counts)


class Spelled:
    """A tokenizer of which only the special tokens are asked."""

    vocab_size, unk_id = 5, 1

    class pieces:
        ids = {"[PAD]": 0, "[UNK]": 1}

        class settings:
            special_tokens = ("[PAD]",)


def test_frequencies_are_those_of_word2vec():
    found = WordFrequencies.of(Counted(COUNTS), Spelled, 0.1)
    ratio = 0.1 * 18 / 16
    np.testing.assert_allclose(found.kept, [0, 0, np.sqrt(ratio) + ratio, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(found.noise, np.cumsum([0, 0, 0.8, 0.1, 0.1]), rtol=1e-6)
    assert WordFrequencies.of(Counted(COUNTS), Spelled, None).kept.tolist() == [0, 0, 1, 1, 1]
    with pytest.raises(InputError, match="^records: holds no word that the vocabulary knows$"):
        WordFrequencies.of(Counted([5, 3, 0, 0, 0]), Spelled, 0.1)


def test_rows_lose_special_and_frequent_words_and_the_others_close_up():
    frequencies = WordFrequencies.of(Counted(COUNTS), Spelled, 0.1)
    ids = np.tile([2, 3, 2, 4, 1, 0], (4000, 1)).astype("int32")
    mask = np.tile([1, 1, 1, 1, 1, 0], (4000, 1)).astype("int32")
    found = {
        name: x.numpy()
        for name, x in skip_gram_rows(ids, mask, SETTINGS, frequencies, (1, 2)).items()
    }
    real = found["attention_mask"] > 0
    words = found["input_ids"]
    assert set(words[real]) == {2, 3, 4} and not words[~real].any()
    lengths = real.sum(axis=1)
    assert (real == (np.arange(words.shape[1]) < lengths[:, None])).all()
    assert ((words == 3).sum(axis=1) == 1).all() and ((words == 4).sum(axis=1) == 1).all()
    assert np.mean((words == 2) & real) * words.shape[1] / 2 == pytest.approx(0.447, abs=0.02)
    sizes = found["window_sizes"]
    assert (sizes[~real] == 0).all() and set(sizes[real]) == {1, 2, 3}
    np.testing.assert_allclose(np.bincount(sizes[real])[1:] / real.sum(), 1 / 3, atol=0.02)
    drawn = np.bincount(found["noise_ids"].ravel(), minlength=5) / found["noise_ids"].size
    np.testing.assert_allclose(drawn, [0, 0, 0.8, 0.1, 0.1], atol=0.01)
    assert found["noise_weights"].shape == (4000, 8) and (found["noise_weights"] == 0.5).all()


def test_a_row_without_words_is_a_row_of_filling():
    frequencies = WordFrequencies.of(Counted(COUNTS), Spelled, None)
    found = skip_gram_rows(np.array([[0, 1]]), np.array([[1, 1]]), SETTINGS, frequencies, (1, 2))
    assert found["input_ids"].shape == (1, 1) and not found["window_sizes"].numpy().any()


def test_batches_are_a_function_of_seed_and_step(tmp_path):
    tokenizer = tiny.tokenizer(tmp_path / "vocabulary")
    table = RecordTable(toy_records.write(tmp_path / "records", tokenizer, (24,)), tokenizer)
    assert table.token_counts(tokenizer.vocab_size)[2] == len(table)
    known = known_of("skip_gram", tokenizer, table, SETTINGS)
    given = dict(batch_size=4, seed=5, words="skip_gram")

    def steps(start):
        batches = pretraining_batches(
            table, SETTINGS, known, start_step=start, stop_step=4, **given
        )
        return list(batches.as_numpy_iterator())

    whole = steps(0)
    tf.nest.map_structure(np.testing.assert_array_equal, whole[2:], steps(2))
    inputs, labels = whole[3]
    assert set(labels) >= {"window_sizes", "noise_weights"}
    assert set(inputs) == {"input_ids", "attention_mask", "token_type_ids", "noise_ids"}
    assert len(rows_of_step(table, SETTINGS, known, 3, **given)) == 4
