"""Raw text becomes the same documents in every layout; damage has a place or a count."""

import gzip
import json
import lzma
import textwrap
import tracemalloc

import numpy as np
import pytest

from bert_tf import ConfigError, InputError
from bert_tf.pretraining_data.corpus import documents, layouts, text_files
from bert_tf.pretraining_data.corpus.documents import (
    Counts,
    documents_of_file,
    expand,
    read_documents,
)

SENTENCES = [["One is here.", "Two follows it."], ["Three stands alone."]]
LINES = "One is here.\nTwo follows it.\n\n\n  Three stands alone.  \n"
JSONL = '{"id": 1, "text": "One is here. Two\\tfollows it."}\n\n{"text": "Three stands alone."}\n'
DOC = (
    '<doc id="1" title="A &amp; B">\nA &amp; B\n\nOne is here.\nTwo follows it.\n\n</doc>\n'
    '<doc id="2" title="T">\nT\n\n</doc>\n<doc id="3">\nThree stands alone.\n</doc>\n'
)


def write(path, content, pack=lambda data: data):
    path.write_bytes(pack(content if isinstance(content, bytes) else content.encode()))
    return str(path)


NOTES = """\
milk and bread for the weekend
call the dentist
new tyres before the snow comes, ask Jim
birthday of Ann

meeting notes
budget not settled
who writes the report by Friday
next one in the small room
travel to Ghent

songs for the party
something old and slow
nothing by that band
the one with trumpets
anything Ann likes
loud ones late

books to give back
two to the library
one to Jim
"""
PROSE = [
    f"The {word} of the town were grey. " * 3 + "Nobody came. " * 9
    for word in ("walls", "roofs", "dogs", "birds")
]


def wrapped(text):
    return textwrap.fill(" ".join(text.split()), 60)


def read(path, *args, **options):
    found = list(read_documents([path], *args, **options))
    return [[" ".join(x.split()) for x in document.sentences] for document in found]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])
@pytest.mark.parametrize(
    "content", [LINES, JSONL, DOC, "\ufeff" + DOC, LINES.replace("\n", "\r\n")]
)
def test_every_layout_and_packing_is_known_by_the_content(tmp_path, content, pack):
    assert read(write(tmp_path / "x", content, pack)) == SENTENCES


def test_free_text_is_unwrapped_and_one_document(tmp_path):
    path = write(
        tmp_path / "book.txt", "CHAPTER I\n\nIt was a\ndark night. It\nrained\n\nThe end.\n"
    )
    assert read(path) == [["CHAPTER I", "It was a dark night.", "It rained", "The end."]]
    path = write(tmp_path / "zh.txt", "第一章\n\n天很黑，\n下雨了。他\n走 了\n")
    assert read(path, language="zh") == [["第一章", "天很黑，下雨了。", "他走 了"]]


def test_a_line_too_long_to_be_wrapped_is_a_paragraph(tmp_path):
    long = "word " * 30 + "end"
    assert read(write(tmp_path / "x.txt", f"{long}\nNext line\ngoes on\n")) == [
        [long, "Next line goes on"]
    ]


@pytest.mark.parametrize(
    "text, layout",
    [
        ("A b. C d.\nE f. G h.\nI j. K l.\n", "text"),  # paragraphs, each with more sentences
        ("wrapped by\nhand here\nas mails are.\n", "text"),
        ("One.\n\nTwo.\n\nThree.\n", "text"),
        ("One.\nTwo?\n“Three!”\n", "lines"),
        ("第一句。\n第二句！\n\n第三句。\n", "lines"),
        ("", "text"),
        (NOTES, "lines"),  # no line ends as sentences do
        (NOTES.replace("\n\n", "\n"), "text"),  # and nothing parts documents
        ("\n\n".join(map(wrapped, NOTES.split("\n\n") * 3)), "text"),
        ("\n\n".join(map(wrapped, PROSE)), "text"),
        ("\n\n".join(f"Title\n{paragraph}" for paragraph in PROSE), "text"),
        ("春眠不觉晓\n处处闻啼鸟\n夜来风雨声\n花落知多少" * 9, "text"),
        ("天气\n今天的天气很好，没有风\n早上\n有雾\n傍晚\n\n" * 9, "lines"),
    ],
)
def test_the_guess_between_lines_and_free_text(text, layout):
    assert layouts.guess_layout(text.encode()).layout == layout


def test_a_guess_is_logged_once_with_its_reason(tmp_path, caplog):
    paths = [write(tmp_path / name, NOTES) for name in "ab"]
    with caplog.at_level("INFO", "absl"):
        assert len(list(read_documents([*paths, write(tmp_path / "c", "Free text.")]))) == 5
        list(read_documents(paths, "lines"))
    found = [record.message for record in caplog.records if "read as" in record.message]
    assert found[0].startswith(f"{paths[0]}: read as lines (blank lines part it, and 10 of 14 ")
    assert found[1].startswith(f"{tmp_path}/c: read as text (no line has another one right below)")
    assert len(found) == 2


def test_a_layout_and_a_field_that_are_named_are_taken(tmp_path):
    assert read(write(tmp_path / "x.txt", LINES), "text") == [sum(SENTENCES, [])]
    path = write(tmp_path / "y.txt", json.dumps({"body": "Hi there.", "text": 3}))
    assert read(path, field="body") == [["Hi there."]]


def test_empty_documents_and_duplicates_are_left_out_and_counted(tmp_path):
    rows = ["Same here.", "", "Same here.", " \n ", "Other."]
    path = write(tmp_path / "x.jsonl", "".join(json.dumps({"text": x}) + "\n" for x in rows))
    counts = Counts()
    found = list(read_documents([path], counts=counts))
    assert [(x.number, x.sentences) for x in found] == [(0, ["Same here."]), (4, ["Other."])]
    assert (counts.documents, counts.empty, counts.duplicates, counts.sentences) == (2, 2, 1, 2)
    assert counts.bytes == (tmp_path / "x.jsonl").stat().st_size
    assert "2 empty documents, 1 duplicates" in str(counts)
    assert len(list(read_documents([path, path], duplicates="keep"))) == 6
    assert (counts + counts).documents == 4


DAMAGE = [
    (b"Good.\nB\xe4d here.\n", "lines", "line 2, byte 2 (byte 7 of the file)", "encoding_errors"),
    (b"Good.\nx\0y\n", None, "binary or UTF-16 (byte 7 is zero)", "binary_files"),
    ("Good.\n".encode("utf-16"), None, "binary or UTF-16", "binary_files"),
    (b'{"text": "Good."}\n{"text"}\n', None, "line 2: not JSON", "malformed"),
    (b'{"text": "Good."}\n[1]\n', None, "line 2: no text under the key 'text'", "malformed"),
    (b'{"text": "Good."}\n{"txt": 1}\n', None, "(txt)", "malformed"),
    (b'{"text": "a\\ud800"}\n', None, "half a surrogate pair", "encoding_errors"),
    (b"<doc id=1>\nGood.\n</doc>\n<doc id=2>\nCut\n", None, "line 4: <doc> without", "malformed"),
    (b"<doc id=1>\nGood.\n</doc>\nstray\n", None, "line 4: text outside", "malformed"),
    (gzip.compress(LINES.encode() * 9)[:-20], "lines", "damaged or truncated", "damaged_files"),
    (lzma.compress(LINES.encode() * 9)[:60], "lines", "damaged or truncated", "damaged_files"),
]


@pytest.mark.parametrize("content, layout, reason, kind", DAMAGE, ids=[x[2] for x in DAMAGE])
def test_damage_is_one_line_with_a_place_or_a_count(tmp_path, content, layout, reason, kind):
    path = write(tmp_path / "x", content)
    with pytest.raises(InputError) as error:
        read(path, layout)
    told = str(error.value)
    assert told.startswith(path) and reason in told and "\n" not in told
    counts = Counts()
    list(read_documents([path], layout, policy="skip", counts=counts))
    assert getattr(counts, kind) == 1


def test_a_doc_without_its_end_costs_no_other(tmp_path):
    docs = [f"<doc id={n}>\nText {n}.\n</doc>\n" for n in range(4)]
    docs[1] = docs[1].replace("</doc>\n", "")
    path, counts = write(tmp_path / "x", "".join(docs)), Counts()
    found = list(read_documents([path], "doc", policy="skip", counts=counts))
    assert [x.sentences for x in found] == [["Text 0."], ["Text 2."], ["Text 3."]]
    assert counts.malformed == 1


def test_a_line_of_50_megabytes_is_named_or_skipped_in_bounded_memory(tmp_path):
    path = tmp_path / "x.txt"
    with open(path, "wb") as file:
        file.write(b"Good.\n")
        for _ in range(50):
            file.write(b"x" * 1_000_000)
        file.write(b"\nFine.\nLast.\n")
    with pytest.raises(InputError, match=r"x.txt, line 2 \(byte 6\): 50000001 bytes long"):
        read(str(path), "lines")
    counts = Counts()
    tracemalloc.start()
    try:
        assert read(str(path), "lines", policy="skip", counts=counts) == [
            ["Good.", "Fine.", "Last."]
        ]
        assert tracemalloc.get_traced_memory()[1] < 3 * text_files.LONGEST_LINE
    finally:
        tracemalloc.stop()
    assert counts.long_lines == 1


def test_memory_does_not_grow_with_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(layouts, "LONGEST_DOCUMENT", 100_000)
    path = write(tmp_path / "x.txt", "Some sentence stands here.\n" * 80_000)
    peaks = []
    for layout in ("lines", "text"):
        tracemalloc.start()
        size = [sum(map(len, x.paragraphs)) for x in documents_of_file(path, layout)]
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(size) > 5 and max(size) < 2 * layouts.LONGEST_DOCUMENT
    assert max(peaks) < 1_500_000


@pytest.mark.parametrize("content, layout", [(LINES, "lines"), (JSONL, None), (DOC, None)])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_reading_begins_again_at_any_document(tmp_path, content, layout, pack):
    path = write(tmp_path / "x", content, pack)
    whole = list(documents_of_file(path, layout))
    for document in whole:
        again = list(documents_of_file(path, layout, start=document))
        assert again == whole[document.number :]


def test_a_text_that_was_cut_begins_again_at_the_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(layouts, "LONGEST_DOCUMENT", 40)
    text = "".join(f"Paragraph {i} is\nnot long.\n\n" for i in range(9))
    path = write(tmp_path / "x.txt", text)
    whole = list(documents_of_file(path, "text"))
    assert len(whole) > 3 and sum(len(x.paragraphs) for x in whole) == 9
    assert list(documents_of_file(path, "text", start=whole[2])) == whole[2:]


def test_expand_sorts_files_and_names_a_glob_without_any(tmp_path):
    for name in ("b.txt", "a.txt", "c,d.txt", "n/e.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path / name, "x")
    assert expand(f"{tmp_path}/[ab].txt,{tmp_path}/a*") == [
        f"{tmp_path}/{x}.txt" for x in ("a", "b")
    ]
    assert expand(f"{tmp_path}/c,d.txt") == [f"{tmp_path}/c,d.txt"]
    assert f"{tmp_path}/n/e.txt" in expand(f"{tmp_path}/**/*.txt")
    with pytest.raises(InputError, match=r"\*.zip': matches no file$"):
        expand(f"{tmp_path}/a*,{tmp_path}/*.zip")
    with pytest.raises(InputError, match="only a folder; its files are .*/n/\\*"):
        expand(f"{tmp_path}/n")


@pytest.mark.parametrize(
    "option", [{"layout": "xml"}, {"policy": "warn"}, {"language": "de"}, {"duplicates": "no"}]
)
def test_an_unknown_option_is_a_line_that_names_the_known_ones(tmp_path, option):
    path = write(tmp_path / "x", LINES)
    (name, value), *_ = option.items()
    with pytest.raises(ConfigError, match=f"{name}: {value!r}, wanted one of "):
        read(path, **option)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InputError, match="absent: cannot be read: No such file"):
        read(str(tmp_path / "absent"))
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read(str(tmp_path))


def test_the_set_of_digests_is_a_set():
    ours, theirs = documents.DigestSet(), set()
    values = np.random.default_rng(3).integers(2**64, size=9_000, dtype=np.uint64)
    for value in [*values.tolist(), *values[:3_000].tolist(), 2**64 - 1, 1 << 63]:
        assert ours.add(value) == (value not in theirs)
        theirs.add(value)
