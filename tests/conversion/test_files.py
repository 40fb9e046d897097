"""JSON that cannot be read is named by its place; no archive writes outside its folder."""

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from bert_tf.conversion import files
from bert_tf.conversion.files import copy_tokenizer_files, read_json, unpacked
from bert_tf.errors import InputError


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1, column 1"),
        (b'{"a": 1,\n "b" 2}', "line 2, column 6"),
        (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
        (b"[1, 2]", "holds a JSON list, wanted an object"),
    ],
)
def test_json_that_cannot_be_read_is_named_by_place(tmp_path, content, message):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(InputError, match=f"config.json: .*{message}"):
        read_json(tmp_path / "config.json")


def test_a_missing_json_file_is_named(tmp_path):
    with pytest.raises(InputError, match="config.json: no such file"):
        read_json(tmp_path / "config.json")


def test_tokenizer_files_are_carried_and_weights_are_not(tmp_path):
    (tmp_path / "from").mkdir()
    (tmp_path / "to").mkdir()
    for name in ("vocab.txt", "tokenizer_config.json", "model.safetensors"):
        (tmp_path / "from" / name).write_text(name)
    copied = copy_tokenizer_files(tmp_path / "from", tmp_path / "to")
    assert sorted(copied) == ["tokenizer_config.json", "vocab.txt"]
    assert sorted(p.name for p in (tmp_path / "to").iterdir()) == sorted(copied)


def archive(tmp_path, members):
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return path


def test_an_archive_opens_at_the_folder_it_wraps_and_is_cleaned_up(tmp_path):
    path = archive(tmp_path, {"__MACOSX/x": "", "uncased_L-2/": "", "uncased_L-2/vocab.txt": "a"})
    with unpacked(path) as folder:
        assert (folder / "vocab.txt").read_text() == "a"
    assert not Path(folder).exists()


def test_an_error_inside_an_archive_names_the_archive(tmp_path):
    path = archive(tmp_path, {"config.json": "{"})
    with pytest.raises(InputError) as caught:
        with unpacked(path) as folder:
            read_json(folder / "config.json")
    assert str(caught.value).startswith(f"{path}/config.json: ")


@pytest.mark.parametrize("name", ["../out.txt", "/abs.txt", "a/../../out.txt", "..\\out.txt"])
def test_a_path_out_of_the_archive_is_refused(tmp_path, name):
    path = archive(tmp_path, {"fine.txt": "", name: "x"})
    with pytest.raises(InputError, match="leads out of the archive"):
        with unpacked(path):
            raise AssertionError("must not open")
    assert [p.name for p in tmp_path.iterdir()] == ["model.zip"]


def test_a_link_in_an_archive_is_refused(tmp_path):
    link = zipfile.ZipInfo("vocab.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(InputError, match="'vocab.txt', a link"):
        with unpacked(archive(tmp_path, {link: "/etc/hostname"})):
            raise AssertionError("must not open")


def test_an_archive_larger_than_the_disk_is_refused(tmp_path, monkeypatch):
    path = archive(tmp_path, {"vocab.txt": "x" * 1000})
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: type("Disk", (), {"free": 999}))
    with pytest.raises(InputError, match="unpacks to 1000 bytes, .* has 999 left"):
        with unpacked(path):
            raise AssertionError("must not open")


def test_an_archive_that_unpacks_to_far_more_than_weights_do_is_refused(tmp_path, monkeypatch):
    path = archive(tmp_path, {"vocab.txt": "x" * 1_000_000})
    monkeypatch.setattr(files, "BOMB_BYTES", 10_000)
    with pytest.raises(InputError, match="bytes that unpack to 1000000, wanted at most 100 times"):
        with unpacked(path):
            raise AssertionError("must not open")
    monkeypatch.setattr(files, "MEMBERS_LIMIT", 2)
    with pytest.raises(InputError, match="holds 3 files, wanted at most 2"):
        with unpacked(archive(tmp_path, {"a": "", "b": "", "c": ""})):
            raise AssertionError("must not open")


def test_an_encrypted_archive_says_so(tmp_path):
    path = archive(tmp_path, {"vocab.txt": "word"})
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the flag in the member's own header, and in the directory at the end
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="model.zip: damaged or unreadable archive: .*encrypted"):
        with unpacked(path):
            raise AssertionError("must not open")


def test_a_readme_beside_the_wrapping_folder_does_not_hide_the_model(tmp_path):
    members = {"README.md": "", "wrap/LICENSE": "", "wrap/model/config.json": "{}"}
    with unpacked(archive(tmp_path, members)) as folder:
        assert (folder / "config.json").is_file()
    with unpacked(archive(tmp_path, {"config.json": "{}", "generator/x.json": "{}"})) as folder:
        assert (folder / "config.json").is_file()


def test_a_name_in_an_archive_reaches_no_terminal_as_it_is(tmp_path):
    with pytest.raises(InputError) as caught:
        with unpacked(archive(tmp_path, {"../\x1b[2J" + "x" * 500: ""})):
            raise AssertionError("must not open")
    assert "\x1b" not in str(caught.value) and len(str(caught.value)) < 300


def test_a_damaged_archive_is_one_line(tmp_path):
    path = archive(tmp_path, {"vocab.txt": "word " * 1000})
    whole = path.read_bytes()
    inside = bytearray(whole)
    inside[45] ^= 0xFF
    for damaged in (b"", whole[:60], whole[:-5], bytes(inside)):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="model.zip: damaged") as caught:
            with unpacked(path):
                raise AssertionError("must not open")
        assert "\n" not in str(caught.value)


def test_a_path_with_nothing_there_is_named(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    for name, message in (("absent", "no such directory"), ("notes.txt", "wanted a model dir")):
        with pytest.raises(InputError, match=f"{name}: {message}"):
            with unpacked(tmp_path / name):
                raise AssertionError("must not open")


def tarred(tmp_path, members, name="model.tar.gz"):
    """An archive of name -> bytes, or a TarInfo as it is."""
    path = tmp_path / name
    with tarfile.open(path, "w:gz" if name.endswith("gz") else "w") as opened:
        for member, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                opened.addfile(content)
                continue
            entry = tarfile.TarInfo(member)
            entry.size = len(content)
            opened.addfile(entry, io.BytesIO(content))
    return path


@pytest.mark.parametrize("name", ["x.tar.gz", "x.tgz", "x.tar"])
def test_a_tar_opens_at_the_folder_it_wraps(tmp_path, name):
    path = tarred(tmp_path, {"bert/saved_model.pb": b"", "bert/variables/x": b"a"}, name)
    with unpacked(path) as folder:
        assert (folder / "saved_model.pb").is_file() and (folder / "variables/x").is_file()
    assert not Path(folder).exists()


@pytest.mark.parametrize("name", ["../out.txt", "/abs.txt", "a/../../out.txt"])
def test_a_path_out_of_a_tar_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="leads out of the archive"):
        with unpacked(tarred(tmp_path, {"fine.txt": b"", name: b"x"})):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["model.tar.gz"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    entry = tarfile.TarInfo("config.json")
    entry.type, entry.linkname = kind, "/etc/hostname"
    with pytest.raises(InputError, match="'config.json', a link; wanted plain files"):
        with unpacked(tarred(tmp_path, {"config.json": entry})):
            pass


@pytest.mark.parametrize("size", [0, 20, 90])
def test_a_damaged_tar_is_one_line(tmp_path, size):
    path = tarred(tmp_path, {"config.json": b"{}" * 500, "vocab.txt": bytes(range(250))})
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(InputError, match=r"model.tar.gz: damaged or unreadable archive") as caught:
        with unpacked(path):
            pass
    assert str(caught.value).isprintable()


def test_a_tar_of_more_than_any_model_holds_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "BOMB_BYTES", 10_000)
    with pytest.raises(InputError, match="that unpack to 1000000, wanted at most 100 times"):
        with unpacked(tarred(tmp_path, {"config.json": bytes(1_000_000), "x": b""})):
            pass
