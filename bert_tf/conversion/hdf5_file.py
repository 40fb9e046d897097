"""HDF5 files as tables of plain numbers: nothing in them leads outside of the file.

An HDF5 file may point into other files (external and soft links, virtual datasets, external raw
storage, of which Keras read whatever the path named: CVE-2026-1669), hold a group within itself, or
claim an array that it stores none of. All of that is refused before a number is read.
"""

import contextlib
from pathlib import Path

import numpy as np

from bert_tf.conversion.table import TENSORS_LIMIT, StoredTensor
from bert_tf.errors import InputError, shown_name

DEPTH_LIMIT = 32  # groups within groups; Keras writes up to about ten
# What h5py raises over damaged files.
DAMAGED = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError, OverflowError,
           AttributeError)  # fmt: skip


def read_hdf5(path):
    """Describe every dataset of a file.

    Args:
      path: str or Path.

    Returns:
      (dict of the dataset's place in the file, such as `bert/pooler/kernel:0`, to StoredTensor;
      list of str, the names of the file's attributes).

    Raises:
      InputError: the file is truncated, damaged, points out of itself, or stores less than it
        claims.
    """
    with _opened(path) as file:
        found = dict(_datasets(path, file))
        size = Path(path).stat().st_size
        tensors = {name: _described(path, name, dataset) for name, dataset in found.items()}
        held = sum(dataset.id.get_storage_size() for dataset in found.values())
        if held > size:
            raise InputError(f"{path}: {size} bytes, its datasets claim {held}")
        return tensors, list(file.attrs)


@contextlib.contextmanager
def _opened(path):
    """The file, open for reading; what h5py raises becomes one line."""
    import h5py

    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except InputError:
        raise
    except DAMAGED as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{path}: damaged HDF5 file: {shown_name(said.strip(chr(34)), 200)}"
        ) from None


def _datasets(path, file):
    """(place, dataset) of every dataset, in the order of the file."""
    import h5py

    seen, groups, count = set(), [("", file, 0)], 0
    while groups:
        place, group, depth = groups.pop()
        if depth > DEPTH_LIMIT:
            raise InputError(f"{path}: groups within groups, more than {DEPTH_LIMIT} deep")
        for name in group:
            inside, link = f"{place}{name}", group.get(name, getlink=True)
            count += 1
            if count > 4 * TENSORS_LIMIT:
                raise InputError(f"{path}: more than {4 * TENSORS_LIMIT} groups and datasets")
            if not isinstance(link, h5py.HardLink):
                kind = "an external link" if isinstance(link, h5py.ExternalLink) else "a soft link"
                raise InputError(f"{path}: {shown_name(inside)} is {kind}, wanted plain data")
            if {"", ".", ".."} & set(inside.split("/")):
                raise InputError(f"{path}: holds {shown_name(inside)}, a path that leads elsewhere")
            entry = group[name]
            address = h5py.h5o.get_info(entry.id).addr
            if address in seen:
                raise InputError(f"{path}: {shown_name(inside)} stands in the file twice")
            seen.add(address)
            if isinstance(entry, h5py.Dataset):
                yield inside, entry
            elif isinstance(entry, h5py.Group):
                groups.append((f"{inside}/", entry, depth + 1))


def _described(path, name, dataset):
    """A StoredTensor of a dataset whose bytes are in the file, as many as its shape wants."""
    # `external` alone tells that the bytes are another file's; `is_virtual` does not.
    if dataset.external or dataset.is_virtual:
        kind = "virtual" if dataset.is_virtual else "external raw storage"
        raise InputError(f"{path}: {shown_name(name)} is {kind}, wanted plain data")
    shape, dtype = tuple(dataset.shape or ()), dataset.dtype
    plain = dataset.shape is not None and dtype.kind in "fiub" and dtype.hasobject is False
    if plain and dataset.chunks is not None:
        raise InputError(
            f"{path}: {shown_name(name)} is stored in chunks, perhaps packed; wanted plain data"
        )
    if plain and dataset.id.get_storage_size() != dataset.size * dtype.itemsize:
        raise InputError(
            f"{path}: {shown_name(name)} claims {list(shape)}, {dataset.size * dtype.itemsize} "
            f"bytes, and {dataset.id.get_storage_size()} are stored"
        )

    def read():
        with _opened(path) as file:
            array = np.asarray(file[name][()])
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        return array.astype("float32") if array.dtype == "float16" else array

    return StoredTensor(str(path), shape, dtype.name if plain else "no number", read)
