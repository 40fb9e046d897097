"""Pretraining records of a few tokens, with or without masks, as `bert-tf records` makes them."""

import numpy as np

from bert_tf.pretraining_data.records import schema
from bert_tf.pretraining_data.records.manifest import Manifest
from tests import tiny

LENGTH, PREDICTIONS = 24, 4


def rows(count, seed=0, first=0):
    """Records' arrays; row r begins [CLS] r // 40 r % 40, in ids of letters, so tests can tell."""
    random = np.random.default_rng(seed + first)
    lengths = random.integers(8, LENGTH + 1, count)
    lengths[random.random(count) < 0.3] = LENGTH
    ids = random.integers(5, 5 + len(tiny.WORDS), (count, LENGTH))
    numbers = np.arange(first, first + count)
    letter = len(tiny.SPECIAL) + len(tiny.WORDS)
    ids[:, 0], ids[:, 1], ids[:, 2] = 2, letter + numbers // 35, letter + numbers % 35
    middle = lengths // 2
    ids[np.arange(count), middle] = ids[np.arange(count), lengths - 1] = 3
    places = np.arange(LENGTH)
    mask = places < lengths[:, None]
    return {
        "input_ids": ids * mask,
        "input_mask": mask.astype(int),
        "segment_ids": ((places > middle[:, None]) & mask).astype(int),
        "next_sentence_labels": (numbers % 2)[:, None],
    }


def row_numbers(input_ids):
    """The numbers that `rows` has put into int [N, L] rows of ids."""
    letter = len(tiny.SPECIAL) + len(tiny.WORDS)
    return (np.asarray(input_ids)[:, 1] - letter) * 35 + np.asarray(input_ids)[:, 2] - letter


def fixed_masks(arrays):
    """The arrays with masked_lm_*: positions 3 and 5 of every row hidden, two columns filling."""
    count = len(arrays["input_ids"])
    positions = np.tile([3, 5, 0, 0], (count, 1))
    weights = np.tile([1.0, 1.0, 0.0, 0.0], (count, 1))
    targets = np.take_along_axis(arrays["input_ids"], positions, 1) * weights.astype(int)
    hidden = arrays["input_ids"].copy()
    hidden[:, [3, 5]] = 4
    masks = dict(masked_lm_positions=positions, masked_lm_ids=targets, masked_lm_weights=weights)
    return {**arrays, "input_ids": hidden, **masks}


def write(folder, tokenizer, counts=(60, 40), masks=False, labels=None, manifest=True):
    """Shards of so many rows each, and their manifest; returns the str of the folder.

    labels: dict of name -> function from row numbers [N] to int [N, length], further features.
    """
    folder.mkdir(parents=True, exist_ok=True)
    summaries, first = [], 0
    for shard, count in enumerate(counts):
        arrays = rows(count, first=first)
        arrays = fixed_masks(arrays) if masks else arrays
        numbers = np.arange(first, first + count)
        arrays |= {name: label(numbers) for name, label in (labels or {}).items()}
        widths = {name: arrays[name].shape[1] for name in labels or {}}
        features = schema.features_of(LENGTH, PREDICTIONS if masks else None, labels=widths)
        name = f"part-{shard}-of-{len(counts)}.tfrecord"
        with schema.new_records(str(folder / name), features) as writer:
            writer.write(arrays)
        summaries.append(writer.summary)
        first += count
    if manifest:
        Manifest(
            max_length=LENGTH,
            max_predictions=PREDICTIONS if masks else None,
            sentence_objective="next_sentence",
            vocabulary=schema.vocabulary_fingerprint(tokenizer),
            features=features,
            shards=summaries,
            counts={},
        ).write(str(folder))
    return str(folder)
