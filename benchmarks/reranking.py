"""Reranking of SQuAD paragraphs by the questions of their article: nDCG@10 and MRR, each loss.

    python benchmarks/reranking.py --data=SQUAD_FOLDER --model=MODEL --work=FOLDER

A question's candidates are its paragraph and others of the same article. The training questions are
of SQuAD's training articles, the measured ones of its dev articles. "Before" is the model with a
fresh head.
"""

import argparse
import json
import os
import random
import time

from bert_tf import Reranker, Tokenizer, config, load_encoder, read_dataset
from bert_tf.recipes.finetune import finetune
from bert_tf.tasks.ranking_losses import RANKINGS
from bert_tf.training.evaluation import evaluate


def write_rows(source, target, questions, candidates, seed=1):
    """Writes `questions` questions with `candidates` candidates each as JSON lines."""
    with open(source, encoding="utf-8") as file:
        articles = json.load(file)["data"]
    draws = random.Random(seed)
    asked = [
        (article, paragraph, question["question"].strip())
        for article in articles
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
        if len(article["paragraphs"]) >= candidates
    ]
    with open(target, "w", encoding="utf-8") as file:
        for article, right, question in draws.sample(asked, questions):
            others = [x for x in article["paragraphs"] if x is not right]
            shown = [right, *draws.sample(others, candidates - 1)]
            draws.shuffle(shown)
            for paragraph in shown:
                row = {"query": question, "text": paragraph["context"]}
                file.write(json.dumps({**row, "score": int(paragraph is right)}) + "\n")


def main():
    parser = argparse.ArgumentParser()
    for name in ("data", "model", "work"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--measured", type=int, default=200)
    parser.add_argument("--rankings", default=",".join(RANKINGS))
    given = parser.parse_args()
    os.makedirs(given.work, exist_ok=True)
    train, dev = (os.path.join(given.work, f"{part}.jsonl") for part in ("train", "validation"))
    write_rows(os.path.join(given.data, "train-v1.1.json"), train, given.questions, 6)
    write_rows(os.path.join(given.data, "dev-v1.1.json"), dev, given.measured, 10)
    tokenizer = Tokenizer.from_pretrained(given.model)
    rows = read_dataset(dev, tokenizer, 8, 192, task="reranking")
    figures = evaluate(Reranker(load_encoder(given.model)), rows)
    print("ranking      nDCG@10    MRR@10   seconds", flush=True)
    print(f"{'before':11} {figures['ndcg@10']:8.4f}  {figures['mrr@10']:8.4f}", flush=True)
    for ranking in given.rankings.split(","):
        settings = config.from_dict(
            config.FinetuneConfig,
            {
                "task": "reranking",
                "model": {"path": given.model, "options": {"ranking": ranking}},
                "data": {"train": train, "validation": dev, "max_length": 192},
                "train": {"batch_size": 8, "epochs": 1, "learning_rate": 5e-5},
            },
        )
        start = time.time()
        figures = finetune(settings, os.path.join(given.work, ranking))["validation"]
        seconds = time.time() - start
        print(
            f"{ranking:11} {figures['ndcg@10']:8.4f}  {figures['mrr@10']:8.4f}  {seconds:8.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
