"""Worker: SQuAD 1.1 with transformers on PyTorch, as its own run_qa.py does it.

usage: worker_squad_transformers.py MODEL TRAIN DEV ANSWERS LENGTH OVERLAP BATCH RATE EPOCHS SEED

Batches are padded to their own longest row and made of rows of like lengths (`group_by_length`);
AdamW is the fused one. The answer is the span of the highest sum of two logits over all windows, of
20 starts and 20 ends in each, 30 tokens at most.
"""

import json
import sys

import numpy as np
import torch
from transformers import (
    AutoModelForQuestionAnswering,
    AutoTokenizer,
    get_linear_schedule_with_warmup,
)


def main(model, train, dev, answers, length, overlap, batch, rate, epochs, seed):
    length, overlap, batch, epochs, seed = map(int, (length, overlap, batch, epochs, seed))
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(model)
    net = AutoModelForQuestionAnswering.from_pretrained(model)

    def windows(questions):
        return tokenizer(
            [q["question"] for _, q in questions],
            [context for context, _ in questions],
            truncation="only_second",
            max_length=length,
            stride=overlap,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )

    questions = read(train)
    found = windows(questions)
    labels = [
        positions(questions[row][1], found.offset_mapping[w], found.sequence_ids(w))
        for w, row in enumerate(found.overflow_to_sample_mapping)
    ]
    learn(net, tokenizer, found, labels, batch, float(rate), epochs, seed)
    questions = read(dev)
    with open(answers, "w", encoding="utf-8") as file:
        json.dump(answer(net, tokenizer, questions, windows(questions), batch), file)


def read(path):
    """List of (context, question)."""
    with open(path, encoding="utf-8") as file:
        articles = json.load(file)["data"]
    paragraphs = [each for article in articles for each in article["paragraphs"]]
    return [(each["context"], question) for each in paragraphs for question in each["qas"]]


def positions(question, offsets, sides):
    """The tokens of the first answer; (0, 0) where the window does not hold it."""
    start = question["answers"][0]["answer_start"]
    end = start + len(question["answers"][0]["text"])
    inside = [place for place, side in enumerate(sides) if side == 1]
    if not inside or offsets[inside[0]][0] > start or offsets[inside[-1]][1] < end:
        return 0, 0
    touched = [x for x in inside if offsets[x][1] > start and offsets[x][0] < end]
    return (touched[0], touched[-1]) if touched else (0, 0)


def padded(tokenizer, found, rows):
    names = ("input_ids", "attention_mask", "token_type_ids")
    return tokenizer.pad({x: [found[x][w] for w in rows] for x in names}, return_tensors="pt")


def learn(net, tokenizer, found, labels, batch, rate, epochs, seed):
    """Linear decay behind a tenth of warm-up, gradients clipped to 1, weight decay 0.01."""
    decayed, plain = [], []
    for name, weight in net.named_parameters():
        (plain if name.endswith("bias") or "LayerNorm" in name else decayed).append(weight)
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=rate, fused=True)
    steps = -(-len(labels) // batch) * epochs
    schedule = get_linear_schedule_with_warmup(optimizer, round(steps * 0.1), steps)
    draw = np.random.default_rng(seed)
    lengths = np.array(list(map(len, found["input_ids"])))
    net.train()
    for _ in range(epochs):
        order = draw.permutation(len(labels))
        groups = [order[i : i + 50 * batch] for i in range(0, len(order), 50 * batch)]
        order = np.concatenate([rows[np.argsort(-lengths[rows], kind="stable")] for rows in groups])
        batches = [order[i : i + batch] for i in range(0, len(order), batch)]
        for step, number in enumerate(draw.permutation(len(batches))):
            rows = batches[number]
            first, last = torch.tensor([labels[w] for w in rows]).T
            inputs = padded(tokenizer, found, rows)
            loss = net(**inputs, start_positions=first, end_positions=last).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            if step % 10 == 0:
                print(f"step {step} of {len(batches)}: {loss.item():.3f}", file=sys.stderr)


@torch.no_grad()
def answer(net, tokenizer, questions, found, batch):
    """The best span of each question over its windows, dict of id -> text."""
    net.eval()
    best, answers = {}, {question["id"]: "" for _, question in questions}
    order = sorted(range(len(found["input_ids"])), key=lambda w: len(found["input_ids"][w]))
    for begin in range(0, len(order), batch):
        rows = order[begin : begin + batch]
        out = net(**padded(tokenizer, found, rows))
        for w, starts, ends in zip(
            rows, out.start_logits.numpy(), out.end_logits.numpy(), strict=True
        ):
            context, question = questions[found.overflow_to_sample_mapping[w]]
            sides, offsets = found.sequence_ids(w), found.offset_mapping[w]
            for i in np.argsort(-starts)[:20]:
                for j in np.argsort(-ends)[:20]:
                    if i > j or j - i >= 30 or j >= len(sides) or sides[i] != 1 or sides[j] != 1:
                        continue
                    if starts[i] + ends[j] > best.get(question["id"], -1e9):
                        best[question["id"]] = starts[i] + ends[j]
                        answers[question["id"]] = context[offsets[i][0] : offsets[j][1]]
    return answers


if __name__ == "__main__":
    main(*sys.argv[1:])
