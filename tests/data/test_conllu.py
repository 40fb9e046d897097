"""CoNLL-U: words, trees, and each bad line by its number."""

import pytest

from bert_tf.data.conllu import read_conllu
from bert_tf.data.formats import guess_format
from bert_tf.errors import InputError

WORD = "{}\t{}\t_\t_\t_\t_\t{}\t{}\t_\t_\n"


def sentences(tmp_path, *lines):
    path = tmp_path / "a.conllu"
    path.write_bytes(b"\xef\xbb\xbf" + "".join(lines).encode())
    assert guess_format(str(path)) == "conllu"
    return list(read_conllu(str(path)))


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
        {"text": "can not", "heads": [0, 1], "relations": ["root", "advmod:neg"]},
        {"text": "10\u00a0000 !"},
    ]


@pytest.mark.parametrize(
    "line, message",
    [
        ("1\ta\n", "line 2: has 2 columns, wanted the 10 of CoNLL-U"),
        (WORD.format(3, "a", 0, "root"), "line 2: ID is '3', wanted 2"),
        (WORD.format(2, " ", 0, "root"), "line 2: FORM is empty"),
        (WORD.format(2, "a", "x", "root"), "line 2: HEAD is 'x', wanted 0 or the number of a word"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, message):
    with pytest.raises(InputError, match=message):
        sentences(tmp_path, WORD.format(1, "a", 0, "root"), line)
