"""Altered texts: what may be left of a text, and that a row is always the same."""

import numpy as np

from bert_tf import data
from bert_tf.data.augmented import AugmentedTable, altered
from tests.tables import read_table


def test_words_are_left_out_exchanged_or_taken_in_part():
    text = "a b c d e f g h"
    still = np.full(13, 0.5)
    assert altered(text, np.r_[0.9, 0, 0, 0, 0, still]) == text
    assert altered(text, np.r_[0.9, 0, 0, 0, 0.99, still]) == "h b c d e f g a"
    assert altered(text, np.r_[0.1, 0.5, 0.99, 0, 0, still]) == "f g h"
    assert altered(text, np.r_[0.9, 0, 0, 0, 0, [0.05, 0.5] * 6]) == "b d f h"
    assert altered(text, np.r_[0.9, 0, 0, 0, 0, np.zeros(13)]) == "a"
    assert altered("好电影", np.r_[0.9, 0, 0, 0, 0.99, 0.5, 0.5, 0.5]) == "影电好"
    assert altered("", np.zeros(5)) == "" and altered("a", np.zeros(6)) == "a"


def test_a_copy_is_a_function_of_its_number_and_the_seed(tmp_path):
    rows = [("the end is not very good", "x"), ("one two three", "y")]
    path = tmp_path / "rows.tsv"
    path.write_text("text\tlabel\n" + "".join("\t".join(row) + "\n" for row in rows))
    table = read_table(path)
    copies = AugmentedTable(table, 20, 3)
    assert len(copies) == 40
    all_at_once = copies.cells(np.arange(40))["text"]
    one_by_one = [copies.cells([row])["text"][0] for row in range(39, -1, -1)]
    assert all_at_once == one_by_one[::-1] and all(all_at_once)
    assert len({*all_at_once[::2]}) > 5
    assert all({*found.split()} <= {*rows[0][0].split()} for found in all_at_once[::2])
    assert AugmentedTable(table, 20, 4).cells(np.arange(40))["text"] != all_at_once


def test_a_name_such_as_that_of_a_language_is_no_text_to_alter(tmp_path):
    (tmp_path / "rows.tsv").write_text("text\tlanguage\nthe end\ten\na film\tzh\n")
    kinds = {"text": "text", "language": "name"}
    table = data.read_table(str(tmp_path / "rows.tsv"), dict(zip(kinds, kinds, strict=True)), kinds)
    cells = AugmentedTable(table, 20, 3).cells(np.arange(40))
    assert cells["language"] == ["en", "zh"] * 20 and len({*cells["text"]}) > 4
