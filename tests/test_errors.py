"""What a message shows of a file: one line that no terminal obeys."""

from bert_tf.errors import nearest, shown, shown_name


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
