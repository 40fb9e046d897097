"""How many spans are found: precision, recall and F1, as conlleval and seqeval count them."""

import numpy as np

from bert_tf import tags


def spans_by_number(numbers, places, known):
    """The spans of a text by the numbers of its words' tags.

    Args:
      numbers: int [T]. places: int [T, 2], the words' places.
      known: tags.TagSet.
    Returns:
      set of (start, end, label).
    """
    if known.plain:
        return {(*place, known.names[x]) for x, place in zip(numbers, places.tolist(), strict=True)}
    names = [known.names[number] for number in numbers]
    found = tags.spans_of(names)
    return {(int(places[first, 0]), int(places[end - 1, 1]), x) for first, end, x in found}


def measure(true, predicted):
    """Precision, recall and F1 over spans, and of each label.

    A span is found if start, end and label are right. Source: Tjong Kim Sang and De Meulder 2003,
    section 2.4. A figure without a definition, such as the precision where nothing was predicted,
    is 0.

    Args:
      true, predicted: lists of a set of spans (..., label) for each text.
    Returns:
      dict: floats `f1`, `precision`, `recall` of all spans and their means over labels,
      `f1_macro`, ...; `labels`, label -> dict of these three, `support`, its true spans, and
      `predicted`, those that were found.
    """
    names = {span[-1] for spans in (*true, *predicted) for span in spans}
    counts = {name: np.zeros(3, np.int64) for name in sorted(names)}  # right, predicted, true
    for one, other in zip(true, predicted, strict=True):
        for place, spans in enumerate((one & other, other, one)):
            for span in spans:
                counts[span[-1]][place] += 1
    each = {name: _figures(*count) for name, count in counts.items()}
    whole = _figures(*sum(counts.values(), np.zeros(3, np.int64)))
    mean = {
        f"{name}_macro": float(np.mean([x[name] for x in each.values()])) if each else 0.0
        for name in whole
    }
    of_labels = {
        name: {**each[name], "support": int(counts[name][2]), "predicted": int(counts[name][1])}
        for name in each
    }
    return {**whole, **mean, "labels": of_labels}


def _figures(right, predicted, true):
    precision = float(right / predicted) if predicted else 0.0
    recall = float(right / true) if true else 0.0
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    return {"f1": f1, "precision": precision, "recall": recall}
