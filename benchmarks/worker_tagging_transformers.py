"""Worker: token classification with transformers on PyTorch, as its own run_ner.py does it.

usage: worker_tagging_transformers.py MODEL TRAIN DEV LENGTH BATCH RATE EPOCHS SEED [STEPS]

A word has its label at its first piece. Batches are padded to their own longest row and made of
rows of like lengths (`group_by_length`); AdamW is the fused one. After each epoch the validation
file is answered, and the figures of the best epoch by seqeval's F1 are printed, as JSON.
"""

import json
import re
import sys
import time

import numpy as np
import torch
from seqeval.metrics import f1_score, precision_score, recall_score
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    get_linear_schedule_with_warmup,
)


def main(model, train, dev, length, batch, rate, epochs, seed, steps=None):
    length, batch, epochs, seed = map(int, (length, batch, epochs, seed))
    torch.manual_seed(seed)
    begin, cpu = time.perf_counter(), time.process_time()
    tokenizer = AutoTokenizer.from_pretrained(model)
    rows, measured = read(train), read(dev)
    names = sorted({tag for _, tags in rows for tag in tags})
    net = AutoModelForTokenClassification.from_pretrained(model, num_labels=len(names))
    encoded = [encode(tokenizer, each, names, length) for each in (rows, measured)]
    best = learn(net, tokenizer, encoded, names, batch, float(rate), epochs, seed, steps)
    took = {"seconds": time.perf_counter() - begin, "cpu_seconds": time.process_time() - cpu}
    print(json.dumps({**best, **took}))


def read(path):
    """List of (words, tags)."""
    sentences, words, tags = [], [], []
    with open(path, encoding="utf-8-sig") as file:
        for line in [*file, ""]:
            if line.strip():
                columns = line.rstrip("\n").split("\t")
                words.append(re.sub("^en:", "", columns[0]) or columns[0])
                tags.append(columns[-1])
            elif words:
                sentences.append((words, tags))
                words, tags = [], []
    return sentences


def encode(tokenizer, sentences, names, length):
    """The rows, and for each piece the number of its label, -100 at all but first pieces."""
    found = tokenizer(
        [words for words, _ in sentences],
        is_split_into_words=True,
        truncation=True,
        max_length=length,
    )
    labels = []
    for row, (_, tags) in enumerate(sentences):
        before, numbers = None, []
        for word in found.word_ids(row):
            first = word is not None and word != before
            known = first and tags[word] in names
            numbers.append(names.index(tags[word]) if known else -100)
            before = word
        labels.append(numbers)
    return found, labels, [tags for _, tags in sentences]


def batch_of(tokenizer, encoded, rows):
    found, labels, _ = encoded
    names = ("input_ids", "attention_mask", "token_type_ids")
    inputs = tokenizer.pad({x: [found[x][w] for w in rows] for x in names}, return_tensors="pt")
    width = inputs["input_ids"].shape[1]
    padded = [labels[w] + [-100] * (width - len(labels[w])) for w in rows]
    return inputs, torch.tensor(padded)


def learn(net, tokenizer, encoded, names, batch, rate, epochs, seed, stop):
    """Linear decay behind a tenth of warm-up, gradients clipped to 1, weight decay 0.01."""
    decayed, plain = [], []
    for name, weight in net.named_parameters():
        (plain if name.endswith("bias") or "LayerNorm" in name else decayed).append(weight)
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=rate, fused=True)
    train, dev = encoded
    count = len(train[1])
    steps = -(-count // batch) * epochs
    schedule = get_linear_schedule_with_warmup(optimizer, round(steps * 0.1), steps)
    draw = np.random.default_rng(seed)
    lengths, best, done = np.array([len(x) for x in train[1]]), {"f1": -1.0}, 0
    for epoch in range(epochs):
        net.train()
        order = draw.permutation(count)
        groups = [order[i : i + 50 * batch] for i in range(0, count, 50 * batch)]
        order = np.concatenate([rows[np.argsort(-lengths[rows], kind="stable")] for rows in groups])
        batches = [order[i : i + batch] for i in range(0, count, batch)]
        for number in draw.permutation(len(batches)):
            inputs, labels = batch_of(tokenizer, train, batches[number])
            net(**inputs, labels=labels).loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            done += 1
            if stop is not None and done >= int(stop):
                return best
        figures = measure(net, tokenizer, dev, names, batch)
        print(f"epoch {epoch + 1}: {figures}", file=sys.stderr)
        best = max(best, figures, key=lambda each: each["f1"])
    return best


@torch.no_grad()
def measure(net, tokenizer, dev, names, batch):
    """seqeval's figures over the words that are left by truncation."""
    net.eval()
    found, labels, tags = dev
    true, answered = [None] * len(tags), [None] * len(tags)
    order = sorted(range(len(tags)), key=lambda row: len(labels[row]))
    for begin in range(0, len(order), batch):
        rows = order[begin : begin + batch]
        inputs, _ = batch_of(tokenizer, dev, rows)
        numbers = net(**inputs).logits.argmax(-1).numpy()
        for row, answer in zip(rows, numbers, strict=True):
            words = found.word_ids(row)
            first = [
                place
                for place, word in enumerate(words)
                if word is not None and word != words[place - 1]
            ]
            true[row] = [tags[row][words[place]] for place in first]
            answered[row] = [names[answer[place]] for place in first]
    scores = (f1_score, precision_score, recall_score)
    figures = [float(score(true, answered)) for score in scores]
    return dict(zip(("f1", "precision", "recall"), figures, strict=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
