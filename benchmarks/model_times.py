"""How long models take for a text, and how large they are: a part of distillation.py."""

import pathlib
import statistics
import time

import numpy as np
import tensorflow as tf

from bert_tf import Tokenizer, export_saved_model, load_export, load_task
from bert_tf.export import Weights, running
from bert_tf.export.engines.ids import input_names
from bert_tf.export.engines.run import onnx_runtime


def milliseconds(places, text, folder, rounds):
    """The median times of several models for one text, one model after the other in turn.

    Args:
      places: dict of name -> model directory; of "int8" an ONNX file and of "bfloat16" a SavedModel
        of the model "teacher".
      text: str.
      folder: str, where exports are kept.
      rounds: int.
    Returns:
      dicts of name -> milliseconds: from ids to logits, and from a string to the answer of an
      export (not of an ONNX file, which takes ids).
    """
    teacher, tokenizer = load_task(places["teacher"]), Tokenizer.from_pretrained(places["teacher"])
    ids = {name: tf.constant(x) for name, x in tokenizer([text]).items()}
    rows = {name: ids[name].numpy().astype("int64") for name in input_names(teacher)}
    graphs = {}
    for name, place in places.items():
        if name == "int8":
            graphs[name] = _asked(onnx_runtime(place), rows)
        elif name == "bfloat16":
            run = running(teacher, Weights(name, frozen=True))
            graphs[name] = _asked(tf.function(run, autograph=False), ids)
        else:
            graphs[name] = _asked(load_task(place).forward, ids)
    from_ids = _by_turns(graphs, rounds)
    graphs.clear()
    exports = {}
    for name, place in places.items():
        if name != "int8":
            place = place if name == "bfloat16" else _export_of(name, place, tokenizer, folder)
            exports[name] = _asked(load_export(place), [text])
    return from_ids, _by_turns(exports, rounds)


def _asked(function, given):
    return lambda: tf.nest.map_structure(np.asarray, function(given))


def _export_of(name, place, tokenizer, folder):
    """The folder of a model's export, made if it is absent."""
    folder = pathlib.Path(folder, name.replace(", ", "_").replace(" ", "_"))
    if not folder.exists():
        export_saved_model(load_task(place), tokenizer, str(folder))
    return str(folder)


def _by_turns(functions, rounds):
    """The median milliseconds of each of some functions."""
    times = {name: [] for name in functions}
    for number in range(rounds + 10):
        for name in functions if number % 2 else reversed(functions):
            start = time.perf_counter()
            functions[name]()
            if number >= 10:
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(each) for name, each in times.items()}


def text_of(length, texts, tokenizer):
    """The beginning of some texts, one after the other, that makes a row of so many tokens, or of
    one or two fewer."""
    whole = " ".join(texts)[: 20 * length]
    starts = [whole[:end] for end in range(1, len(whole))]
    counts = tokenizer(starts)["attention_mask"].numpy().sum(axis=1).tolist()
    return max((x for x, count in zip(starts, counts, strict=True) if count <= length), key=len)


def megabytes(place):
    """The size of a model's weights, of an export's folder, or of a file."""
    path = pathlib.Path(place)
    weights = path / "model.safetensors"
    files = [weights] if weights.exists() else [path, *path.rglob("*")]
    return sum(x.stat().st_size for x in files if x.is_file()) / 1e6
