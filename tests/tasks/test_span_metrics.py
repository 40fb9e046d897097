"""The figures of spans against seqeval's, on random tags of every scheme."""

import numpy as np
import pytest

from bert_tf.tags import spans_of
from bert_tf.tasks.span_metrics import measure

LABELS = ("PER", "LOC", "creative-work")


def random_spans(numbers, count):
    """Spans (first, end, label) in order, often side by side."""
    place, spans = 0, []
    while place < count:
        end = min(count, place + numbers.integers(1, 4))
        if numbers.random() < 0.6:
            spans.append((place, end, LABELS[numbers.integers(3)]))
        place = end + numbers.integers(0, 2)
    return spans


def written(spans, count, scheme):
    """Spans as the tags of a scheme, list of str."""
    tags, before = ["O"] * count, (0, 0, None)
    for first, end, label in spans:
        touches = before[1] == first and before[2] == label
        for place in range(first, end):
            letter = "B" if place == first else "I"
            if scheme == "IOB1" and not touches:
                letter = "I"
            if scheme == "BIOES" and place == end - 1:
                letter = "S" if place == first else "E"
            tags[place] = f"{letter}-{label}"
        before = (first, end, label)
    return tags


def sentences(scheme):
    """1,000 sentences: true tags, and those with every fourth changed at random."""
    numbers = np.random.default_rng(len(scheme))
    letters = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES"}[scheme]
    known = ["O", *(f"{letter}-{label}" for letter in letters for label in LABELS)]
    true, found = [], []
    for _ in range(1000):
        count = int(numbers.integers(0, 12))
        true.append(written(random_spans(numbers, count), count, scheme))
        changed = numbers.random(count) < 0.25
        drawn = numbers.integers(0, len(known), count)
        found.append(
            [known[x] if y else tag for tag, x, y in zip(true[-1], drawn, changed, strict=True)]
        )
    return true, found


@pytest.mark.parametrize("scheme", ("IOB1", "IOB2", "BIOES"))
def test_spans_written_in_a_scheme_are_read_back(scheme):
    numbers = np.random.default_rng(3)
    for _ in range(200):
        spans = random_spans(numbers, 12)
        assert spans_of(written(spans, 12, scheme)) == spans


@pytest.mark.slow
@pytest.mark.parametrize("unknown", (None, "LOC"))
@pytest.mark.parametrize("scheme", ("IOB1", "IOB2", "BIOES"))
def test_figures_are_those_of_seqeval(scheme, unknown):
    """Also where a label was never trained, and so is never predicted."""
    metrics = pytest.importorskip("seqeval.metrics")
    true, found = sentences(scheme)
    found = [["O" if tag[2:] == unknown else tag for tag in tags] for tags in found]
    ours = measure(*([set(spans_of(tags)) for tags in part] for part in (true, found)))
    for name, score in (
        ("precision", metrics.precision_score),
        ("recall", metrics.recall_score),
        ("f1", metrics.f1_score),
    ):
        assert ours[name] == pytest.approx(score(true, found), abs=1e-12)
        assert ours[f"{name}_macro"] == pytest.approx(score(true, found, average="macro"), abs=1e-9)
    assert 0.3 < ours["f1"] < 0.9
    report = metrics.classification_report(true, found, output_dict=True)
    for label in LABELS:
        theirs, own = report[label], ours["labels"][label]
        assert own["support"] == theirs["support"]
        for name, key in (("f1", "f1-score"), ("precision", "precision"), ("recall", "recall")):
            assert own[name] == pytest.approx(theirs[key], abs=1e-12)
