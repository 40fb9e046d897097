"""Worker: fine-tuning with transformers on PyTorch, with dynamic padding and length grouping.

usage: worker_transformers.py BATCHES.npz STEPS THREADS [fused|foreach] [eager|compile]
"""

import itertools
import sys

import torch
from by_turns import serve
from sentences import batches
from transformers import BertConfig, BertForSequenceClassification


def main(path, steps, threads, adamw="fused", mode="eager"):
    torch.set_num_threads(threads)
    config = BertConfig(
        hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
    )
    model = BertForSequenceClassification(config).train()
    decayed, plain = [], []
    for name, weight in model.named_parameters():
        (plain if name.endswith("bias") or "LayerNorm" in name else decayed).append(weight)
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=5e-5, **{adamw: True})
    run = torch.compile(model, dynamic=True) if mode == "compile" else model
    weights = list(model.parameters())
    stream = batches(path)

    def unit():
        examples = 0
        for inputs, labels in itertools.islice(stream, steps):
            inputs = {name: torch.from_numpy(x).long() for name, x in inputs.items()}
            run(**inputs, labels=torch.from_numpy(labels).long()).loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            examples += len(labels)
        return examples

    serve(unit, f"transformers, {mode}, {adamw} AdamW")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
