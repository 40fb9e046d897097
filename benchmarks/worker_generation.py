"""Worker: a causal language model writes.

usage: worker_generation.py bert_tf|transformers MODEL TEXTS BEAMS TOKENS
"""

import json
import os
import sys

import numpy as np
from by_turns import serve


def bert_tf_writer(model, beams, tokens):
    """Function of prompts, list of lists of int, to what follows each."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import bert_tf

    task = bert_tf.load_task(model)
    return lambda prompts: task.generate(prompts, max_new_tokens=tokens, num_beams=beams)


def transformers_writer(model, beams, tokens):
    """The same of transformers' class."""
    import torch
    from transformers import AutoModelForCausalLM

    task = AutoModelForCausalLM.from_pretrained(model).eval()
    asked = {"num_beams": beams, "do_sample": False, "pad_token_id": task.config.eos_token_id}

    def write(prompts):
        ids = torch.tensor(prompts)
        with torch.no_grad():
            found = task.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, **asked
            )
        return found[:, ids.shape[1] :].tolist()

    return write


WRITERS = {"bert_tf": bert_tf_writer, "transformers": transformers_writer}


def main(package, model, texts, beams, tokens):
    texts, beams, tokens = int(texts), int(beams), int(tokens)
    write = WRITERS[package](model, beams, tokens)
    prompts = np.random.default_rng(2).integers(1000, 40000, (texts, 16)).tolist()
    kept = os.path.join(model, f"written_{texts}_{beams}_{tokens}.json")
    found = write(prompts)
    if not os.path.exists(kept):
        with open(kept, "w", encoding="utf-8") as file:
            json.dump(found, file)
    with open(kept, encoding="utf-8") as file:
        if json.load(file) != found:
            raise SystemExit(f"{package} writes other tokens")
    serve(lambda: sum(map(len, write(prompts))), package)


if __name__ == "__main__":
    main(*sys.argv[1:])
