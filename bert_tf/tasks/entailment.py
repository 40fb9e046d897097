"""Labels that were never trained, told by a model of entailment (zero-shot classification)."""

import numpy as np

from bert_tf.errors import InputError

TEMPLATE = "This text is about {}."
# How names of the two classes begin, in any case.
_ENTAILMENT = ("entail", "\u8574\u542b", "\u8574\u6db5")
_CONTRADICTION = ("contradict", "\u77db\u76fe")
_ROWS = 32


def choose(answer, texts, labels, template=None, several=False):
    """Which of some labels fits each text: the one whose sentence follows from it the most.

    Source: Yin et al. 2019, "Benchmarking zero-shot text classification", section 5: a text is the
    premise and the template with a label the hypothesis.

    Args:
      answer: export.Answer of a classifier of pairs that has a class for entailment.
      texts: list of str.
      labels: list of str, two at least.
      template: str with {} for the label; None: TEMPLATE.
      several: bool, whether any number of labels may fit; then each is decided by itself,
        entailment against contradiction.
    Returns:
      list of a dict for each text: `label`, `score`, and `probabilities`, a number for each of the
      labels: the softmax of the scores of entailment. With `several` `label` joins by "|" those of
      0.5 or more, and `labels` has each of them with its score, the likeliest first.
    Raises:
      InputError: the model has no class for entailment, or takes single texts.
    """
    entails, contradicts = _classes(answer)
    if not texts:
        return []
    sentences = [(template or TEMPLATE).replace("{}", label) for label in labels]
    pairs = [(text, sentence) for text in texts for sentence in sentences]
    logits = _logits(answer, pairs).reshape(len(texts), len(labels), -1)
    if not several:
        shares = _softmax(logits[:, :, entails])
        return [
            {
                "label": labels[row.argmax()],
                "score": float(row.max()),
                "probabilities": row.tolist(),
            }
            for row in shares
        ]
    if contradicts is not None:
        shares = _softmax(logits[:, :, [contradicts, entails]])[:, :, 1]
    else:
        shares = _softmax(logits)[:, :, entails]
    return [_several(row, labels) for row in shares]


def _several(row, labels):
    own = [place for place in np.argsort(-row, kind="stable") if row[place] >= 0.5]
    return {
        "label": "|".join(labels[place] for place in sorted(own)),
        "labels": [{"label": labels[place], "score": float(row[place])} for place in own],
        "probabilities": row.tolist(),
    }


def _classes(answer):
    """The numbers of the classes for entailment and for contradiction, None where there is none."""
    names = [str(name).strip().lower() for name in answer.settings.get("label_names") or ()]
    found = [
        next((number for number, name in enumerate(names) if name.startswith(starts)), None)
        for starts in (_ENTAILMENT, _CONTRADICTION)
    ]
    if found[0] is None or len(answer.columns) != 2:
        why = "takes single texts" if found[0] is not None else f"has the labels {', '.join(names)}"
        raise InputError(
            "labels: a classifier answers with those it was trained with, unless it is one of "
            f"pairs with a class for entailment, and this one {why}"
        )
    return found


def _logits(answer, pairs):
    """The logits of pairs, float [rows, classes], asked in batches of like lengths."""
    ranks = sorted(range(len(pairs)), key=lambda row: sum(map(len, pairs[row])))
    found = [None] * len(pairs)
    for start in range(0, len(ranks), _ROWS):
        rows = ranks[start : start + _ROWS]
        asked = answer(*(list(side) for side in zip(*(pairs[row] for row in rows), strict=True)))
        for row, logits in zip(rows, asked["logits"], strict=True):
            found[row] = logits
    return np.array(found, np.float64)


def _softmax(values):
    values = np.exp(values - values.max(axis=-1, keepdims=True))
    return values / values.sum(axis=-1, keepdims=True)
