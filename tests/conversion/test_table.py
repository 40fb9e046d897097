"""The engine: exact both ways, and nothing assigned when anything is wrong."""

import logging
import re

import numpy as np
import pytest

from bert_tf.conversion.table import AS_IS, TRANSPOSED, Row, StoredTensor, Table, fill, read_out
from bert_tf.errors import InputError

from .stand_in import Node, Variable

TABLE = Table(
    rows=(
        Row("words", "words"),
        Row(("layer.{i}.a", "layer.{i}.b", "layer.{i}.c"), "blocks.{i}.joined", TRANSPOSED),
        Row(("layer.{i}.u", "layer.{i}.v"), "blocks.{i}.biases", AS_IS),
        Row("pool", "pooler.kernel", TRANSPOSED),
    ),
    old_names=((r"^old_words$", "words"),),
    ignorable=((r"^position_ids$", "a buffer"),),
    tied=(("decoder", "words"),),
)


def model(pooler=True):
    made = Node(
        words=Variable("words", 5, 3),
        blocks=[Node(joined=Variable("j", 3, 6), biases=Variable("b", 8)) for _ in range(2)],
    )
    if pooler:
        made.pooler = Node(kernel=Variable("pool", 3, 2))
    return made


def stored(arrays):
    return {
        name: StoredTensor("file", array.shape, array.dtype.name, lambda array=array: array)
        for name, array in arrays.items()
    }


def arrays(seed=0):
    numbers = np.random.default_rng(seed)
    shapes = {"words": (5, 3), "pool": (2, 3)}
    for i in range(2):
        shapes |= {f"layer.{i}.{name}": (2, 3) for name in "abc"}
        shapes |= {f"layer.{i}.{name}": (4,) for name in "uv"}
    return {name: numbers.standard_normal(s).astype("float32") for name, s in shapes.items()}


def refused(tensors, message, **options):
    """Filling fails with one line that matches, and no variable has changed."""
    made = model()
    with pytest.raises(InputError, match=message) as caught:
        fill(made, TABLE, tensors, "weights.file", **options)
    assert str(caught.value).startswith("weights.file: ") and "\n" not in str(caught.value)
    assert not any(variable.assigned for variable in made.weights)


def test_tensors_come_back_bit_for_bit():
    made, given = model(), arrays()
    assert fill(made, TABLE, stored(given), "f") == []
    back = read_out(made, TABLE)
    assert back.keys() == given.keys()
    assert all(np.array_equal(back[name], given[name]) for name in given)
    assert all(array.flags.c_contiguous and array.dtype == np.float32 for array in back.values())


def test_parts_are_joined_in_the_order_of_the_row():
    made, given = model(), arrays()
    fill(made, TABLE, stored(given), "f")
    want = np.concatenate([given[f"layer.1.{name}"].T for name in "abc"], axis=1)
    np.testing.assert_array_equal(made.blocks[1].joined.value, want)


def test_a_missing_tensor_is_named():
    given = arrays()
    del given["layer.1.b"], given["words"]
    refused(stored(given), r"2 missing: words, layer\.1\.b")


def test_a_leftover_tensor_is_named():
    refused(stored(arrays() | {"layer.2.a": np.zeros((2, 3), "f")}), r"1 left over: layer\.2\.a")


def test_a_misshaped_tensor_is_named_with_both_shapes():
    given = arrays() | {"layer.0.c": np.zeros((3, 2), "f")}
    refused(stored(given), re.escape("layer.0.c is [3, 2], wanted [2, 3]"))


@pytest.mark.parametrize("dtype", ["int32", "float64", "int8", "bool"])
def test_a_tensor_of_another_dtype_is_named(dtype):
    given = arrays() | {"pool": np.ones((2, 3), dtype)}
    refused(stored(given), f"1 not stored as float32, float16, bfloat16: pool is {dtype}")


def test_all_complaints_stand_in_one_line_and_long_lists_are_counted():
    given = arrays() | {f"extra{n}": np.zeros(1, "f") for n in range(9)}
    del given["pool"]
    refused(stored(given), r"1 missing: pool; 9 left over: extra0, .*extra3 and 5 more")


def test_an_unreadable_tensor_changes_nothing():
    def fail():
        raise InputError("weights.file: damaged")

    tensors = stored(arrays())
    tensors["pool"] = tensors["pool"]._replace(read=fail)
    refused(tensors, "damaged")


def test_old_names_are_read_and_two_names_of_one_tensor_refused():
    given = arrays()
    given["old_words"] = given.pop("words")
    made = model()
    fill(made, TABLE, stored(given), "f")
    np.testing.assert_array_equal(made.words.value, given["old_words"])
    refused(stored(arrays() | {"old_words": given["old_words"]}), "two names of one tensor")


def test_ignorable_names_are_left_alone():
    fill(model(), TABLE, stored(arrays() | {"position_ids": np.arange(4)}), "f")


def test_a_twin_must_equal_its_original_or_may_stand_in_its_place():
    given = arrays()
    fill(model(), TABLE, stored(given | {"decoder": given["words"].copy()}), "f")
    refused(stored(given | {"decoder": given["words"] + 1}), "decoder must equal words")
    alone = {("decoder" if name == "words" else name): array for name, array in given.items()}
    made = model()
    fill(made, TABLE, stored(alone), "f")
    np.testing.assert_array_equal(made.words.value, given["words"])


def test_a_part_that_may_be_lacking_keeps_its_numbers_and_is_reported():
    given = arrays()
    del given["pool"]
    made = model()
    assert fill(made, TABLE, stored(given), "f", optional=("pooler",)) == ["pooler"]
    assert not made.pooler.kernel.assigned and made.words.assigned
    refused(stored(given), "1 missing: pool")


def test_a_model_without_a_part_takes_no_tensor_for_it():
    made, given = model(pooler=False), arrays()
    with pytest.raises(InputError, match="1 left over: pool"):
        fill(made, TABLE, stored(given), "f")
    del given["pool"]
    fill(made, TABLE, stored(given), "f")
    assert read_out(made, TABLE).keys() == given.keys()


def test_a_variable_no_row_reaches_is_an_error_in_both_directions():
    made = model()
    made.adapter = Variable("adapter.kernel", 2, 2)
    with pytest.raises(InputError, match="no name for 1 of our variables: adapter.kernel"):
        read_out(made, TABLE)
    with pytest.raises(InputError, match="adapter.kernel"):
        fill(made, TABLE, stored(arrays()), "f")


def test_a_cast_up_to_float32_is_said(caplog):
    given = {name: array.astype("float16") for name, array in arrays().items()}
    with caplog.at_level(logging.INFO, logger="absl"):
        fill(model(), TABLE, stored(given), "weights.file")
    assert "weights.file: tensors stored as float16 are read as float32" in caplog.text
