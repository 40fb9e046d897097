"""Labels beside a text reach the tokens and the rows that they are about, and no others."""

import json

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.errors import ConfigError, InputError
from bert_tf.pretraining_data.corpus import corpus_plan, label_columns
from bert_tf.pretraining_data.corpus.corpus_plan import Reading
from bert_tf.pretraining_data.records import schema
from bert_tf.pretraining_data.records.shards import RecordSettings, ShardMaker
from tests import tiny

# Words of several pieces, of one, and one with a space in it; a tag that nobody knows.
TAGGED = [
    {"text": ["the", "zebra", "is", "good"], "tags": ["O", "N", "O", None], "mood": "good"},
    {"text": ["very", "bad", "the  film", "!"], "tags": ["O", "O", "N", "O"], "mood": "bad"},
    {"text": ["an", "actor"], "tags": ["O", "N"]},
    {"text": "two good films .", "mood": "good"},
]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("tokenizer") / "t")


def written(tmp_path, rows):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [str(path)]


def classes_in(tmp_path, rows, **columns):
    classes = label_columns.Classes(columns, None)
    corpus_plan.plan(written(tmp_path, rows), Reading(labels=columns), 1, False, classes)
    return classes.found()


def made(tmp_path, tokenizer, rows, columns, objective="none", max_length=32, **settings):
    """The records of rows as arrays of numpy, and the names of the classes."""
    files = written(tmp_path, rows)
    settings = RecordSettings(
        max_length=max_length,
        sentence_objective=objective,
        reading=Reading(labels=dict.fromkeys(columns, ()), duplicates="keep"),
        **settings,
    )
    classes = label_columns.Classes(settings.reading.labels, tokenizer)
    plans, _ = corpus_plan.plan(files, settings.reading, 1, settings.paired, classes)
    path, classes = str(tmp_path / "shard.tfrecord"), classes.found()
    told = ShardMaker(files, tokenizer, settings, classes).write(path, 0, plans[0])
    messages = list(tf.data.TFRecordDataset(path).as_numpy_iterator())
    parsed = schema.parse(tf.constant(messages), settings.features_with(classes))
    names = {name: label.get("names") for name, label in classes.items()}
    return {name: values.numpy() for name, values in parsed.items()}, names, told["counts"]


def test_the_first_piece_of_a_word_has_its_tag_and_nothing_else_has(tmp_path, tokenizer):
    arrays, names, counts = made(tmp_path, tokenizer, TAGGED, ["tags", "mood"])
    wanted = {}
    for row in TAGGED:
        words = row["text"] if isinstance(row["text"], list) else row["text"].split()
        pieces = [tokenizer.tokenize(word) for word in words]
        tags = [-1]
        for tag, some in zip(row.get("tags", [None] * len(words)), pieces, strict=True):
            tags += [names["tags"].index(tag) if tag else -1] + [-1] * (len(some) - 1)
        text = tuple(piece for some in pieces for piece in some)
        mood = names["mood"].index(row["mood"]) if "mood" in row else -1
        wanted[text] = np.pad(tags, (0, 32 - len(tags)), constant_values=-1).tolist(), [mood]
    found = {}
    for ids, mask, tags, mood in zip(
        *(arrays[name] for name in ("input_ids", "input_mask", "tags", "mood")), strict=True
    ):
        pieces = [tokenizer.vocabulary[number] for number in ids[1 : mask.sum() - 1]]
        found[tuple(pieces)] = tags.tolist(), mood.tolist()
    assert found == wanted
    assert names == {"tags": ["N", "O"], "mood": ["bad", "good"]}
    assert (counts["labelled_tags"], counts["labelled_mood"]) == (9, 3)


def test_rows_cut_from_a_long_text_keep_all_its_tags_and_its_label(tmp_path, tokenizer):
    words = (["good", "film"] * 20)[:37]
    row = {"text": words, "tags": [int(word == "film") for word in words], "mood": "good"}
    arrays, _, _ = made(
        tmp_path,
        tokenizer,
        [row, {"text": "bad", "mood": "bad"}],
        ["tags", "mood"],
        max_length=10,
    )
    assert np.count_nonzero(arrays["tags"] == 1) == 18 and (arrays["tags"] == 0).sum() == 19
    films = arrays["input_ids"] == tokenizer.vocabulary.index("film")
    np.testing.assert_array_equal(arrays["tags"] == 1, films)
    assert sorted(arrays["mood"][:, 0]) == [0, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("objective", ["next_sentence", "sentence_order_3", "sentence_order"])
def test_a_row_of_two_documents_has_no_label_and_others_have_theirs(tmp_path, tokenizer, objective):
    numbers = np.random.default_rng(0)
    rows = []
    for place in range(60):
        mood = ("bad", "good")[place % 2]
        sentences = [" ".join(numbers.choice(["film", "story"], 6)) + f" {mood} ." for _ in "12345"]
        rows.append({"text": "\n".join(sentences), "mood": mood})
    arrays, names, _ = made(tmp_path, tokenizer, rows, ["mood"], objective)
    relation, mood = arrays["next_sentence_labels"][:, 0], arrays["mood"][:, 0]
    apart = relation == {"next_sentence": 1, "sentence_order_3": 2}.get(objective, 9)
    assert apart.any() == (objective != "sentence_order") and not apart.all()
    assert (mood[apart] == -1).all()
    for number, name in enumerate(names["mood"]):
        has = (arrays["input_ids"] == tokenizer.vocabulary.index(name)).any(axis=1)
        assert (mood[~apart & has] == number).all() and (~apart & has).any()


def test_masked_rows_keep_their_tags(tmp_path, tokenizer):
    from bert_tf.config import Masking

    plain, _, _ = made(tmp_path, tokenizer, TAGGED, ["tags"])
    masked, _, _ = made(tmp_path, tokenizer, TAGGED, ["tags"], masking=Masking(max_predictions=5))
    np.testing.assert_array_equal(masked["tags"], plain["tags"])
    assert masked["masked_lm_weights"].any()


def test_classes_are_numbered_by_number_if_all_are_and_else_by_name(tmp_path):
    rows = [{"text": str(n), "stars": n, "kind": kind} for n, kind in enumerate("cab" * 4)]
    assert classes_in(tmp_path, rows, stars=(), kind=("c", "b", "a", "unseen")) == {
        "stars": {"of": "sentence", "names": [str(number) for number in range(12)]},
        "kind": {"of": "sentence", "names": ["c", "b", "a", "unseen"]},
    }


@pytest.mark.parametrize(
    "row, told",
    [
        ({"text": "a b", "x": ["O", "O"]}, "line 2: label 'x' is a list, and the text is not"),
        ({"text": ["a", "b"], "x": ["O"]}, "line 2: label 'x' has 1 classes for 2 words"),
        ({"text": "a", "x": 1.5}, "line 2: label 'x' holds 1.5, wanted the name of a class"),
        ({"text": "a", "x": True}, "line 2: label 'x' holds True"),
        ({"text": "a", "x": -1}, "line 2: label 'x' holds -1"),
        ({"text": "a", "x": " "}, "line 2: label 'x' holds ' '"),
        ({"text": "a", "x": "\ud800"}, "line 2: label 'x' holds '\\ud800', wanted the name"),
        ({"text": ["a"], "x": ["O"]}, "line 2: label 'x' is of a token, and before of a sentence"),
        ({"text": "a", "x": None}, "label 'x': has 'yes' alone, wanted two classes"),
    ],
)
def test_what_is_no_label_is_named_by_line(tmp_path, row, told):
    rows = [{"text": "some text", "x": "yes"}, row]
    with pytest.raises(InputError) as caught:
        classes_in(tmp_path, rows, x=())
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_a_damaged_label_is_left_out_and_counted_under_skip(tmp_path):
    rows = [{"text": "a", "x": 0}, {"text": "b", "x": 1}, {"text": "c", "x": [1, 2]}]
    reading = Reading(policy="skip", labels={"x": ()})
    _, counts = corpus_plan.plan(written(tmp_path, rows), reading, 1, False)
    assert (counts.documents, counts.malformed) == (2, 1)


def test_a_class_that_was_not_told_and_a_key_that_no_text_has_are_named(tmp_path):
    rows = [{"text": "a", "x": "yes"}, {"text": "b", "x": "no"}]
    with pytest.raises(InputError, match="line 2: label 'x' holds 'no', wanted one of yes, maybe"):
        classes_in(tmp_path, rows, x=("yes", "maybe"))
    with pytest.raises(InputError, match="label 'z': no text has one under this key"):
        classes_in(tmp_path, rows, z=())


@pytest.mark.parametrize(
    "settings, told",
    [
        ({"labels": {"input_ids": ()}}, "'input_ids' is the name of something that every record"),
        ({"labels": {"text": ()}}, "'text' is the name of the text"),
        ({"labels": {"x": ()}, "layout": "lines"}, "layout: 'lines', wanted jsonl"),
    ],
)
def test_labels_that_cannot_be_are_refused_before_anything_is_read(settings, told):
    with pytest.raises(ConfigError, match=told):
        Reading(**settings)
