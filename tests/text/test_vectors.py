"""Word vectors are read by name and place; what is wrong with a file is one line."""

import gzip

import numpy as np
import pytest

from bert_tf import InputError
from bert_tf.text.vectors import read_vectors

BODY = b"the 1 2 3\nof 4 5e-1 -6\nw\xff 0 0 0\n. . 7 7 7\nthe 9 9 9\n"


@pytest.mark.parametrize("content", [BODY, b"5 3\n" + BODY, gzip.compress(BODY, mtime=0)])
def test_vectors_with_and_without_a_header(tmp_path, content):
    (tmp_path / "v").write_bytes(content)
    rows, vectors = read_vectors(str(tmp_path / "v"), {"of": 7, "the": 2, "absent": 1, ". .": 4}, 3)
    assert dict(zip(rows.tolist(), vectors.tolist(), strict=True)) == {
        2: [1, 2, 3],
        7: [4, 0.5, -6],
        4: [7, 7, 7],
    }
    assert vectors.dtype == np.float32


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"5 4\nthe 1 2 3 4\n", "line 1: vectors of 4 numbers, wanted 3"),
        (b"the 1 2\n", "line 1: vectors of 2 numbers, wanted 3"),
        (b"of 1 2 3\nthe 1 2\n", "line 2: 2 numbers behind a word, wanted 3"),
        (b"of 1 2 3\nthe 1 x 3\n", "line 2: b'x' is no number"),
        (b"7" * 5000 + b" 3\n", "line 1: vectors of 1 numbers, wanted 3"),
        (b"the 1 nan 3\n", "line 1: a number is not finite"),
        (b"2 3\nthe 1 2 3\n", "ends after 1 of the 2 vectors of its first line"),
        (b"no 1 2 3\n", "none of its words is an entry"),
        (b"", "none of its words is an entry"),
        (gzip.compress(BODY, mtime=0)[:-9], "damaged or truncated"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(tmp_path, content, reason):
    path = tmp_path / "v.txt"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_vectors(str(path), {"the": 0, "of": 1}, 3)
    told = str(error.value)
    assert told.startswith(str(path)) and reason in told and "\n" not in told


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(InputError, match="absent: cannot be read"):
        read_vectors(str(tmp_path / "absent"), {"a": 0}, 3)
