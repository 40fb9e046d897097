"""Files of text as lines: plain, gzip or xz, in bounded memory; what is no text has a count."""

import contextlib
import dataclasses
import glob
import gzip
import hashlib
import io
import lzma
import os
import typing
import zlib

from bert_tf.errors import ConfigError, InputError

LONGEST_LINE = 1 << 24  # bytes; a longer line is no text
HEAD = 1 << 16  # bytes, by which a file is judged before it is read
POLICIES = ("fail", "skip")
_OPENERS = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\x00": lzma.open}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclasses.dataclass
class Counts:
    """What was read, and what was not. Two of them add up.

    bytes: of the files read, unpacked. empty: documents without a word, which are left out, and so
    are duplicates. The rest is damage, which the policy "skip" leaves out and counts:
    encoding_errors: lines that are not UTF-8; long_lines: of more than LONGEST_LINE bytes;
    malformed: lines that are not what the layout wants; binary_files and damaged_files: no text at
    all, and archives that end or break midway.
    """

    files: int = 0
    bytes: int = 0
    documents: int = 0
    sentences: int = 0
    empty: int = 0
    duplicates: int = 0
    encoding_errors: int = 0
    long_lines: int = 0
    malformed: int = 0
    binary_files: int = 0
    damaged_files: int = 0

    def __add__(self, other):
        mine, theirs = dataclasses.astuple(self), dataclasses.astuple(other)
        return Counts(*(a + b for a, b in zip(mine, theirs, strict=True)))

    def __str__(self):
        """One line for people: what was read, and each kind of what was left out."""
        left_out = {
            "empty documents": self.empty,
            "duplicates": self.duplicates,
            "lines not UTF-8": self.encoding_errors,
            "lines too long": self.long_lines,
            "malformed lines": self.malformed,
            "binary files": self.binary_files,
            "damaged files": self.damaged_files,
        }
        parts = [f"{n:,} {what}" for what, n in left_out.items() if n]
        read = f"{self.documents:,} documents in {self.bytes:,} bytes of {self.files:,} files"
        return read + (f"; left out: {', '.join(parts)}" if parts else "")


class Faults(typing.NamedTuple):
    """What to do about damage: the policy, "fail" or "skip", and where to count it."""

    policy: str
    counts: Counts

    def report(self, kind, message):
        """Raises InputError under "fail", else adds one to the count of that name."""
        if self.policy == "fail":
            raise InputError(f"{message} (the policy skip leaves it out and counts it)")
        setattr(self.counts, kind, getattr(self.counts, kind) + 1)


class Line(typing.NamedTuple):
    """A line: where its first byte is in the unpacked file, its number from 1, its text."""

    offset: int
    number: int
    text: str


def expand(patterns):
    """The files that a glob names, or several globs with commas between them.

    Args:
      patterns: str, such as `news/*.jsonl.gz,books/**/*.txt`; `**` goes through folders.
    Returns:
      list of str, sorted, each once.
    Raises:
      InputError: a glob matches no file.
    """
    if os.path.isfile(patterns):
        return [patterns]
    found = set()
    for pattern in patterns.split(","):
        matched = glob.glob(pattern.strip(), recursive=True)
        files = [path for path in matched if os.path.isfile(path)]
        if not files:
            folder = f", only a folder; its files are {matched[0].rstrip('/')}/*" if matched else ""
            raise InputError(f"{pattern.strip() or patterns!r}: matches no file{folder}")
        found.update(files)
    return sorted(found)


def fingerprint(path):
    """What tells a file from another version of it without reading it whole.

    Returns:
      (int, str): its size in bytes; a digest of its first, middle and last 64 KiB.
    Raises:
      InputError: it cannot be read.
    """
    digest = hashlib.blake2b(digest_size=8)
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            for place in (0, (size - HEAD) // 2, size - HEAD):
                file.seek(max(place, 0))
                digest.update(file.read(HEAD))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    return size, digest.hexdigest()


def check_policy(policy):
    """Raises ConfigError for a policy that is not there."""
    if policy not in POLICIES:
        raise ConfigError(f"policy: {policy!r}, wanted one of {', '.join(POLICIES)}")


def read_head(path, faults):
    """The first 64 KiB of a file, unpacked.

    Args:
      path: str.
      faults: Faults.
    Returns:
      bytes; None for a file that holds no text and is left out. One with a zero byte is taken for
      binary: no UTF-8 text has any, every program and picture does, and so does UTF-16.
    """
    with _reading(path, faults), _opened(path) as file:
        head = file.read(HEAD)
        zero = head.find(b"\0")
        if zero < 0:
            return head.removeprefix(_BYTE_ORDER_MARK)
        reason = f"binary or UTF-16 (byte {zero} is zero), wanted UTF-8"
        faults.report("binary_files", f"{path}: {reason}")
    return None


def lines(path, faults, start=None):
    """Yield the lines of a file that are text, in order.

    Args:
      path: str.
      faults: Faults; a line that is not UTF-8 or longer than LONGEST_LINE is reported there.
      start: Line to begin at, as it was yielded before, of which only the place matters; None is
        the first.
    Yields:
      Line, its text without the line end.
    """
    offset, number = (start.offset, start.number) if start else (0, 1)
    with _reading(path, faults), _opened(path) as file:
        file.seek(offset)
        while data := file.readline(LONGEST_LINE):
            size = len(data)
            if size == LONGEST_LINE and not data.endswith(b"\n"):
                size += _rest_of_line(file)
            text = None
            if size > LONGEST_LINE:
                place = f"{path}, line {number} (byte {offset})"
                faults.report("long_lines", f"{place}: {size} bytes long, at most {LONGEST_LINE}")
            else:
                text = _decoded(data, path, offset, number, faults)
            if text is not None:
                yield Line(offset, number, text)
            offset, number = offset + size, number + 1
            faults.counts.bytes += size


def _decoded(data, path, offset, number, faults):
    """The text of a line, None where it is not UTF-8."""
    try:
        return data.decode().removeprefix("\ufeff").rstrip("\r\n")
    except UnicodeDecodeError as error:
        byte, value = error.start, data[error.start]
        faults.report(
            "encoding_errors",
            f"{path}, line {number}, byte {byte + 1} (byte {offset + byte} of the file): "
            f"0x{value:02x} is not UTF-8",
        )
    return None


def _rest_of_line(file):
    """Reads to the end of a line without keeping it; its size."""
    size = 0
    while data := file.readline(HEAD):
        size += len(data)
        if data.endswith(b"\n"):
            break
    return size


def _opened(path):
    """The file unpacked; what packs it, its first bytes tell, whatever its name."""
    with open(path, "rb") as file:
        first = file.read(6)
    for magic, opener in _OPENERS.items():
        if first.startswith(magic):
            return io.BufferedReader(opener(path, "rb"), HEAD)
    return open(path, "rb", HEAD)


@contextlib.contextmanager
def _reading(path, faults):
    """Within it a file that cannot be read, or breaks off, is one line or one count."""
    try:
        yield
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        faults.report("damaged_files", f"{path}: damaged or truncated archive: {error}")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
