"""Noise: as often as asked, nothing lost that must stay, and the same again."""

import numpy as np
import tensorflow as tf

from bert_tf.config import Noise
from bert_tf.pretraining_data.masking import MaskingVocabulary
from bert_tf.pretraining_data.noise import add_noise

# [PAD] [UNK] [CLS] [SEP] [MASK], 995 ordinary tokens of the rows, 1000 that only noise puts in.
OWN, SIZE = 1000, 2000
VOCABULARY = MaskingVocabulary(
    mask_id=4,
    is_special=np.arange(SIZE) < 5,
    replacement_ids=np.arange(OWN, SIZE, dtype=np.int32),
    is_continuation=np.zeros(SIZE, bool),
)


def rows(count=300, width=60, full=False, seed=0):
    """[CLS] A [SEP] B [SEP]; the tokens of a row are all different."""
    random = np.random.default_rng(seed)
    lengths = np.full(count, width) if full else random.integers(6, width, count)
    ids = np.array([5 + random.permutation(OWN - 5)[:width] for _ in range(count)])
    ids[:, 0] = 2
    ids[np.arange(count), lengths // 2] = ids[np.arange(count), lengths - 1] = 3
    places = np.arange(width)
    mask = places < lengths[:, None]
    return {
        "input_ids": np.where(mask, ids, 0).astype(np.int32),
        "attention_mask": mask.astype(np.int32),
        "token_type_ids": ((places > lengths[:, None] // 2) & mask).astype(np.int32),
        "tags": np.where(mask, ids, -1).astype(np.int32),
    }


def noisy(tokens, seed=(1, 2), **options):
    positions, most = options.pop("positions", None), options.pop("most", None)
    numbers = options.pop("rows", np.arange(len(tokens["input_ids"])))
    noise, weights = Noise(**options), None
    if positions is not None:
        positions, weights = tf.constant(positions[0]), tf.constant(positions[1])

    tokens, fill = tf.nest.map_structure(tf.constant, tokens), {"tags": -1}
    moved, positions = add_noise(
        tokens, noise, VOCABULARY, seed, numbers, positions, weights, most, fill
    )
    moved = {name: values.numpy() for name, values in moved.items()}
    return moved if positions is None else (moved, positions.numpy())


def ordinary(ids):
    return (ids >= 5) & (ids < OWN)


def assert_share(count, of, wanted):
    assert abs(count / of - wanted) < 4.5 * np.sqrt(wanted * (1 - wanted) / of)


def test_no_noise_changes_nothing():
    tokens = rows()
    for name, values in noisy(tokens).items():
        np.testing.assert_array_equal(values, tokens[name])


def test_deletion_replacement_and_insertion_are_as_frequent_as_asked():
    tokens = rows(2000, 80)
    count = ordinary(tokens["input_ids"]).sum()
    for field, wanted in (("deletion", 0.12), ("replacement", 0.07), ("insertion", 0.05)):
        out = noisy(tokens, **{field: wanted})
        # With room for all that is drawn, except in the fullest rows.
        new = (out["input_ids"] >= OWN).sum()
        lost = count - ordinary(out["input_ids"]).sum()
        if field == "insertion":
            assert lost == 0 and 0.9 * wanted < new / count < wanted * 1.03
        else:
            assert_share(lost, count, wanted)
            assert new == (lost if field == "replacement" else 0)


def test_tokens_keep_their_order_and_what_belongs_to_them():
    tokens = rows()
    out = noisy(tokens, insertion=0.1, deletion=0.1, replacement=0.1)
    for before, ids, tags, types, mask in zip(
        tokens["input_ids"],
        out["input_ids"],
        out["tags"],
        out["token_type_ids"],
        out["attention_mask"],
        strict=True,
    ):
        own = ordinary(ids)
        assert (tags[own] == ids[own]).all()  # a tag is its token's number
        places = [before.tolist().index(id) for id in ids[own]]
        assert places == sorted(places)
        length = mask.sum()
        assert (mask[:length] == 1).all() and not ids[length:].any() and (tags[length:] == -1).all()
        # Special tokens are all there, and the segments still end with theirs.
        assert ids[~own & (ids > 0) & (ids < 5)].tolist() == [2, 3, 3]
        ends = np.flatnonzero(ids == 3)
        assert ends[1] == length - 1 and ids[0] == 2
        assert not types[: ends[0] + 1].any() and types[ends[0] + 1 : length].all()


def test_rows_never_outgrow_their_room():
    tokens = rows(full=True)
    out = noisy(tokens, insertion=0.4, deletion=0.05)
    lengths = out["attention_mask"].sum(1)
    assert lengths.max() == 60 and (out["input_ids"] == 3).sum() == 600
    # What is put in is spread over the row, not crowded at its beginning.
    places = np.nonzero(out["input_ids"] >= OWN)[1]
    assert len(places) > 400 and 25 < places.mean() < 35
    shorter = rows()
    before = shorter["attention_mask"].sum(1)
    out = noisy(shorter, insertion=0.4, deletion=0.1, most=before.astype(np.int32))
    after = out["attention_mask"].sum(1)
    assert (after <= before).all() and (after == before).mean() > 0.8


def test_positions_follow_their_tokens_which_stay():
    tokens = rows()
    random = np.random.default_rng(3)
    lengths = tokens["attention_mask"].sum(1)
    positions = np.sort([random.permutation(np.arange(1, n - 1))[:3] for n in lengths], axis=1)
    weights = (np.arange(3) < random.integers(0, 4, len(lengths))[:, None]).astype(np.float32)
    positions = (positions * weights).astype(np.int32)
    out, moved = noisy(
        tokens, insertion=0.2, deletion=0.3, replacement=0.3, positions=(positions, weights)
    )
    some = np.take_along_axis(tokens["input_ids"], positions, 1)
    others = np.take_along_axis(out["input_ids"], moved, 1)
    np.testing.assert_array_equal(some[weights > 0], others[weights > 0])
    assert (moved != positions)[weights > 0].mean() > 0.5 and not moved[weights == 0].any()


def test_noise_of_a_row_depends_on_seed_and_row_alone():
    tokens = rows()
    options = dict(deletion=0.2, replacement=0.2)
    out = noisy(tokens, **options)
    some = [7, 3]
    part = {name: np.pad(v[some], [(0, 0), (0, 9)]) for name, v in tokens.items()}
    again = noisy(part, rows=np.array(some), **options)
    np.testing.assert_array_equal(again["input_ids"][:, :60], out["input_ids"][some])
    other = noisy(tokens, seed=(1, 3), **options)
    assert (other["input_ids"] != out["input_ids"]).any(1).mean() > 0.8
