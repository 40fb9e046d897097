"""JSON files, folders and archives that hold models."""

import contextlib
import glob
import gzip
import json
import lzma
import shutil
import stat
import struct
import tarfile
import tempfile
import typing
import zipfile
import zlib
from pathlib import Path

from bert_tf import hub
from bert_tf.conversion.word2vec_file import is_word_vectors
from bert_tf.errors import InputError, shown, shown_name

TOKENIZER_FILES = (
    "vocab.txt", "vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model", "spm.model",
    "tokenizer.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json",
)  # fmt: skip

# Beside one of these a folder in an archive is no wrapping.
MODEL_SUFFIXES = (".json", ".safetensors", ".bin", ".index", ".ckpt", ".h5", ".pb", ".yaml")
# Weights shrink to about 9/10 of their size, a checkpoint with fresh optimizer slots to a third.
BOMB_RATIO, BOMB_BYTES, MEMBERS_LIMIT = 100, 2**30, 10_000
# What zipfile and tarfile raise over damaged, encrypted or exotic archives.
DAMAGED_ARCHIVE = (
    zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, lzma.LZMAError,
    struct.error, EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError,
    LookupError, MemoryError,
)  # fmt: skip


def read_json(path):
    """A JSON object from a file.

    Returns:
      dict.

    Raises:
      InputError: the file is missing, is no UTF-8, is no JSON (with line and column) or holds no
        object.
    """
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}: not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
        ) from None
    except (RecursionError, ValueError) as error:
        raise InputError(f"{path}: not JSON: {_line(error)}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: holds a JSON {type(value).__name__}, wanted an object")
    return value


def copy_tokenizer_files(source, target):
    """Carry along what a tokenizer was saved as.

    Args:
      source: Path, the directory to copy from.
      target: Path, the directory to copy to.

    Returns:
      list of str, the names copied.
    """
    found = [name for name in TOKENIZER_FILES if (Path(source) / name).is_file()]
    for name in found:
        shutil.copyfile(Path(source) / name, Path(target) / name)
    return found


@contextlib.contextmanager
def unpacked(source):
    """The folder behind a path; an archive is unpacked to a temporary one, removed afterwards.

    Args:
      source: str or Path of a directory, a .zip or .tar.gz, a checkpoint prefix or a file of word
        vectors; or hf://ORG/NAME.

    Yields:
      Path; of the directory in the archive that holds the model, when there is one.

    Raises:
      InputError: there is nothing at that path, or the archive is damaged, unsafe or larger than
        the disk.
    """
    source = Path(hub.local(source))
    if source.is_file() and source.name.endswith(hub.ARCHIVES):
        with tempfile.TemporaryDirectory(prefix="bert_tf-") as folder:
            _extract(source, Path(folder))
            try:
                yield _innermost(Path(folder))
            except InputError as error:  # the user knows the archive, not the folder
                raise type(error)(str(error).replace(folder, str(source))) from None
    elif is_word_vectors(source):
        yield source
    elif source.is_dir() or (
        source.parent.is_dir() and list(source.parent.glob(f"{glob.escape(source.name)}.*"))
    ):
        yield source
    elif source.exists():
        raise InputError(
            f"{source}: wanted a model directory, an archive of one "
            f"({', '.join(hub.ARCHIVES)}), the prefix of a checkpoint or a file of word vectors"
        )
    else:
        raise InputError(hub.nothing_at(source))


class _Member(typing.NamedTuple):
    """A file in an archive: its name, its size unpacked, whether it is a plain file, its entry."""

    filename: str
    file_size: int
    is_plain: bool
    entry: object


def _extract(archive, folder):
    try:
        opened = (zipfile.ZipFile if archive.suffix == ".zip" else tarfile.open)(archive)
        with opened:
            members = _zipped(opened) if archive.suffix == ".zip" else _tarred(archive, opened)
            for member in members:
                _check_member(archive, folder, member)
            _check_size(archive, folder, members)
            safely = {} if archive.suffix == ".zip" else {"filter": "data"}
            opened.extractall(folder, [member.entry for member in members], **safely)
    except InputError:
        raise
    except DAMAGED_ARCHIVE as error:
        raise InputError(f"{archive}: damaged or unreadable archive: {_line(error)}") from None
    except OSError as error:
        raise InputError(
            f"{archive}: cannot be unpacked to {folder}: {error.strerror or _line(error)}"
        ) from None


def _zipped(opened):
    return [
        _Member(entry.filename, entry.file_size, not stat.S_ISLNK(entry.external_attr >> 16), entry)
        for entry in opened.infolist()
        if not entry.is_dir()
    ]


def _tarred(archive, opened):
    """The members of a tar, up to the first too much: to list a packed one is to unpack it."""
    members, held = [], 0
    most = max(BOMB_BYTES, archive.stat().st_size * BOMB_RATIO)
    for entry in opened:
        if not entry.isdir():
            members.append(_Member(entry.name, entry.size, entry.isreg(), entry))
        held += entry.size
        if len(members) > MEMBERS_LIMIT or held > most:
            break
    return members


def _check_size(archive, folder, members):
    """An archive may not fill the disk, nor unpack to what no weights are packed from."""
    needed, free = sum(member.file_size for member in members), shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(f"{archive}: unpacks to {needed} bytes, {folder.parent} has {free} left")
    packed = archive.stat().st_size
    if needed > BOMB_BYTES and needed > packed * BOMB_RATIO:
        raise InputError(
            f"{archive}: {packed} bytes that unpack to {needed}, wanted at most {BOMB_RATIO} times "
            "as many; unpack it by hand if it is a model all the same"
        )
    if len(members) > MEMBERS_LIMIT:
        raise InputError(
            f"{archive}: holds {len(members)} files, wanted at most {MEMBERS_LIMIT}, a model's"
        )


def _check_member(archive, folder, member):
    """An archive may only write plain files below the folder."""
    target = (folder / member.filename).resolve()
    if not target.is_relative_to(folder.resolve()) or "\\" in member.filename:
        raise InputError(
            f"{archive}: holds {shown(member.filename)}, a path that leads out of the archive"
        )
    if not member.is_plain:
        raise InputError(f"{archive}: holds {shown(member.filename)}, a link; wanted plain files")


def _innermost(folder):
    """Through wrapping folders, beside which a README may lie, to the one that holds a model."""
    while True:
        entries = [
            entry for entry in folder.iterdir() if entry.name not in ("__MACOSX", ".DS_Store")
        ]
        folders = [entry for entry in entries if entry.is_dir()]
        of_model = [entry for entry in entries if entry.suffix in MODEL_SUFFIXES]
        if len(folders) != 1 or of_model:
            return folder
        folder = folders[0]


def _line(error):
    """An exception's first line, nothing in it that a terminal obeys."""
    return shown_name((str(error).splitlines() or [type(error).__name__])[0], limit=200)
