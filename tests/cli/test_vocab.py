"""bert-tf vocab: what it writes and prints; which flags do not go together."""

import gzip
import json

import pytest

from bert_tf import Tokenizer, cli
from tests import tiny

TEXT = "the film is good\nthe actor is new\n\na newer film begins\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    directory = tmp_path_factory.mktemp("model")
    tiny.save(directory)
    return directory


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(TEXT.encode()))
    return path


def test_a_vocabulary_is_trained_and_told_of(text, tmp_path, capsys):
    out = tmp_path / "v"
    argv = [f"--input={tmp_path}/*.gz", f"--output={out}", "--size=50", "--lowercase"]
    assert cli.main(["vocab", *argv, "--min_frequency=1", "--unused=2"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["entries"] == 50 and told["files"] == 1 and told["bytes"] == len(TEXT)
    tokenizer = Tokenizer.from_pretrained(out)
    assert tokenizer.vocabulary[5:7] == ["[unused0]", "[unused1]"]
    assert tokenizer.tokenize("THE") == tokenizer.tokenize("the")


def test_whole_words_are_the_most_frequent_ones_and_others_unknown(text, tmp_path, capsys):
    out = tmp_path / "v"
    argv = [f"--input={text}", f"--output={out}", "--kind=word", "--min_frequency=2", "--size=8"]
    assert cli.main(["vocab", *argv]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["new_entries"] == 3 and told["unknown_words"] == round(6 / 12, 6)
    tokenizer = Tokenizer.from_pretrained(out)
    assert tokenizer.vocabulary[5:] == ["film", "is", "the"]
    assert tokenizer.tokenize("the films film") == ["the", "[UNK]", "film"]
    argv[3] = "--min_frequency=9"
    assert cli.main(["vocab", *argv[:1], f"--output={tmp_path / 'w'}", *argv[2:]]) == 1
    assert "no word that occurs 9 times" in capsys.readouterr().err


def test_a_model_is_trimmed_and_extended(model, text, tmp_path, capsys):
    argv = ["vocab", f"--model={model}", f"--input={text}"]
    assert cli.main([*argv, f"--output={tmp_path / 's'}", "--trim", "--min_frequency=1"]) == 0
    assert json.loads(capsys.readouterr().out)["entries_before"] == len(tiny.vocabulary())
    size = len(tiny.vocabulary()) + 4
    grown = [f"--output={tmp_path / 'l'}", f"--size={size}", "--min_frequency=1"]
    assert cli.main([*argv, *grown]) == 0
    assert json.loads(capsys.readouterr().out)["new_entries"] == 4
    assert cli.main(["evaluate", f"--model={tmp_path / 'l'}", f"--data={labelled(tmp_path)}"]) == 0


def labelled(tmp_path):
    path = tmp_path / "dev.tsv"
    path.write_text("text\tlabel\nthe film is new\tgood\n")
    return path


@pytest.mark.parametrize(
    "flags, reason",
    [
        (["--size=many"], "--size is 'many', wanted a whole number"),
        (["--size=3"], "size: 3, wanted more than the 5 entries"),
        (["--min_frequency=0"], "min_frequency: 0, wanted 1 or more"),
        (["--trim"], "--trim says nothing here"),
        (["--vectors=v.txt"], "--vectors says nothing here"),
        (["--model=m", "--lowercase", "--size=9"], "--lowercase says nothing here"),
        (["--model=m", "--trim", "--size=9"], "--size says nothing here"),
        (["--model=m"], "--size=N is missing"),
        (["--layout=xml"], "layout: 'xml', wanted one of lines, text, jsonl, doc"),
        (["--policy=no"], "policy: 'no', wanted one of fail, skip"),
        (["--size=" + "9" * 5000], "999..., wanted a whole number from 0 to 2147483647"),
        (["--field=zz"], "is 'zz', and no file of"),
        (["--field=zz", "--layout=doc"], "--field is 'zz', and --layout doc has no keys"),
        (["--kind=unigram", "--min_frequency=3"], "--min_frequency says nothing here"),
        (["--sise=9"], "did you mean --size?"),
        (["--input="], "--input is empty, wanted GLOB"),
    ],
)
def test_wrong_flags_are_one_line(text, tmp_path, capsys, flags, reason):
    argv = ["vocab", f"--input={text}", f"--output={tmp_path / 'out'}", *flags]
    assert cli.main(argv) == 2
    told = capsys.readouterr().err
    assert reason in told and told.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name, content, reason",
    [
        ("no.txt", None, "matches no file"),
        ("bad.txt", b"fine\nb\xe4d\n", "bad.txt, line 2, byte 2"),
        ("pic.png", b"\x89PNG\0\0", "pic.png: binary or UTF-16"),
        ("long.txt", b"x" * 20_000_000, "long.txt, line 1 (byte 0): 20000000 bytes long"),
        ("empty.txt", b"\n\n", "the texts hold no word"),
    ],
)
def test_input_that_cannot_be_used_is_one_line(tmp_path, capsys, name, content, reason):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    argv = ["vocab", f"--input={tmp_path / name}", f"--output={tmp_path / 'out'}"]
    assert cli.main(argv) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("bert-tf vocab: ") and reason in last
    assert not (tmp_path / "out").exists()


def test_damage_is_skipped_and_counted_when_asked(tmp_path, capsys):
    (tmp_path / "a.txt").write_bytes(TEXT.encode() * 3 + b"\nb\xe4d\n")
    (tmp_path / "b.txt").write_bytes(b"\0")
    argv = ["vocab", f"--input={tmp_path}/*.txt", f"--output={tmp_path / 'v'}", "--policy=skip"]
    assert cli.main([*argv, "--size=40"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["encoding_errors"] == 1 and told["binary_files"] == 1


def test_help_explains_every_flag(capsys):
    assert cli.main(["vocab", "--help"]) == 0
    told = capsys.readouterr().out
    assert (
        "--lowercase " in told
        and "--vectors=FILE" in told
        and max(map(len, told.split("\n"))) < 100
    )


def test_what_is_read_says_nothing_where_vectors_alone_are(model, tmp_path, capsys):
    argv = [f"--model={model}", "--vectors=v.txt", f"--output={tmp_path / 'out'}"]
    for flag in ("--layout=lines", "--field=a", "--policy=skip"):
        assert cli.main(["vocab", *argv, flag]) == 2
        assert f"{flag.partition('=')[0]} says nothing here" in capsys.readouterr().err
