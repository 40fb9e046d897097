"""Where a task's columns are: what cannot be left out, and a hint that stays short."""

import pytest

from bert_tf.config import DataSection
from bert_tf.data.places import column_hint, columns_of, places_of
from bert_tf.errors import ConfigError
from bert_tf.outlines import OUTLINES

FILES = {"train": "a.tsv", "validation": "b.tsv", "test": "c.tsv"}


def columns(task, measured=None, **settings):
    section = DataSection(**FILES, **settings)
    return columns_of(section, OUTLINES[task], measured and getattr(section, measured))


@pytest.mark.parametrize(
    ("task", "measured", "settings", "key"),
    [
        ("sequence_classification", *["validation_columns", {"text": None}], "text"),
        ("sequence_classification", *["test_columns", {"label": None}], "label"),
        ("multiple_choice", *["validation_columns", {"choices": None}], "choices"),
        ("question_answering", *["columns", {"question": None}], "question"),
        ("seq2seq", *["columns", {"target": None}], "target"),
    ],
)
def test_null_for_a_column_that_the_task_needs_is_refused_by_its_key(task, measured, settings, key):
    told = f"^data.{measured}.{key} is null, wanted a column: the task cannot do without it$"
    with pytest.raises(ConfigError, match=told):
        given = measured if measured != "columns" else None
        columns(task, given, **{measured: settings})


def test_a_pair_of_which_one_column_alone_is_told_is_refused():
    with pytest.raises(ConfigError, match="^data.text_pair is null, wanted a column"):
        columns("reranking", text="question")


@pytest.mark.parametrize("settings", [{"label": "text"}, {"text_pair": "label"}, {"text": "label"}])
def test_labels_that_are_the_texts_are_refused(settings):
    with pytest.raises(ConfigError, match="^label: '(text|label)', and text(_pair)? is read there"):
        columns("sequence_classification", **settings)


@pytest.mark.parametrize("name", ["negative", "negatives", "score"])
def test_what_says_something_of_a_pair_alone_is_refused_without_one(name):
    with pytest.raises(ConfigError, match=f"^{name}: 'n', and text_pair is null, wanted both$"):
        columns("sentence_embedding", columns={name: "n", "category": "kind"})
    pair = columns("sentence_embedding", columns={name: "n"}, text_pair="other")
    assert pair[name] == "n"


def test_null_for_a_column_that_may_be_absent_is_none():
    given = {"validation_columns": {"text_pair": None}}
    found = columns("sequence_classification", "validation_columns", text_pair="b", **given)
    assert found == {"text": "text", "text_pair": None, "label": "label"}


def test_texts_without_labels_have_places_and_labels_without_texts_have_not():
    task, given = OUTLINES["sequence_classification"], {"text_pair": None}
    assert places_of(task, {"text": "a", "label": None, **given})["label"] is None
    with pytest.raises(ConfigError, match="^text is null, wanted a column"):
        places_of(task, {"text": None, "label": "b", **given})


def test_a_hint_about_a_damaged_header_stays_short():
    told = column_hint("text", [f"{number} {'x' * 200}" for number in range(50)])
    assert len(told) < 400 and told.endswith("... and 40 more")
