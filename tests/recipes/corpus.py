"""A small corpus of toy words, its records, and a run of pretraining on them, for tests."""

import json
import os

import numpy as np
import pytest

from bert_tf import config as configs
from bert_tf.config import PretrainConfig
from bert_tf.pretraining_data.records.shards import RecordSettings
from bert_tf.recipes.records import make_records
from tests import tiny

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
}


def text(documents, seed):
    """Documents of sentences; the words of one are few, so there is something to learn."""
    numbers, lines = np.random.default_rng(seed), []
    for number in range(documents):
        words = tiny.WORDS[number % 5 : number % 5 + 6]
        for _ in range(numbers.integers(3, 8)):
            lines.append(" ".join(numbers.choice(words, numbers.integers(3, 8))) + " .")
        lines.append("")
    return "\n".join(lines)


def corpus(folder):
    """Makes a corpus with a part held out, and its vocabulary, in this pathlib.Path."""
    for seed, (part, documents) in enumerate({"train": 60, "dev": 12}.items()):
        (folder / f"{part}.txt").write_text(text(documents, seed))
    tiny.tokenizer(folder / "vocabulary")
    return folder


def records(folder, part, objective="next_sentence", max_length=24, **settings):
    """The folder of records of a part of the corpus, str."""
    name = "-".join(map(str, (part, objective, max_length, *settings.values())))
    settings = RecordSettings(max_length=max_length, sentence_objective=objective, **settings)
    output = str(folder / name)
    source = (str(folder / f"{part}.txt"), str(folder / "vocabulary"), output)
    if not os.path.exists(output):
        make_records(*source, settings, shards=1, processes=1)
    return output


def config_of(folder, *overrides, objective="next_sentence", lengths=(24,), steps=6):
    """A run of a few steps a phase."""
    phases = [
        {
            "records": records(folder, "train", objective, length),
            "validation": records(folder, "dev", objective, length),
        }
        for length in lengths
    ]
    values = {
        "model": {"changes": SIZES, "tokenizer": str(folder / "vocabulary")},
        "phases": phases,
        "train": {
            "batch_size": 8,
            "steps": steps,
            "learning_rate": 0.01,
            "checkpoint_every": 2,
            "evaluate_every": 3,
        },
    }
    path = folder / "run.yaml"
    path.write_text(json.dumps(values))
    return configs.load(PretrainConfig, str(path), overrides)


def refused(kind, call, *parts):
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    assert type(caught.value) is kind and "\n" not in message
    assert all(str(part) in message for part in parts), message
