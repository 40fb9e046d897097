"""The safetensors reader: the library's files exactly, damaged files by byte."""

import json
import re

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bert_tf.conversion.safetensors_file import read_safetensors, write_safetensors
from bert_tf.errors import InputError

ARRAYS = {
    "half": np.arange(6, dtype="float16").reshape(2, 3) / 3,
    "ids": np.arange(5, dtype="int64"),
    "matrix": np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4),
    "none": np.zeros((0, 4), "float32"),
    "one": np.array(2.5, "float32"),
}


@pytest.fixture
def path(tmp_path):
    save_file(ARRAYS, tmp_path / "model.safetensors", metadata={"format": "pt"})
    return tmp_path / "model.safetensors"


def header_end(path):
    return 8 + int.from_bytes(path.read_bytes()[:8], "little")


def with_header(path, header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def test_reads_what_the_library_wrote(path):
    tensors = read_safetensors(path)
    assert tensors.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert tensors[name].shape == array.shape and tensors[name].dtype == array.dtype.name
        np.testing.assert_array_equal(tensors[name].read(), array)
    assert tensors["half"].read().dtype == np.float32


def test_bfloat16_is_the_upper_half_of_float32(tmp_path):
    numbers = np.array([1.0, -2.5, 3.0e38, 1e-40], "float32")
    upper = (numbers.view("uint32") >> 16).astype("uint16")
    entry = {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]}
    with_header(tmp_path / "f", {"x": entry}, upper.tobytes())
    got = read_safetensors(tmp_path / "f")["x"].read()
    np.testing.assert_array_equal(got.view("uint32") >> 16, upper)
    assert got.dtype == np.float32


def test_the_library_reads_what_is_written(tmp_path):
    write_safetensors(tmp_path / "f", {"a": ARRAYS["matrix"]})
    np.testing.assert_array_equal(load_file(tmp_path / "f")["a"], ARRAYS["matrix"])


def test_a_truncated_file_is_named_by_byte_wherever_it_ends(path):
    whole, end = path.read_bytes(), header_end(path)
    for size in [0, 3, 7, 8, 9, end - 1, end, end + 1, len(whole) - 48, len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=f"model.safetensors: truncated at byte {size}: "):
            read_safetensors(path)


def test_bytes_after_the_last_tensor_are_refused(path):
    path.write_bytes(path.read_bytes() + b"abc")
    with pytest.raises(InputError, match="3 bytes after the last tensor"):
        read_safetensors(path)


def test_a_flipped_byte_in_the_header_never_gives_wrong_numbers(path):
    """Every bit position 0 and 6 of every header byte: refused, or another name, or the same."""
    whole = path.read_bytes()
    for place in range(header_end(path)):
        for bit in (0x01, 0x40):
            damaged = bytearray(whole)
            damaged[place] ^= bit
            path.write_bytes(damaged)
            try:
                tensors = read_safetensors(path)
            except InputError as error:
                assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
                continue
            for name in tensors.keys() & ARRAYS.keys():
                same = tensors[name].dtype == ARRAYS[name].dtype.name
                if same and tensors[name].shape == ARRAYS[name].shape:
                    np.testing.assert_array_equal(tensors[name].read(), ARRAYS[name])


X = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"\xff\xff", "byte 8 is not UTF-8"),
        (b'{"x": }', "damaged header at byte 14"),
        (b"[1]", "no JSON object"),
        (b'{"x": 1, "x": 2}', "'x' stands twice"),
        (b"[" * 100_000, "damaged header"),
        ({"x": X | {"dtype": "F31"}}, "tensor 'x' has the entry"),
        ({"x": X | {"dtype": ["F32"]}}, "tensor 'x' has the entry"),
        ({"x": X | {"shape": [3]}}, "tensor 'x' has the entry"),
        ({"x": X | {"shape": [-2]}}, "tensor 'x' has the entry"),
        ({"x": X | {"data_offsets": [8]}}, "tensor 'x' has the entry"),
        ({"x": [1, 2]}, "tensor 'x' has the entry"),
        ({"x": X | {"shape": [2**62, 0], "data_offsets": [0, 0]}}, "tensor 'x' has the entry"),
        ({"x": X | {"shape": [1] * 9 + [2]}}, "tensor 'x' has the entry"),
        ({"x": X | {"data_offsets": [10**4000, 10**4000 + 8]}}, "tensor 'x' has the entry"),
        ({"x": X | {"shape": [True, 2]}}, "tensor 'x' has the entry"),
        ({"\x1b[2J": 1}, r"tensor '\x1b[2J' has the entry"),
        ({"x": X, "y": X}, "tensor 'y' begins at byte"),
        ({"x": X, "y": X | {"data_offsets": [12, 20]}}, "tensor 'y' begins at byte"),
    ],
)
def test_a_damaged_header_is_named(tmp_path, header, message):
    with_header(tmp_path / "f", header, b"\0" * 32)
    with pytest.raises(InputError, match=re.escape(message)):
        read_safetensors(tmp_path / "f")


def test_a_name_that_stands_twice_is_found_without_comparing_all_with_all(tmp_path):
    entry = json.dumps({"dtype": "F32", "shape": [0], "data_offsets": [0, 0]})
    names = [*(f"t{number}" for number in range(50_000)), "t49999"]
    text = "{" + ",".join(f'"{name}":{entry}' for name in names) + "}"
    with_header(tmp_path / "f", text.encode())
    with pytest.raises(InputError, match="'t49999' stands twice"):
        read_safetensors(tmp_path / "f")


def test_more_tensors_than_any_model_has_are_refused_before_each_is_looked_at(tmp_path):
    with_header(tmp_path / "f", {f"t{number}": 0 for number in range(50_001)})
    with pytest.raises(InputError, match="names 50001 tensors, wanted at most 50000"):
        read_safetensors(tmp_path / "f")


def test_a_file_of_another_kind_is_named(tmp_path):
    (tmp_path / "f").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(InputError, match="no safetensors file"):
        read_safetensors(tmp_path / "f")
