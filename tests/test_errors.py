"""What a message shows of a file: one line that no terminal obeys."""

import pytest

from bert_tf.errors import InputError, hint, nearest, require_file_name, shown, shown_name


def test_control_characters_are_escaped_and_long_values_cut():
    assert shown("bert") == "'bert'" and shown(3) == "3"
    assert shown("\x1b[2J\n\u202e\ud800") == r"'\x1b[2J\n\u202e\ud800'"
    assert len(shown("x" * 1000)) == 80 and shown("x" * 1000).endswith("...")
    assert shown({"a": "x" * 100}, limit=12) == "{'a': 'xx..."


def test_names_are_bare_where_nothing_is_escaped():
    assert shown_name("bert/pooler") == "bert/pooler"
    assert shown_name("") == "''" and shown_name("a\nb") == r"'a\nb'"
    assert len(shown_name("x" * 1000)) == 80


def test_a_value_without_a_text_is_named_by_its_type():
    nested = []
    for _ in range(100_000):
        nested = [nested]
    assert shown(nested) == "list, too large to show"
    assert shown(10**5000) == "int, too large to show"


def test_the_nearest_name_is_offered_or_none():
    assert nearest("lerning_rate", ["learning_rate", "warmup"]) == "learning_rate"
    assert nearest("xyz", ["learning_rate", "warmup"]) is None
    assert nearest(12, iter(["120", "7"])) == "120"


def test_so_many_known_names_are_told_and_the_others_counted():
    names = [f"column{number}" for number in range(12)]
    assert hint("x", names, most=10).endswith("column8, column9 and 2 more")
    assert hint("x", names[:2], most=10) == "there are column0, column1"
    assert hint("x", [], most=10) == "there are none"


@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
def test_what_no_file_can_be_called_is_one_line(path):
    with pytest.raises(InputError, match="^'.*': is no name of a file$"):
        require_file_name(path)
    require_file_name("\udcff.txt")  # a byte that is not UTF-8, as the system hands it on
