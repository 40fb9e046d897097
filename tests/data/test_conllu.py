"""CoNLL-U: words, trees, and each bad line by its number."""

import pytest

from bert_tf.data import read_table
from bert_tf.data.conllu import read_conllu
from bert_tf.data.formats import guess_format, scan
from bert_tf.errors import InputError

WORD = "{}\t{}\t_\t_\t_\t_\t{}\t{}\t_\t_\n"


def sentences(tmp_path, *lines):
    path = tmp_path / "a.conllu"
    path.write_bytes(b"\xef\xbb\xbf" + "".join(lines).encode())
    assert guess_format(str(path)) == "conllu"
    return list(read_conllu(str(path)))


def test_what_a_whole_sentence_is_said_of_names_its_line(tmp_path):
    """Relations are strings of any kind to the reader; the table that numbers them speaks."""
    path, tree = tmp_path / "a.conllu", WORD.format(1, "can", 0, "root")
    path.write_text(f"# a comment\n{tree}\n\n# one more\n{tree}")
    kinds = {"text": "text", "heads": "numbers", "relations": "names"}

    def fault(cells):
        raise InputError("no")

    with pytest.raises(InputError, match=r"a\.conllu, sentence at line 2: no"):
        read_table(str(path), {name: name for name in kinds}, kinds, fault=fault)
    assert [x.line for x in scan(None, str(path), "conllu")] == [2, 6]


def test_words_heads_and_relations_without_ranges_and_empty_nodes(tmp_path):
    found = sentences(
        tmp_path,
        "# text = x\n",
        WORD.format("1-2", "cannot", "_", "_"),
        WORD.format(1, "can", 0, "root"),
        WORD.format(2, "not", 1, "advmod:neg"),
        WORD.format("2.1", "e", "_", "_"),
        "\r\n\n",
        WORD.format(1, "10 000", "_", "_"),
        WORD.format(2, "\u2028!", "_", "_"),
    )
    assert found == [
        {"text": "can not", "line": 3, "heads": [0, 1], "relations": ["root", "advmod:neg"]},
        {"text": "10\u00a0000 !", "line": 8},
    ]


@pytest.mark.parametrize(
    "line, message",
    [
        ("1\ta\n", "line 2: has 2 columns, wanted the 10 of CoNLL-U"),
        ("# text = a\r1\ta\r", "line 2: has CR within, wanted lines that end in LF or CR LF"),
        (WORD.format(3, "a", 0, "root"), "line 2: ID is '3', wanted 2"),
        (WORD.format(2, " ", 0, "root"), "line 2: FORM is empty"),
        (WORD.format(2, "a", "x", "root"), "line 2: HEAD is 'x', wanted 0 or the number of a word"),
        (WORD.format(2, "a", 3, "x"), "line 2: HEAD is 3, wanted 0 or the number of another word"),
        (WORD.format(2, "a", 2, "x"), "line 2: HEAD is 2, .*, 2 at most"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, message):
    with pytest.raises(InputError, match=message):
        sentences(tmp_path, WORD.format(1, "a", 0, "root"), line)
