"""SentencePiece's model files, read field by field from their protocol buffers.

Source: google/sentencepiece, src/sentencepiece_model.proto; the encoding of protocol buffers.
"""

import dataclasses
import struct

from bert_tf.errors import InputError
from bert_tf.text.json_entries import read_bytes

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
UNIGRAM, BPE = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclasses.dataclass(frozen=True)
class SentencePieceModel:
    """What a file says.

    pieces: tuple of (str, float, int), piece, score and kind. kind: UNIGRAM or BPE. unk_id, bos_id,
    eos_id: int, -1: there is none. unk_piece, bos_piece, eos_piece: str. charsmap: bytes.
    """

    pieces: tuple
    kind: int
    byte_fallback: bool
    unk_id: int
    bos_id: int
    eos_id: int
    unk_piece: str
    bos_piece: str
    eos_piece: str
    charsmap: bytes
    add_dummy_prefix: bool
    remove_extra_whitespaces: bool
    escape_whitespaces: bool


def read_model(path):
    """Read a model file.

    Args:
      path: str.
    Returns:
      SentencePieceModel.
    Raises:
      InputError: it is not one, or a length in it points beyond its end.
    """
    content = memoryview(read_bytes(path))
    pieces, trainer, normalizer = [], {}, {}
    for number, value, at in _fields(content, 0, len(content), path):
        if number in (1, 2, 3) and not isinstance(value, tuple):
            raise InputError(f"{path}: byte {at}: no SentencePiece model")
        if number == 1:
            pieces.append(_piece(content, value, path))
        elif number in (2, 3):
            fields = trainer if number == 2 else normalizer
            fields.update((n, v) for n, v, _ in _fields(content, *value, path))
    if not pieces:
        raise InputError(f"{path}: no SentencePiece model: it holds no piece")
    kind = trainer.get(3, UNIGRAM)
    if kind not in (UNIGRAM, BPE):
        raise InputError(f"{path}: model_type: {kind}, wanted 1 (unigram) or 2 (BPE)")
    unk_id = _signed(trainer.get(40, 0))
    if not 0 <= unk_id < len(pieces):
        raise InputError(f"{path}: unk_id: {unk_id}, wanted the number of a piece")

    def text(fields, number, default):
        value = fields.get(number)
        return _text(content, value, path) if isinstance(value, tuple) else default

    span = normalizer.get(2)
    charsmap = bytes(content[slice(*span)]) if isinstance(span, tuple) else b""
    return SentencePieceModel(
        pieces=tuple(pieces),
        kind=kind,
        byte_fallback=bool(trainer.get(35, 0)),
        unk_id=unk_id,
        bos_id=_signed(trainer.get(41, 1)),
        eos_id=_signed(trainer.get(42, 2)),
        unk_piece=text(trainer, 45, "<unk>"),
        bos_piece=text(trainer, 46, "<s>"),
        eos_piece=text(trainer, 47, "</s>"),
        charsmap=charsmap,
        add_dummy_prefix=bool(normalizer.get(3, 1)),
        remove_extra_whitespaces=bool(normalizer.get(4, 1)),
        escape_whitespaces=bool(normalizer.get(5, 1)),
    )


def _piece(content, span, path):
    """(piece, score, kind) of one message."""
    piece, score, kind = "", 0.0, NORMAL
    for number, value, at in _fields(content, *span, path):
        if number == 1 and isinstance(value, tuple):
            piece = _text(content, value, path)
        elif number == 2 and isinstance(value, float):
            score = value
        elif number == 3 and isinstance(value, int):
            kind = value
        elif number <= 3:
            raise InputError(f"{path}: byte {at}: a piece whose field {number} is of another type")
    if score != score or score in (float("inf"), float("-inf")):
        raise InputError(f"{path}: the score of {piece[:40]!r} is {score}, wanted a finite number")
    return piece, score, kind


def _text(content, span, path):
    try:
        return bytes(content[slice(*span)]).decode()
    except UnicodeDecodeError:
        raise InputError(f"{path}: byte {span[0]}: a text that is not UTF-8") from None


def _fields(content, start, end, path):
    """The fields of a message: (number, value, place); a value of bytes as (start, end)."""
    while start < end:
        at = start
        tag, start = _varint(content, start, end, path)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, start = _varint(content, start, end, path)
        elif kind == _BYTES:
            size, start = _varint(content, start, end, path)
            value, start = (start, start + size), start + size
        elif kind == _FIXED32 or kind == _FIXED64:
            size = 4 if kind == _FIXED32 else 8
            value = None
            if start + size <= end:
                value = struct.unpack_from("<f" if size == 4 else "<d", content, start)[0]
            start += size
        else:
            raise InputError(f"{path}: byte {at}: no SentencePiece model")
        if start > end:
            raise InputError(
                f"{path}: byte {at}: a field of {start - at} bytes, and {end - at} are left; the "
                "file is damaged, or no SentencePiece model"
            )
        yield number, value, at


def _varint(content, start, end, path):
    value = 0
    for place in range(start, min(start + 10, end)):
        value |= (content[place] & 127) << 7 * (place - start)
        if content[place] < 128:
            return value, place + 1
    raise InputError(f"{path}: byte {start}: no SentencePiece model")


def _signed(value):
    """An int32 of a varint."""
    return value - (1 << 64) if value >= 1 << 63 else value
