"""A cloze question reaches the one token it is about, and a bad one is a line that names it."""

import json

import numpy as np
import pytest

from bert_tf.config import Masking
from bert_tf.errors import ConfigError, InputError
from bert_tf.pretraining_data.corpus import corpus_plan, label_columns
from bert_tf.pretraining_data.corpus.corpus_plan import Reading
from tests import tiny
from tests.pretraining_data.corpus.test_label_columns import made, written


def question(*candidates, answer=None):
    return {"candidates": list(candidates), "answer": answer}


# Candidates of one piece and of several; as words, between other scripts, at both ends, unanswered.
ROWS = [
    {"text": "the [MASK] is good .", "x": question("film", "tea", answer="tea")},
    {"text": ["not", "[MASK]", "!"], "x": question("bad", "actor", "a b", answer="bad")},
    {"text": "é漢🙂[MASK]。", "x": question("end", "zebra", answer="zebra")},
    {"text": "[MASK] was two", "x": {"candidates": [" film ", "story"], "answer": "story "}},
    {"text": "very\n\none . three [MASK]", "x": question("film", "actor")},
    {"text": "no [MASK] here", "x": None},
]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("tokenizer") / "t")


def ids_of(tokenizer, text):
    return tokenizer.pieces([text])[0].flat_values.numpy().tolist()


def classes_of(tmp_path, tokenizer, rows, policy="fail", **columns):
    columns = columns or {"x": ()}
    classes = label_columns.Classes(columns, tokenizer)
    reading = Reading(labels=columns, policy=policy, duplicates="keep")
    _, counts = corpus_plan.plan(written(tmp_path, rows), reading, 1, False, classes)
    return classes.found(), counts


def test_room_is_made_for_the_most_candidates_and_the_longest(tmp_path, tokenizer):
    found, _ = classes_of(tmp_path, tokenizer, ROWS)
    assert found == {"x": {"of": "cloze", "candidates": 3, "pieces": 5}}


def test_the_blank_is_one_token_and_all_else_what_it_would_be(tmp_path, tokenizer):
    arrays, _, counts = made(tmp_path, tokenizer, ROWS, ["x"])
    wanted = {}
    for row in ROWS:
        text = row["text"] if isinstance(row["text"], str) else " ".join(row["text"])
        asked = row["x"] or question()
        ids, blank = [tokenizer.cls_id], [-1]
        for place, part in enumerate(text.split("[MASK]") if row["x"] else [text]):
            ids += [tokenizer.mask_id] * place + ids_of(tokenizer, part)
            blank += [1] * place + [-1] * len(ids_of(tokenizer, part))
        cells = np.full((3, 5), -1)
        for place, candidate in enumerate(asked["candidates"]):
            pieces = ids_of(tokenizer, candidate)
            cells[place, : len(pieces)] = pieces
        given = [each.strip() for each in asked["candidates"]]
        answer = given.index(asked["answer"].strip()) if asked["answer"] else -1
        blank += [-1] * (32 - len(blank))
        wanted[(*ids, tokenizer.sep_id)] = blank, cells.ravel().tolist(), [answer]
    found = {
        tuple(ids[:length]): (blank.tolist(), cells.tolist(), answer.tolist())
        for ids, length, blank, cells, answer in zip(
            arrays["input_ids"],
            arrays["input_mask"].sum(axis=1),
            *(arrays[name] for name in ("x_blank", "x_candidates", "x")),
            strict=True,
        )
    }
    assert found == wanted
    assert counts["labelled_x"] == 4


def test_of_a_long_document_only_the_row_with_the_blank_asks(tmp_path, tokenizer):
    words = ["good"] * 40
    words[23] = "[MASK]"
    rows = [{"text": words, "x": question("film", "end", answer="end")}]
    arrays, _, _ = made(tmp_path, tokenizer, rows, ["x"], max_length=10)
    has = (arrays["input_ids"] == tokenizer.mask_id).any(axis=1)
    assert len(has) == 5 and has.sum() == 1
    assert arrays["x"][has].tolist() == [[1]] and (arrays["x_candidates"][has] >= 0).all()
    for name in ("x", "x_blank", "x_candidates"):
        assert (arrays[name][~has] == -1).all()


@pytest.mark.parametrize("objective", ["next_sentence", "sentence_order"])
def test_a_row_of_two_documents_asks_nothing(tmp_path, tokenizer, objective):
    numbers = np.random.default_rng(0)
    rows = []
    for place in range(40):
        lines = [" ".join(numbers.choice(tiny.WORDS[:8], 6)) + " ." for _ in range(4)]
        lines[place % 4] = "the [MASK] ."
        answer = ("film", "story")[place % 2]
        rows.append({"text": "\n".join(lines), "x": question("film", "story", answer=answer)})
    arrays, _, _ = made(tmp_path, tokenizer, rows, ["x"], objective)
    blank, apart = arrays["x_blank"] == 1, arrays["next_sentence_labels"][:, 0] == 1
    asked = blank.any(axis=1)
    assert asked.any() and (blank.sum(axis=1) <= 1).all()
    assert (arrays["input_ids"][blank] == tokenizer.mask_id).all()
    np.testing.assert_array_equal(arrays["x"][:, 0] >= 0, asked)
    if objective == "next_sentence":
        assert apart.any() and not asked[apart].any()
    has = (arrays["input_ids"] == tokenizer.mask_id).any(axis=1)
    np.testing.assert_array_equal(asked, has & (~apart | (objective == "sentence_order")))


def test_the_blank_is_never_chosen_to_be_masked(tmp_path, tokenizer):
    rows = [{"text": f"{'a ' * n}[MASK] b", "x": ROWS[0]["x"]} for n in range(1, 25)]
    masking = Masking(probability=0.9, max_predictions=30)
    arrays, _, _ = made(tmp_path, tokenizer, rows, ["x"], masking=masking)
    place = arrays["x_blank"].argmax(axis=1)
    weights, positions = arrays["masked_lm_weights"] > 0, arrays["masked_lm_positions"]
    assert weights.sum() > 200 and not (weights & (positions == place[:, None])).any()
    ids = arrays["input_ids"][np.arange(len(place)), place]
    assert (ids == tokenizer.mask_id).all()


def test_two_questions_about_one_text_share_its_blank_and_join_other_labels(tmp_path, tokenizer):
    words = ["zebra", "[MASK]", "film"]
    rows = [
        {"text": words, "x": question("a", "the", answer="the"), "tags": ["N", "O", "N"]},
        {"text": words[1:], "y": question("is", "was", answer="is"), "tags": ["O", "N"]},
        {"text": [*words, "!"], "x": question("a", "b"), "y": question("is", "was")},
    ]
    arrays, names, _ = made(tmp_path, tokenizer, rows, ["x", "y", "tags"])
    length = arrays["input_mask"].sum(axis=1)
    by_length = np.argsort(length)
    blanks = [(arrays[name] == 1)[by_length] for name in ("x_blank", "y_blank")]
    assert [blank.any(axis=1).tolist() for blank in blanks] == [[0, 1, 1], [1, 0, 1]]
    np.testing.assert_array_equal(blanks[0][2], blanks[1][2])
    tags = arrays["tags"][by_length]
    assert tags[0][:5].tolist() == [-1, names["tags"].index("O"), names["tags"].index("N"), -1, -1]
    # After the five pieces of the first word comes the blank.
    assert tags[1][:9].tolist() == [-1, 0, -1, -1, -1, -1, 1, 0, -1]


@pytest.mark.parametrize(
    "row, told",
    [
        ({"text": "a b", "x": question("a", "b")}, "'x' asks about 0 blanks, wanted [MASK] once"),
        ({"text": "[MASK] [MASK]", "x": question("a", "b")}, "'x' asks about 2 blanks"),
        ({"text": ["a[MASK]"], "x": question("a", "b")}, "1 blanks, wanted [MASK] once as one of"),
        ({"text": ["[MASK]", "a[MASK]"], "x": question("a", "b")}, "2 blanks"),
        ({"text": "[MASK]", "x": question("a", "b", answer="c")}, "'x' has the answer 'c', wanted"),
        ({"text": "[MASK]", "x": question("a", "b", answer=0)}, "'x' has the answer 0, wanted"),
        ({"text": "[MASK]", "x": question("a")}, "'x' has candidates ['a'], wanted two or more"),
        ({"text": "[MASK]", "x": question("a", "b", " a")}, "'x' has the candidate 'a' twice"),
        ({"text": "[MASK]", "x": question("a", 1)}, "wanted a list of str"),
        ({"text": "[MASK]", "x": question("a", "\ud800")}, "wanted a list of str"),
        ({"text": "[MASK]", "x": question("a", " ")}, "wanted a list of str"),
        ({"text": "[MASK]", "x": {"candidates": "ab"}}, "'x' has candidates 'ab', wanted a list"),
        ({"text": "[MASK]", "x": {"answer": "a"}}, "'x' has candidates None, wanted a list"),
        ({"text": "[MASK]", "x": {"candidates": ["a", "b"], "anser": "a"}}, "the key 'anser'"),
    ],
)
def test_what_is_no_question_is_named_by_line_or_skipped(tmp_path, tokenizer, row, told):
    rows = [ROWS[0], row]
    with pytest.raises(InputError) as caught:
        classes_of(tmp_path, tokenizer, rows)
    message = str(caught.value)
    assert "rows.jsonl, line 2: label" in message and told in message and "\n" not in message
    _, counts = classes_of(tmp_path, tokenizer, rows, policy="skip")
    assert (counts.documents, counts.malformed) == (1, 1)


@pytest.mark.parametrize("candidate", ["漢", "a 漢", "\u200b"])
def test_a_candidate_that_the_vocabulary_lacks_is_named_by_line(tmp_path, tokenizer, candidate):
    rows = [ROWS[0], {"text": "[MASK]", "x": question("film", candidate)}, *ROWS[1:]]
    with pytest.raises(InputError, match="line 2: label 'x' has the candidate .* wanted") as caught:
        classes_of(tmp_path, tokenizer, rows)
    assert repr(candidate) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("other", ["film", 3])
def test_classes_and_questions_are_not_mixed_under_one_name(tmp_path, tokenizer, other):
    rows = [ROWS[0], {"text": "a", "x": other}]
    with pytest.raises(InputError, match="line 2: label 'x' is of a sentence, and before of a clo"):
        classes_of(tmp_path, tokenizer, rows)
    with pytest.raises(InputError, match="line 2: label 'x' is of a cloze, and before of a senten"):
        classes_of(tmp_path, tokenizer, rows[::-1])


def test_questions_without_any_answer_are_refused(tmp_path, tokenizer):
    with pytest.raises(InputError, match="label 'x': no question has an answer"):
        classes_of(tmp_path, tokenizer, [ROWS[4]])


@pytest.mark.parametrize(
    "name, columns, told",
    [
        ("x", {"x": ("film", "tea")}, "--label=x=film,tea: .* wanted --label=x"),
        ("x", {"x": (), "x_candidates": ()}, "'x' .* x_candidates stands for something else"),
        ("masked", {"masked": ()}, "'masked' .* masked_positions stands for something else"),
    ],
)
def test_a_name_that_a_question_cannot_have_is_refused(tmp_path, tokenizer, name, columns, told):
    row = json.loads(json.dumps(ROWS[0]).replace('"x"', f'"{name}"'))
    with pytest.raises(ConfigError, match=told):
        classes_of(tmp_path, tokenizer, [row], **columns)
