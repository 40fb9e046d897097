"""Exact match and F1 of answers, as the official scorers of SQuAD and of CMRC 2018 count them.

Sources: Rajpurkar et al. 2016, section 6.1, with `evaluate-v1.1.py`; Rajpurkar et al. 2018, with
`evaluate-v2.0.py`; Cui et al. 2019, section 4.1, with `cmrc2018_evaluate.py`.
"""

import collections
import re
import string

from absl import logging

from bert_tf.errors import InputError, shown

_HAN = "\u4e00-\u9fa5"
# What CMRC 2018 leaves out of both answers.
_CHINESE_MARKS = "-:_*^/\\~`+=，。：？！“”；’《》……·、「」（）－～『』"
# A Han character; else a number or a word, or a single mark.
_CHINESE_SEGMENT = re.compile(rf"[{_HAN}]|(?:(?![{_HAN}])[\w'])+(?:[.,]\d+)*|[^\w\s]")


def squad_score(dataset, predictions, na_probs=None, chinese=None):
    """Exact match and F1 of the answers to a SQuAD file, 1.1 or 2.0, or to one of CMRC 2018.

    Args:
      dataset: dict, the parsed file, or its `data`.
      predictions: dict of question id -> str; "" is no answer. A question without one counts 0, and
        one warning says how many there are.
      na_probs: dict of question id -> float, how likely it has no answer, of SQuAD 2.0. Above 1 the
        answer counts as none, as the official scorer has it.
      chinese: bool, whether answers are compared as CMRC 2018 does, by character; None: if more
        than a fifth of the contexts' characters are Han.
    Returns:
      dict of `exact_match` and `f1`, percentages; for SQuAD 2.0 what `unanswerable_figures` gives
      as well.
    Raises:
      InputError: one of them is of another shape, an id stands twice, or there is no prediction.
    """
    articles = dataset.get("data") if isinstance(dataset, dict) else dataset
    try:
        paragraphs = [each for article in articles for each in article["paragraphs"]]
        contexts = [str(each["context"]) for each in paragraphs]
        questions = [question for each in paragraphs for question in each["qas"]]
        answers = [[x["text"] for x in question.get("answers", ())] for question in questions]
        names = [str(question["id"]) for question in questions]
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"dataset: not of SQuAD's shape: {error}") from None
    _check(names, predictions, "predictions", str, "a string")
    missing = [name for name in names if name not in predictions]
    if missing:
        logging.warning(
            "%d of %d questions have no prediction and count 0, such as %s",
            *(len(missing), len(names), shown(missing[0])),
        )
    given = [predictions.get(name) for name in names]
    chinese = is_chinese(contexts) if chinese is None else chinese
    unanswerable = not chinese and any(
        "is_impossible" in question or not found
        for question, found in zip(questions, answers, strict=True)
    )
    if na_probs is not None:
        _check(names, na_probs, "na_probs", int | float, "a number")
        lacking = next((name for name in names if name not in na_probs), None)
        if lacking is not None:
            raise InputError(f"na_probs: none for question {shown(lacking)}")
        na_probs = [na_probs[name] for name in names]
    return figures(answers, given, chinese, unanswerable, na_probs, most=1.0)


def figures(answers, predictions, chinese=False, unanswerable=False, no_answer=None, most=None):
    """What `squad_score` gives, of questions in a row.

    Args:
      answers: list of lists of str, the right ones.
      predictions: list of str, or None where there is none.
      chinese: bool.
      unanswerable: bool, whether the figures of SQuAD 2.0 are wanted.
      no_answer: list of float, how sure it is that there is no answer, or None.
      most: float or None; above it a prediction counts as none.
    """
    right = answers
    if unanswerable:  # an answer of articles and marks alone is none, as in evaluate-v2.0.py
        right = [[x for x in some if _words(x)] for some in answers]
    pairs = list(zip(right, predictions, strict=True))
    if not pairs:
        raise InputError("no question to score")
    scores = [_score(some or [""], given, chinese, unanswerable) for some, given in pairs]
    exact, f1 = ([float(score[place]) for score in scores] for place in (0, 1))
    if not unanswerable:
        return {"exact_match": _percent(exact), "f1": _percent(f1)}
    has_answer = list(map(bool, right))
    return unanswerable_figures(exact, f1, predictions, has_answer, no_answer, most)


def unanswerable_figures(exact, f1, predictions, has_answer, no_answer=None, most=None):
    """The figures of SQuAD 2.0, under the names of its official scorer.

    Args:
      exact, f1: list of float, 0 to 1, of each question.
      predictions, no_answer, most: as in `figures`.
      has_answer: list of bool.
    Returns:
      dict: `exact_match` and `f1` of all, `HasAns_...` and `NoAns_...` (`exact`, `f1`, `total`) of
      the questions with and without an answer, where there are any; with `no_answer` `best_exact`,
      `best_f1` and the thresholds of `no_answer`, `best_exact_thresh` and `best_f1_thresh`, above
      which no answer should be given to reach them.
    """
    counted = {"exact": exact, "f1": f1}
    if most is not None and no_answer is not None:
        counted = {
            name: [
                float(not there) if sure > most else score
                for score, sure, there in zip(scores, no_answer, has_answer, strict=True)
            ]
            for name, scores in counted.items()
        }
    found = {"exact_match": _percent(counted["exact"]), "f1": _percent(counted["f1"])}
    for part, wanted in (("HasAns", True), ("NoAns", False)):
        rows = [row for row, there in enumerate(has_answer) if there == wanted]
        if rows:
            for name, scores in counted.items():
                found[f"{part}_{name}"] = _percent([scores[row] for row in rows])
            found[f"{part}_total"] = len(rows)
    if no_answer is not None:
        for name, scores in (("exact", exact), ("f1", f1)):
            best, threshold = _best_threshold(scores, predictions, has_answer, no_answer)
            found |= {f"best_{name}": best, f"best_{name}_thresh": threshold}
    return found


def is_chinese(texts):
    """bool, whether more than a fifth of the characters of texts are Han."""
    characters = sum(map(len, texts))
    return sum(len(re.findall(f"[{_HAN}]", text)) for text in texts) > characters / 5


def _check(names, given, what, kind, wanted):
    """Raises InputError unless `given` is a dict of ids -> values of a type."""
    if not isinstance(given, dict):
        raise InputError(f"{what} are a {type(given).__name__}, wanted an object of id -> {wanted}")
    if not given:
        raise InputError(f"{what}: there are none; wanted an object of question id -> {wanted}")
    for name, value in given.items():
        if not isinstance(value, kind) or isinstance(value, bool):
            raise InputError(f"{what}: {shown(name)}: {shown(value)}, wanted {wanted}")
    twice = next((x for x, count in collections.Counter(names).items() if count > 1), None)
    if twice is not None:
        raise InputError(f"dataset: id {shown(twice)} stands twice")


def _score(answers, prediction, chinese, unanswerable):
    """(exact match, F1) of one prediction, the best over the right answers."""
    if prediction is None:
        return 0.0, 0.0
    if chinese:
        return (
            max(_bare(answer) == _bare(prediction) for answer in answers),
            max(_chinese_f1(answer, prediction) for answer in answers),
        )
    return (
        max(_words(answer) == _words(prediction) for answer in answers),
        max(_f1(_words(answer), _words(prediction), unanswerable) for answer in answers),
    )


def _words(text):
    """The words of an answer in lower case, without punctuation and articles; list of str."""
    text = text.lower().translate(_NO_PUNCTUATION)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def _f1(answer, prediction, unanswerable):
    """F1 of two bags of words. Two empty ones are equal in SQuAD 2.0, and nothing before."""
    if unanswerable and not (answer and prediction):
        return float(answer == prediction)
    common = sum((collections.Counter(answer) & collections.Counter(prediction)).values())
    return _harmonic(common, len(answer), len(prediction))


def _bare(text):
    """A Chinese answer in lower case without the marks that do not count."""
    return text.lower().strip().translate(_NO_CHINESE_MARKS)


_NO_CHINESE_MARKS = str.maketrans("", "", _CHINESE_MARKS)


def _chinese_f1(answer, prediction):
    """F1 by the longest run of segments that both have: Han characters, words and numbers.

    What is not Han the official scorer cuts with NLTK's tokenizer, which parts English contractions
    as well.
    """
    answer, prediction = (_CHINESE_SEGMENT.findall(_bare(x)) for x in (answer, prediction))
    longest, ending = 0, [0] * (len(prediction) + 1)
    for segment in answer:  # ending[j]: the run that ends with this segment and prediction[j - 1]
        ending = [0] + [
            run + 1 if other == segment else 0
            for run, other in zip(ending[:-1], prediction, strict=True)
        ]
        longest = max(longest, *ending)
    return _harmonic(longest, len(answer), len(prediction))


def _harmonic(common, first, second):
    """The harmonic mean of precision and recall."""
    return 2 * common / (first + second) if common else 0.0


def _percent(scores):
    return 100 * sum(scores) / len(scores)


def _best_threshold(scores, predictions, has_answer, no_answer):
    """The best mean score if answers surer to be none than a threshold are left out.

    Returns:
      (percentage, threshold).
    """
    score = best = float(len(has_answer) - sum(has_answer))
    threshold = 0.0
    for row in sorted(range(len(scores)), key=no_answer.__getitem__):
        if has_answer[row]:
            score += scores[row]
        elif predictions[row]:
            score -= 1
        if score > best:
            best, threshold = score, float(no_answer[row])
    return 100 * best / len(scores), threshold
