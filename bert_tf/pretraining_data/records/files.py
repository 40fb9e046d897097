"""Where the records of a TFRecord file are, and which of them are damaged.

A record is its length (8 bytes, little end first), a checksum of the length (4), the data, and a
checksum of the data (4): tensorflow/core/lib/io/record_writer.h. The checksums are CRC-32C,
"masked" as tensorflow/core/lib/hash/crc32c.h says.
"""

import array
import functools
import hashlib
import os
import struct
import typing

import tensorflow as tf
from tensorflow.python.lib.io import tf_record

from bert_tf.errors import InputError

HEADER_BYTES, FRAME_BYTES = 12, 16
_HEADER = struct.Struct("<QI")
_BLOCK = 1 << 20


class Fault(typing.NamedTuple):
    """A place where a file cannot be read: offset, int, in bytes; reason, str."""

    offset: int
    reason: str


class Places(typing.NamedTuple):
    """The whole records of a file: starts and sizes, array of int64, bytes; faults: list of Fault.

    starts: where the frame of each record begins. sizes: of its data, without the frame.
    """

    starts: array.array
    sizes: array.array
    faults: list


def sha256(path):
    """The digest of a file's bytes, 64 hexadecimal digits.

    Raises:
      InputError: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def places_in_whole_file(path):
    """Places of the records of a file that is known to be whole: lengths lead from one to the next.

    Raises:
      InputError: it is not whole after all.
    """
    found = Places(array.array("q"), array.array("q"), [])
    with open(path, "rb") as file:
        size, offset, descriptor = os.path.getsize(path), 0, file.fileno()
        while offset < size:
            length = int.from_bytes(os.pread(descriptor, 8, offset), "little")
            if offset + FRAME_BYTES + length > size:
                raise InputError(f"{path}, offset {offset}: the record is longer than the file")
            found.starts.append(offset)
            found.sizes.append(length)
            offset += FRAME_BYTES + length
    return found


def places_checked(path):
    """Places of the records of any file; every checksum is computed.

    After a damaged record the search goes on, with the next record if the length can be trusted,
    else with the next offset where a length and its checksum fit together.

    Raises:
      InputError: the file cannot be opened.
    """
    found = Places(array.array("q"), array.array("q"), [])
    try:
        size = os.path.getsize(path)
        reader = tf_record.tf_record_random_reader(path)
        file = open(path, "rb")
    except (OSError, tf.errors.OpError) as error:
        reason = getattr(error, "strerror", None) or error.message
        raise InputError(f"{path}: cannot be read: {reason}") from None
    with file:
        offset = 0
        while offset < size:
            record = _read(reader, file.fileno(), offset, size)
            if record is None:
                end, reason = _after_fault(file.fileno(), offset, size)
                found.faults.append(Fault(offset, reason))
            else:
                end = offset + FRAME_BYTES + len(record)
                found.starts.append(offset)
                found.sizes.append(len(record))
            offset = end
    return found


def _read(reader, descriptor, offset, size):
    """The data of the record at offset, bytes, or None if it is damaged."""
    length = int.from_bytes(os.pread(descriptor, 8, offset), "little")
    # TensorFlow takes memory for whatever length has the right checksum, or ends the process.
    if offset + FRAME_BYTES + length > size:
        return None
    try:
        return reader.read(offset)[0]
    except (tf.errors.DataLossError, IndexError):
        return None


def _after_fault(descriptor, offset, size):
    """(where the next record begins, what is wrong with the one at offset)."""
    length = _length(os.pread(descriptor, HEADER_BYTES, offset))
    if length is not None and offset + FRAME_BYTES + length <= size:
        return offset + FRAME_BYTES + length, "damaged record (the checksum of its data is wrong)"
    for start in range(offset + 1, size, _BLOCK):
        block = os.pread(descriptor, _BLOCK + HEADER_BYTES - 1, start)
        for place in range(len(block) - HEADER_BYTES + 1):
            # Most places would announce a record longer than the file.
            if block[place + 7] or int.from_bytes(block[place : place + 8], "little") > size:
                continue
            if _length(block[place : place + HEADER_BYTES]) is not None:
                if length is None:
                    return start + place, "damaged record (the checksum of its length is wrong)"
                return start + place, "damaged record (it would be longer than the file)"
    return size, "truncated or damaged record, and no other after it"


def _length(header):
    """The length that 12 bytes hold, or None if its checksum does not fit."""
    if len(header) < HEADER_BYTES:
        return None
    length, checksum = _HEADER.unpack(header)
    return length if _masked_crc32c(header[:8]) == checksum else None


@functools.cache
def _crc32c_table():
    """The remainders of all bytes for the Castagnoli polynomial, lowest bit first."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


def _masked_crc32c(data):
    table, crc = _crc32c_table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
