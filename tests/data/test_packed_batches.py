"""Packed batches of a table: of one shape, each text with its label, the same from any step on."""

import numpy as np
import pytest

from bert_tf.data.packed_batches import packed_batches, packed_order
from bert_tf.data.packing import Packing
from tests import tiny
from tests.tables import read_table, text_features

BATCH, WIDTH, MOST = 4, 24, 5


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("vocabulary"))


def write(path, paired):
    """300 texts of 1 to 9 words; the label is the number of the first word."""
    random, words = np.random.default_rng(0), tiny.WORDS[:8]
    rows = []
    for _ in range(300):
        numbers = random.integers(0, 8, random.integers(1, 10))
        pair = [words[number] for number in random.integers(0, 8, 3)] if paired else []
        text = " ".join(words[number] for number in numbers)
        rows.append("\t".join([text, *[" ".join(pair)] * paired, f"{numbers[0]:02d}"]))
    header = "text\tpair\tlabel" if paired else "text\tlabel"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return read_table(path, text_pair="pair" if paired else None)


@pytest.fixture(params=[False, True], ids=["texts", "pairs"])
def packed(request, tmp_path, tokenizer):
    table = write(tmp_path / "rows.tsv", request.param)
    plan = packed_order(
        table, features_of(tokenizer), batch_size=BATCH, seed=3, packing=Packing(MOST)
    )
    return table, plan


def features_of(tokenizer):
    return text_features(tokenizer, WIDTH, padding="longest")


def test_batches_have_one_shape_and_every_text_has_its_label(packed, tokenizer):
    table, plan = packed
    batches = packed_batches(table, features_of(tokenizer), plan, stop_step=plan.epoch_steps)
    assert batches.cardinality() == plan.epoch_steps
    spec = batches.element_spec
    assert {
        x.shape.as_list() == [BATCH, WIDTH] for k, x in spec[0].items() if k != "sentence_positions"
    } == {True}
    assert spec[1].shape.as_list() == spec[2].shape.as_list() == [BATCH, MOST]
    first_words = {
        tokenizer([word])["input_ids"].numpy()[0, 1]: n for n, word in enumerate(tiny.WORDS[:8])
    }
    seen = 0
    for inputs, labels, weights in batches.as_numpy_iterator():
        for row in range(BATCH):
            for place in np.flatnonzero(weights[row]):
                begin = inputs["sentence_positions"][row, place]
                assert inputs["input_ids"][row, begin] == tokenizer.cls_id
                assert inputs["attention_mask"][row, begin] == place + 1
                assert first_words[inputs["input_ids"][row, begin + 1]] == labels[row, place]
                seen += 1
            assert not labels[row][weights[row] == 0].any()
    assert seen >= 300
    assert sorted({n for step in range(plan.epoch_steps) for n in plan.batch(step)[0]}) == list(
        range(300)
    )


def test_a_run_goes_on_at_any_step_as_if_it_had_never_stopped(packed, tokenizer):
    table, plan = packed
    whole = list(
        packed_batches(table, features_of(tokenizer), plan, stop_step=60).as_numpy_iterator()
    )
    late = list(
        packed_batches(
            table, features_of(tokenizer), plan, start_step=57, stop_step=60
        ).as_numpy_iterator()
    )
    assert plan.epoch_steps < 57 and len(late) == 3
    for one, other in zip(whole[57:], late, strict=True):
        for name in one[0]:
            np.testing.assert_array_equal(one[0][name], other[0][name])
        np.testing.assert_array_equal(one[1], other[1])
        np.testing.assert_array_equal(one[2], other[2])
