"""HDF5 files: described whole, and refused where they lead elsewhere or claim what they lack."""

import h5py
import numpy as np
import pytest

from bert_tf.conversion.hdf5_file import read_hdf5
from bert_tf.errors import InputError


def written(path, write):
    with h5py.File(path, "w") as file:
        file["layer/kernel:0"] = np.arange(6, dtype="float32").reshape(2, 3)
        write(file)
    return path


def refused(path, *parts):
    with pytest.raises(InputError) as caught:
        read_hdf5(path)
    said = str(caught.value)
    assert "\n" not in said and all(part in said for part in (str(path), *parts)), said


def test_every_dataset_is_described_and_read_when_asked_for(tmp_path):
    def write(file):
        file.attrs["layer_names"] = ["layer"]
        file["half"] = np.array([1.5], "float16")
        file["big endian"] = np.array([2.5], ">f4")
        file["text"] = "no number"

    tensors, attributes = read_hdf5(written(tmp_path / "x.h5", write))
    assert attributes == ["layer_names"]
    assert {name: (x.shape, x.dtype) for name, x in tensors.items()} == {
        "layer/kernel:0": ((2, 3), "float32"),
        "half": ((1,), "float16"),
        "big endian": ((1,), "float32"),
        "text": ((), "no number"),
    }
    np.testing.assert_array_equal(tensors["layer/kernel:0"].read(), [[0, 1, 2], [3, 4, 5]])
    assert tensors["half"].read().dtype == tensors["big endian"].read().dtype == "float32"


def external_link(file):
    file["out"] = h5py.ExternalLink("/etc/other.h5", "/x")


def soft_link(file):
    file["out"] = h5py.SoftLink("/layer")


def virtual(file):
    layout = h5py.VirtualLayout((2,), "float32")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "x", (2,))
    file.create_virtual_dataset("out", layout)


def external_storage(file):
    """CVE-2026-1669: the bytes are those of any file that the reader may read."""
    file.create_dataset("out", (4,), "uint8", external=[("/etc/hostname", 0, 4)])


def circle(file):
    file["layer/out"] = file["layer"]


def unstored(file):
    file.create_dataset("out", (2**40,), "float32")


def packed(file):
    file.create_dataset("out", data=np.zeros(10**6, "float32"), compression="gzip")


def deep(file):
    file.create_group("/".join("a" * 40))


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (external_link, "out is an external link"),
        (soft_link, "out is a soft link"),
        (virtual, "out is virtual"),
        (external_storage, "out is external raw storage"),
        (circle, "layer/out stands in the file twice"),
        (unstored, "out claims [1099511627776], 4398046511104 bytes, and 0 are stored"),
        (packed, "out is stored in chunks"),
        (deep, "more than 32 deep"),
    ],
)
def test_what_leads_elsewhere_or_is_not_there_is_refused(tmp_path, write, said):
    refused(written(tmp_path / "x.h5", write), said)


def test_a_path_that_leads_elsewhere_is_refused(tmp_path):
    # HDF5 itself takes `..` as a name.
    refused(written(tmp_path / "x.h5", lambda file: file.create_group("../secret")), "holds ..,")


@pytest.mark.parametrize("size", [0, 7, 100, 1500])
def test_a_truncated_file_is_named(tmp_path, size):
    path = written(tmp_path / "x.h5", lambda file: None)
    path.write_bytes(path.read_bytes()[:size])
    refused(path, "damaged HDF5 file")
