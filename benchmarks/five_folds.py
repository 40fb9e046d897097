"""Multiple choice over a C3 file in five folds, split by its texts, beside bags of vectors.

    python benchmarks/five_folds.py --data=c3/dev.json --model=MODEL --work=FOLDER

`chance` is the mean of one by the number of choices. `nearest` takes the choice whose mean static
vector is nearest to that of text and question, without training. `bag` trains these vectors under
the same task and `encoder` the model itself, on four parts each; the fifth is measured.
"""

import argparse
import json
import os
import statistics

import numpy as np

import bert_tf
from bert_tf import SentenceEncoder, Tokenizer, load_encoder
from bert_tf.compression.static_vectors import static_encoder
from bert_tf.config import FinetuneConfig, from_dict
from bert_tf.data import order
from bert_tf.data.choice_files import read_c3
from bert_tf.recipes.finetune import finetune

FOLDS = 5


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("data", "model", "work"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--max_length", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--bag_rate", type=float, default=1e-2)
    parser.add_argument(
        "--dropout", type=float, default=None, help="of the encoder; its own if none"
    )
    parser.add_argument("--kinds", default="bag,encoder")
    parser.add_argument("--folds", type=int, default=FOLDS, help="how many of the five to measure")
    given = parser.parse_args()
    os.makedirs(given.work, exist_ok=True)
    questions = list(read_c3(given.data))
    encoder, tokenizer = load_encoder(given.model), Tokenizer.from_pretrained(given.model)
    static = static_encoder(encoder, tokenizer, encoder.config.hidden_size)
    bag = os.path.join(given.work, "bag")
    if not os.path.isdir(bag):
        SentenceEncoder(static, pooling="mean").save_pretrained(bag, tokenizer)
    print(f"chance   {np.mean([1 / len(question['choices']) for question in questions]):.4f}")
    print(f"nearest  {np.mean(nearest_is_right(bag, questions)):.4f}", flush=True)
    parts = parts_of(questions)
    trained = {"bag": (bag, given.bag_rate), "encoder": (given.model, given.rate)}
    for kind in given.kinds.split(","):
        model, rate = trained[kind]
        accuracies = [
            measured(parts, fold, model, rate, os.path.join(given.work, f"{kind}{fold}"), given)
            for fold in range(given.folds)
        ]
        print(f"{kind:8} {statistics.mean(accuracies):.4f}", *map("{:.4f}".format, accuracies))


def parts_of(questions):
    """The questions in five parts; those of one text stay together."""
    texts = list(dict.fromkeys(question["text"] for question in questions))
    place = {texts[row]: at for at, row in enumerate(order.shuffled(len(texts), 1, order.SPLIT))}
    return [[x for x in questions if place[x["text"]] % FOLDS == fold] for fold in range(FOLDS)]


def nearest_is_right(bag, questions):
    """Whether the choice nearest by the cosine of mean vectors is the right one, a question."""
    answer = bert_tf.pipeline(bag)
    asked = answer([f"{x['text']} {x['question']}" for x in questions])
    choices = answer([choice for x in questions for choice in x["choices"]])
    asked, choices = (np.array([x["embedding"] for x in rows]) for rows in (asked, choices))
    ends = np.cumsum([len(x["choices"]) for x in questions])
    scores = np.split(choices, ends[:-1])
    return [
        int(np.argmax(rows @ vector)) == question["label"]
        for rows, vector, question in zip(scores, asked, questions, strict=True)
    ]


def measured(parts, fold, model, rate, workdir, given):
    """The accuracy on one part of a model that learned from the others."""
    os.makedirs(workdir, exist_ok=True)
    train, dev = (os.path.join(workdir, f"{part}.jsonl") for part in ("train", "validation"))
    others = [question for at, part in enumerate(parts) if at != fold for question in part]
    for path, rows in ((train, others), (dev, parts[fold])):
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    settings = {
        "task": "multiple_choice",
        "model": {"path": model},
        "data": {
            "train": train,
            "validation": dev,
            "columns": {"question": "question"},
            "max_length": given.max_length,
        },
        "train": {"batch_size": 16, "epochs": given.epochs, "learning_rate": rate},
    }
    settings["train"]["log_every"] = 50
    if given.dropout is not None:
        names = ("hidden_dropout_prob", "attention_probs_dropout_prob")
        settings["model"]["changes"] = dict.fromkeys(names, given.dropout)
    config = from_dict(FinetuneConfig, settings)
    figures = finetune(config, os.path.join(workdir, "run"))["validation"]
    print(json.dumps({"fold": fold, "model": model, "accuracy": figures["accuracy"]}), flush=True)
    return figures["accuracy"]


if __name__ == "__main__":
    main()
