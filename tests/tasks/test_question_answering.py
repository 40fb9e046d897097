"""Question answering: labels and spans in characters, windows merged, thresholds, faults."""

import json

import numpy as np
import pytest
import tensorflow as tf

from bert_tf import ExtractiveQA, build_encoder
from bert_tf.data.readers import read_table
from bert_tf.data.windowed import WindowedTable
from bert_tf.errors import InputError
from bert_tf.export import answer_with
from tests import tiny

KINDS = {"question": "text", "context": "text", "answers": "answers"}
PLACES = {name: name for name in KINDS}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("tokenizer") / "v")


@pytest.fixture(scope="module")
def model():
    model = ExtractiveQA(build_encoder(tiny.config(initializer_range=0.5)))
    model.data_settings = {"max_length": 16, "overlap": 4}
    return model


def features(tokenizer, cells, **settings):
    settings = {"max_length": 16, "padding": "longest", "overlap": 4, **settings}
    return ExtractiveQA.features(cells, tokenizer, settings)


def labels_of(tokenizer, context, start, end):
    cells = {"question": ["is ?"], "context": [context], "answers": [[start, end]]}
    inputs, labels = features(tokenizer, {x: tf.constant(y) for x, y in cells.items()})
    pairs = zip(labels["start_positions"].numpy(), labels["end_positions"].numpy(), strict=True)
    return inputs, [tuple(map(int, pair)) for pair in pairs]


def test_labels_are_the_tokens_that_the_answer_touches_in_windows_that_hold_all_of_it(tokenizer):
    context = "a good film . the story is not very bad . the end was good , the actor is bad"
    inputs, labels = labels_of(tokenizer, context, 18, 31)  # "story is not "
    offsets = inputs["offsets"].numpy()
    assert len(labels) > 1
    for window, (first, last) in enumerate(labels):
        spans = [tuple(x) for x in offsets[window].tolist()]
        if (18, 23) in spans and (27, 30) in spans:
            assert (spans[first][0], spans[last][1]) == (18, 30)
        else:
            assert (first, last) == (0, 0)
    assert any(labels[0]) or any(labels[1])
    # From within one word to within another, and where there is none.
    inputs, [(first, last)] = labels_of(tokenizer, "a good film", 3, 8)
    assert inputs["offsets"][0, first].numpy().tolist() == [2, 6]
    assert inputs["offsets"][0, last].numpy().tolist() == [7, 11]
    assert labels_of(tokenizer, "a good film", -1, -1)[1] == [(0, 0)]


def brute_force(outputs, inputs, longest):
    """Every span of each text with its score, from the window in which its middle is owned."""
    offsets, owned = inputs["offsets"].numpy(), inputs["owned"].numpy()
    found = {}
    for window, row in enumerate(inputs["rows"].numpy()):
        for i, j in np.ndindex(offsets.shape[1], offsets.shape[1]):
            inside = offsets[window, i, 1] > 0 and offsets[window, j, 1] > 0
            if inside and i <= j < i + longest and owned[window, (i + j) // 2]:
                span = (int(row), int(offsets[window, i, 0]), int(offsets[window, j, 1]))
                assert span not in found  # each counts once
                score = outputs["start_logits"][window, i] + outputs["end_logits"][window, j]
                found[span] = float(score)
    return found


def test_the_best_spans_and_their_probabilities_are_those_of_all_spans(tokenizer, model):
    contexts = [
        "a good film . the story is not very bad . the end was good ",
        "good",
        "a b c d e f",
    ]
    cells = {"question": tf.constant(["is ?", "the", ""]), "context": tf.constant(contexts)}
    inputs, _ = features(tokenizer, cells)
    outputs = model(inputs)
    nothing = outputs["start_logits"][:, 0] + outputs["end_logits"][:, 0]
    for longest, unanswerable in ((3, None), (30, True)):
        asked = ExtractiveQA(model.encoder, unanswerable, max_answer_length=longest)
        answer = asked.answer(outputs, inputs, cells, tokenizer, top=4)
        spans = brute_force(outputs, inputs, longest)
        for row in range(3):
            own = {span[1:]: score for span, score in spans.items() if span[0] == row}
            total = sum(map(np.exp, own.values()))
            if unanswerable:
                alone = np.exp(min(nothing.numpy()[inputs["rows"].numpy() == row]))
                total += alone
                np.testing.assert_allclose(answer["no_answer"][row], alone / total, rtol=1e-4)
                best_is_none = alone > np.exp(max(own.values()))
                assert (answer["answer"][row].numpy() == b"") == best_is_none
            best = sorted(own, key=own.get, reverse=True)[:4]
            got = zip(*(answer[x][row].numpy().tolist() for x in ("starts", "ends")), strict=True)
            assert list(got)[: len(best)] == best
            want = [np.exp(own[span]) / total for span in best]
            np.testing.assert_allclose(answer["scores"][row][: len(best)], want, rtol=1e-4)
            record = asked.record({name: x.numpy()[row] for name, x in answer.items()})
            told = [(x["answer"], x["start"], x["end"]) for x in record["alternatives"]]
            assert told == [(contexts[row][i:j], i, j) for i, j in best]


def test_a_short_span_of_a_long_text_counts_once_whatever_window_it_is_in(tokenizer):
    letters = "a b c d e f g h i j k l m n o p q r s t u v w x y z"
    cells = {"question": tf.constant(["is ?"]), "context": tf.constant([letters])}
    for overlap in (0, 1, 3, 4, 5):
        inputs, _ = features(tokenizer, cells, overlap=overlap)
        length = inputs["offsets"].shape[1]
        zeros = {x: tf.zeros([len(inputs["rows"]), length]) for x in ("start_logits", "end_logits")}
        longest = max(overlap, 1)
        spans = brute_force(zeros, inputs, longest)
        assert len(spans) == sum(26 - size for size in range(longest))


def test_texts_of_every_kind_are_cut_where_the_offsets_say(tokenizer, model, caplog):
    ask = answer_with(model, tokenizer)
    contexts = [
        "🎬 good 🎬🎬 film 👩‍👩‍👧 the end",
        "这部电影很好看。the film",
        "Café naïve e\u0301te\u0301 ÅNGSTRÖM good",
        "a\0b good\0 film\0",
        " \t\n good \u00a0 film \u2028 ",
        "good film " * 40,
        "",
        " ",
        "ﬁne İstanbul \ufeffgood\u200b film",
    ]
    for question in ("is the film good ?", "", "🎬?", "very " * 30):
        for context, found in zip(contexts, ask.records([question] * 9, contexts), strict=True):
            if context.strip():
                assert found["start"] >= 0 and found["answer"]
                assert found["answer"] == context[found["start"] : found["end"]]
                assert 0 < found["score"] <= 1
            else:
                assert found == {"answer": "", "start": -1, "end": -1, "score": 0.0}
    told = "max_length 16: of 9 rows that were looked at 9 have a question of more than 8 tokens"
    assert told in caplog.text
    ask.records(["very " * 30], ["the end"])
    assert caplog.text.count("are cut there") == 1


def table_of(tmp_path, rows):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_table(path, PLACES, KINDS, "jsonl", fault=ExtractiveQA.fault)


ROWS = [
    {
        "question": "a",
        "context": "🎬 the good film",
        "answers": [{"text": "good", "answer_start": 6}],
    },
    {"question": "b", "context": "the end", "answers": {"text": ["end"], "answer_start": [4]}},
    {"question": "c", "context": "the end", "answers": [{"text": "end", "answer_start": 3}]},
    {"question": "d", "context": "the end", "answers": [{"text": " ", "answer_start": 3}]},
    {"question": "e", "context": "the end", "answers": {"text": [], "answer_start": []}},
]


def test_answers_that_are_not_at_their_offsets_are_counted_and_not_trained_on(tmp_path):
    table = table_of(tmp_path, ROWS)
    assert {reason[:25]: list(rows) for reason, rows in table.faults.items()} == {
        "the answer is not in the ": [2],
        "the answer is empty; a qu": [3],
    }
    assert table.sound().cells(np.arange(3))["question"] == ["a", "b", "e"]
    assert ExtractiveQA.arguments_of(table) == {"unanswerable": True}
    assert ExtractiveQA.arguments_of(table.subset(np.arange(4))) == {}
    assert ExtractiveQA.arguments_of(WindowedTable(table, np.arange(1, 6))) == {
        "unanswerable": True
    }


@pytest.mark.parametrize(
    "answers",
    (
        "good",
        ["good"],
        [{"text": "good"}],
        [{"text": "good", "answer_start": "3"}],
        {"text": ["good"], "answer_start": []},
        {"text": ["good"]},
        None,
    ),
)
def test_answers_of_another_shape_are_one_line_that_says_where(tmp_path, answers):
    with pytest.raises(InputError, match=r"a.jsonl, line 2: key 'answers' is .*, wanted a list of"):
        table_of(tmp_path, [ROWS[0], {**ROWS[0], "answers": answers}])


def test_figures_are_those_of_the_best_span_over_a_rows_windows(tmp_path):
    table = table_of(tmp_path, [ROWS[0], ROWS[1], ROWS[4]])
    table = WindowedTable(table, np.array([2, 1, 2]))
    model = ExtractiveQA(build_encoder(tiny.config()), unanswerable=True)
    # Windows come in batches of any order: score, start, end, score of none.
    numbers = [np.array([4, 0, 2]), np.array([1, 3])]
    first = [np.array(x) for x in ([1.0, 2.0, 5.0], [4, 2, 0], [7, 5, 3], [3.0, -9.0, 4.0])]
    second = [np.array(x) for x in ([3.0, 0.5], [6, 4], [10, 7], [-9.0, 2.5])]
    found = model.final_metrics([first, second], [], numbers, table)
    assert found["rows"] == 3
    # "good" is right, "the" is not "end", none is right at 2.5 - 1.0 > 0.
    np.testing.assert_allclose(found["exact_match"], 200 / 3)
    assert found["HasAns_total"] == 2 and found["NoAns_exact"] == 100
    assert found["best_f1_thresh"] <= 1.5
    always = ExtractiveQA(build_encoder(tiny.config()))
    np.testing.assert_allclose(
        always.final_metrics([first, second], [], numbers, table)["exact_match"], 100 / 3
    )
    broken = [*second[:3], np.array([np.nan, 0.0])]
    with pytest.raises(InputError, match="1 of 5 windows is not a finite number"):
        model.final_metrics([first, broken], [], numbers, table)


@pytest.mark.parametrize(
    "arguments, message",
    (
        ({"unanswerable": "yes"}, "unanswerable: 'yes', wanted true or false"),
        ({"no_answer_threshold": 1.0}, "no_answer_threshold: 1.0, wanted null without"),
        (
            {"unanswerable": True, "no_answer_threshold": float("nan")},
            "no_answer_threshold: nan, wanted a finite number",
        ),
        ({"max_answer_length": 0}, "max_answer_length: 0, wanted a whole number, 1 or more"),
    ),
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(InputError, match=message):
        ExtractiveQA(build_encoder(tiny.config()), **arguments)


def test_the_threshold_decides_when_nothing_is_the_answer(tokenizer, model):
    cells = {"question": tf.constant(["is ?"]), "context": tf.constant(["the good film"])}
    inputs, _ = features(tokenizer, cells)
    asked, found = ExtractiveQA(model.encoder, unanswerable=True), []
    for threshold in (-1000, 1000):
        asked.no_answer_threshold = threshold
        answer = asked.answer(asked(inputs), inputs, cells, tokenizer)
        found.append(asked.record({name: x.numpy()[0] for name, x in answer.items()}))
    assert found[0]["answer"] == "" and found[0]["start"] == -1
    assert found[0]["score"] == found[0]["no_answer"]
    assert found[1]["answer"] and found[1]["no_answer"] == found[0]["no_answer"]


def test_validation_settles_a_threshold_that_nobody_gave():
    asked = ExtractiveQA(build_encoder(tiny.config()), unanswerable=True)
    asked.settle({"f1": 50.0})
    assert asked.no_answer_threshold is None
    for threshold in (-1.5, 2.0):  # the second comes too late
        asked.settle({"best_f1_thresh": threshold})
        assert asked.no_answer_threshold == -1.5
