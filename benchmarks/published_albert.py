"""Logits of a published ALBERT for masked words, beside PyTorch's: the largest difference.

    pip download --no-deps rxnmapper==0.4.3 && unzip rxnmapper-0.4.3-py3-none-any.whl
    FOLDER=rxnmapper/models/transformers/albert_heads_8_uspto_all_1310k
    python benchmarks/published_albert.py $FOLDER

Needs torch and transformers besides, which also read its pytorch_model.bin: tensors alone, no
other object is unpickled.
"""

import sys
import tempfile

import numpy as np
import torch
import transformers

import bert_tf

LENGTHS = ((4, 40), (2, 200), (1, 512))


def main(folder):
    """Prints the largest difference of each length, relative to the largest logit."""
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(folder).eval()
    with tempfile.TemporaryDirectory() as copy:
        theirs.save_pretrained(copy)  # as safetensors
        models = {"pytorch_model.bin": bert_tf.load_task(folder)}
        models["safetensors"] = bert_tf.load_task(copy)
    numbers = np.random.default_rng(0)
    for rows, length in LENGTHS:
        ids = numbers.integers(5, theirs.config.vocab_size, (rows, length))
        mask = np.ones_like(ids)
        mask[-1, length // 2 :] = 0
        with torch.no_grad():
            found = theirs(input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask))
        want = found.logits.numpy()[mask > 0]
        batch = {"input_ids": ids.astype("int32"), "attention_mask": mask.astype("int32")}
        for name, model in models.items():
            got = np.asarray(model(batch))[mask > 0]
            difference = np.abs(got - want).max() / np.abs(want).max()
            print(f"{rows} rows of {length}, {name}: {difference:.1e}")


if __name__ == "__main__":
    main(sys.argv[1])
