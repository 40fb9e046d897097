"""The safetensors file: 8 bytes of header length, a JSON header, the tensors' bytes.

Reading is done here, over a memory map, so that a truncated or damaged file is told apart by byte;
writing is the safetensors library's. Source of the layout: the format section of the safetensors
README.
"""

import json
import math
import mmap

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file

from bert_tf.conversion.table import StoredTensor, check_count
from bert_tf.errors import InputError, shown

HEADER_LIMIT = 100_000_000  # bytes, the format's own limit
# Far above what a tensor here has, far below what overflows: a shape such as [0, 2**62] takes no
# bytes, so that the size of the file does not refute it.
RANK_LIMIT, AXIS_LIMIT, OFFSET_LIMIT = 8, 2**31, 2**62
DTYPES = {  # their name: ours, bytes
    "F64": ("float64", 8),
    "F32": ("float32", 4),
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "F8_E4M3": ("float8_e4m3fn", 1),
    "F8_E5M2": ("float8_e5m2", 1),
    "I64": ("int64", 8),
    "I32": ("int32", 4),
    "I16": ("int16", 2),
    "I8": ("int8", 1),
    "U64": ("uint64", 8),
    "U32": ("uint32", 4),
    "U16": ("uint16", 2),
    "U8": ("uint8", 1),
    "BOOL": ("bool", 1),
}


def read_safetensors(path):
    """Describe every tensor of a file; numbers are read from the memory map when asked for.

    Args:
      path: str or Path.

    Returns:
      dict of name to StoredTensor.

    Raises:
      InputError: the file is truncated or damaged; the line says at which byte.
    """
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            if size < 8:
                raise InputError(f"{path}: truncated at byte {size}: the header length takes 8")
            bytes_ = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    length = int.from_bytes(bytes_[:8], "little")
    if length > HEADER_LIMIT:
        raise InputError(
            f"{path}: no safetensors file: bytes 0 to 8 give a header of {length} bytes, "
            f"the format allows {HEADER_LIMIT}"
        )
    start = 8 + length
    if start > size:
        raise InputError(f"{path}: truncated at byte {size}: the header ends at byte {start}")
    entries = _header(path, bytes_[8:start])
    _check_places(path, entries, start, size)
    return {name: _stored(path, bytes_, start, entry) for name, entry in entries.items()}


def write_safetensors(path, tensors):
    """Write a file that transformers reads.

    Args:
      path: str or Path.
      tensors: dict of name to numpy array.

    Raises:
      OSError: the disk is full or the place cannot be written.
    """
    try:
        # transformers refuses a file without this entry.
        save_file(tensors, path, metadata={"format": "pt"})
    except SafetensorError as error:
        raise OSError(str(error)) from None


def _header(path, text):
    """{name: entry}, each entry checked by itself."""
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: damaged header: byte {8 + error.start} is not UTF-8") from None
    except ValueError as error:
        at = f" at byte {8 + error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"{path}: damaged header{at}: {getattr(error, 'msg', error)}") from None
    except RecursionError:
        raise InputError(f"{path}: damaged header: nested too deeply") from None
    if not isinstance(header, dict):
        raise InputError(f"{path}: damaged header: no JSON object")
    entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
    check_count(entries, path)
    for name, entry in entries.items():
        if not _is_sound(entry):
            raise InputError(
                f"{path}: damaged header: tensor {shown(name)} has the entry {shown(entry, 120)}"
            )
    return entries


def _unique(pairs):
    found = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{shown(name)} stands twice")
        found[name] = value
    return found


def _is_sound(entry):
    """Whether dtype, shape and offsets are there and agree with each other."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        return False
    shape, offsets = entry["shape"], entry["data_offsets"]
    numbers = all(
        isinstance(part, list) and all(type(n) is int and 0 <= n <= limit for n in part)
        for part, limit in ((shape, AXIS_LIMIT), (offsets, OFFSET_LIMIT))
    )
    if not numbers or len(shape) > RANK_LIMIT or len(offsets) != 2:
        return False
    if str(entry["dtype"]) not in DTYPES:
        return False
    return offsets[1] - offsets[0] == math.prod(shape) * DTYPES[entry["dtype"]][1]


def _check_places(path, entries, start, size):
    """The tensors' bytes follow one another without a hole and end where the file ends."""
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1]["data_offsets"]):
        begin, stop = entry["data_offsets"]
        if begin != end:
            raise InputError(
                f"{path}: damaged header: tensor {shown(name)} begins at byte {start + begin}, "
                f"the one before it ends at byte {start + end}"
            )
        if start + stop > size:
            raise InputError(
                f"{path}: truncated at byte {size}: tensor {shown(name)} ends at byte "
                f"{start + stop}"
            )
        end = stop
    if start + end != size:
        raise InputError(
            f"{path}: {size - start - end} bytes after the last tensor, which ends at {start + end}"
        )


def _stored(path, bytes_, start, entry):
    dtype, shape = DTYPES[entry["dtype"]][0], tuple(entry["shape"])
    offset, count = start + entry["data_offsets"][0], math.prod(shape)

    def read():
        if not count:
            return np.zeros(shape, "float32" if dtype in ("float16", "bfloat16") else dtype)
        if dtype == "bfloat16":  # the upper half of a float32
            halves = np.frombuffer(bytes_, "<u2", count, offset)
            return (halves.astype("<u4") << 16).view("<f4").reshape(shape)
        array = np.frombuffer(bytes_, np.dtype(dtype).newbyteorder("<"), count, offset).reshape(
            shape
        )
        return array.astype("float32") if dtype == "float16" else array

    return StoredTensor(str(path), shape, dtype, read)
