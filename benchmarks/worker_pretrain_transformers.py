"""Worker: pretraining with transformers' Trainer. Usage: see pretraining_contender.py.

default: what the masked-LM example of transformers amounts to when only the size of the model is
given: full rows, DataCollatorForLanguageModeling, TrainingArguments as they are (8 rows a step,
5e-5 falling in a line, dropout 0.1). Its rows begin with [CLS] and end with [SEP] as those of the
held-out text do, where the example's are cut without regard to them.
our_rate: our rows a step, peak, warm-up, betas, decay and no dropout.

Needs torch, transformers and accelerate.
"""

import os

import torch
from pretraining_contender import main
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertTokenizer,
    DataCollatorForLanguageModeling,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "pad_token_id",
)
_DROPOUT = ("hidden_dropout_prob", "attention_probs_dropout_prob")


class Rows(torch.utils.data.Dataset):
    """Full rows as a tokenizer would give them."""

    def __init__(self, rows, specials):
        self.rows = rows
        self.special = (rows[..., None] == list(specials)).any(axis=-1).astype("int32")

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, number):
        return {
            "input_ids": self.rows[number].tolist(),
            "special_tokens_mask": self.special[number].tolist(),
        }


class AfterStep(TrainerCallback):
    def __init__(self, call):
        self.call = call

    def on_step_end(self, args, state, control, **kwargs):
        self.call()


def train(settings, rows, recipe, steps, seed, folder, after_step):
    set_seed(seed)
    torch.set_num_threads(os.cpu_count())
    sizes = {name: settings["sizes"][name] for name in _SIZES}
    arguments = {}
    if recipe == "our_rate":
        sizes |= {name: settings["sizes"][name] for name in _DROPOUT}
        ours = settings["train"]
        arguments = {
            "per_device_train_batch_size": ours["batch_size"],
            "learning_rate": ours["learning_rate"],
            "warmup_steps": ours["warmup"],  # below 1: a share
            "adam_beta2": ours["beta_2"] or 0.999,
            "adam_epsilon": ours["epsilon"] or 1e-8,
            "weight_decay": ours["weight_decay"],
            "max_grad_norm": ours["clip_norm"] or 0.0,
        }
    model = BertForMaskedLM(BertConfig(**sizes))
    tokenizer = BertTokenizer.from_pretrained(settings["tokenizer"])
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=folder,
            max_steps=steps,
            seed=seed,
            **{"use_cpu": True, "report_to": "none", "disable_tqdm": True, "save_strategy": "no"},
            # Else the collator works out anew which tokens are special, row by row.
            remove_unused_columns=False,
            **arguments,
        ),
        train_dataset=Rows(rows, settings["ids"].values()),
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15),
        callbacks=[AfterStep(after_step)] if after_step else None,
    )
    trainer.train()
    model.save_pretrained(folder)


def load(settings, folder):
    torch.set_num_threads(os.cpu_count())
    model = BertForMaskedLM.from_pretrained(folder).eval()

    def predict(inputs):
        inputs = {name: torch.from_numpy(x).long() for name, x in inputs.items()}
        places = inputs.pop("masked_positions")
        with torch.no_grad():
            outputs = model.bert(**inputs).last_hidden_state
            places = places[..., None].expand(-1, -1, outputs.shape[-1])
            return model.cls(outputs.gather(1, places)).numpy()

    return predict


if __name__ == "__main__":
    main("transformers", train, load)
