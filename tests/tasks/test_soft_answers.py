"""What a student may learn of each task's answers."""

import numpy as np
import pytest

from bert_tf.tasks import TASKS

MASK = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], "int32")
INPUTS = {"input_ids": MASK, "attention_mask": MASK, "decoder_attention_mask": MASK}
INPUTS |= {"words": np.array([3, 1], "int32")}
LOGITS = np.zeros((2, 4, 5), "float32")


@pytest.mark.parametrize(
    ("task", "outputs", "there"),
    [
        ("token_classification", LOGITS, MASK > 0),
        ("masked_lm", LOGITS, MASK > 0),
        ("causal_lm", LOGITS, MASK > 0),
        ("seq2seq", LOGITS, MASK > 0),
        ("pretraining", {"masked_lm_logits": LOGITS}, MASK > 0),
        ("dependency_parsing", {"arc_logits": LOGITS}, [[1, 1, 1, 0], [1, 0, 0, 0]]),
    ],
)
def test_answers_about_tokens_are_where_there_are_some(task, outputs, there):
    (answer,) = TASKS[task].soft_answers(None, outputs, INPUTS)
    assert answer.kind == "choice" and answer.of_tokens and answer.values is LOGITS
    np.testing.assert_array_equal(answer.there, np.array(there, bool))


def test_masked_words_are_asked_where_they_are():
    inputs = {**INPUTS, "masked_positions": np.array([[2, 0], [1, 3]])}
    (answer,) = TASKS["masked_lm"].soft_answers(None, LOGITS[:, :2], inputs)
    np.testing.assert_array_equal(answer.there, [[True, False], [True, True]])


def test_answers_of_rows_need_no_tokens():
    (choice,) = TASKS["multiple_choice"].soft_answers(None, LOGITS[0], INPUTS)
    assert (choice.kind, choice.there, choice.of_tokens) == ("choice", None, False)
    scores = np.array([[1.0, -6e4], [2.0, 3.0]], "float32")
    (number,) = TASKS["reranking"].soft_answers(None, scores, INPUTS)
    assert number.kind == "number" and number.there.tolist() == [[True, False], [True, True]]
    sides = {"start_logits": LOGITS[:, 0], "end_logits": LOGITS[:, 1]}
    answers = TASKS["question_answering"].soft_answers(None, sides, INPUTS)
    assert [answer.of_tokens for answer in answers] == [True, True]


def test_vectors_are_told_apart_from_filling():
    vectors = np.ones((2, 3), "float32")
    got, there = TASKS["sentence_embedding"].soft_vectors(None, vectors, INPUTS)
    assert got.shape == (2, 1, 3) and np.asarray(there).tolist() == [[True], [True]]
    texts = {
        "input_ids": np.stack([MASK, MASK * 0], 1),
        "attention_mask": np.stack([MASK, MASK * 0], 1),
    }
    _, there = TASKS["sentence_embedding"].soft_vectors(None, np.ones((2, 2, 3)), texts)
    assert np.asarray(there).tolist() == [[True, False]] * 2
