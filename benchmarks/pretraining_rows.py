"""The text that all contenders of pretraining_quality.py learn from, and what they are asked."""

import glob
import json
import os
import shutil

import numpy as np

_LINES_AT_ONCE = 4096
_HELD_OUT = {
    "input_ids": "input_ids",
    "input_mask": "attention_mask",
    "segment_ids": "token_type_ids",
    "masked_lm_positions": "masked_positions",
    "masked_lm_ids": "masked_ids",
    "masked_lm_weights": "masked_weights",
}


def prepare(folder, config, text, records, held_out, tokenizer):
    """Writes rows.npy, held_out.npz, config.yaml and settings.json; to read, no TensorFlow needed.

    Args:
      folder: str, made if absent.
      config: str, the YAML file of `bert-tf pretrain`; size and learning rate are taken from it.
      text: str, a glob of files with a sentence a line and a blank line between documents.
      records: str, a folder of records of that text, for bert_tf.
      held_out: str, a folder of records of other text, with masks in them.
      tokenizer: str, a folder.
    """
    import dataclasses

    from bert_tf.config import PretrainConfig, load
    from bert_tf.encoders import SIZES
    from bert_tf.pretraining_data.records.table import RecordTable
    from bert_tf.text import Tokenizer

    run, vocabulary = load(PretrainConfig, config), Tokenizer.from_pretrained(tokenizer)
    sizes = dataclasses.replace(
        SIZES[run.model.size],
        **{"vocab_size": vocabulary.vocab_size, "pad_token_id": vocabulary.pad_id},
        **run.model.changes,
    )
    train = run.phases[0].settings(run.train)
    settings = {
        # A copy: what the others are told of our recipe stays true when the file is changed.
        "config": os.path.join(os.path.abspath(folder), "config.yaml"),
        "records": os.path.abspath(records),
        "tokenizer": os.path.abspath(tokenizer),
        "sizes": dataclasses.asdict(sizes),
        "ids": {name: getattr(vocabulary, f"{name}_id") for name in ("pad", "cls", "sep", "mask")},
        "train": dataclasses.asdict(train),
    }
    os.makedirs(folder, exist_ok=True)
    shutil.copyfile(config, settings["config"])
    rows = _full_rows(text, vocabulary, sizes.max_position_embeddings)
    np.save(os.path.join(folder, "rows.npy"), rows)
    table = RecordTable(held_out, vocabulary)
    if table.max_predictions is None:
        raise SystemExit(f"{held_out}: rows without masks, wanted --masking=static")
    questions = table.parse(table.read(np.arange(len(table))))
    questions = {ours: questions[theirs].numpy() for theirs, ours in _HELD_OUT.items()}
    np.savez(os.path.join(folder, "held_out.npz"), **questions)
    settings["by_frequency"] = _by_frequency(rows[:, 1:-1], sizes.vocab_size, questions)
    with open(os.path.join(folder, "settings.json"), "w", encoding="utf-8") as file:
        json.dump(settings, file, indent=2)
    asked = int(questions["masked_weights"].sum())
    print(f"{len(rows)} rows of text; {len(table)} rows held out, {asked} masked words in them")


def read(folder):
    """What `prepare` wrote: settings (dict), rows (int32 [N, L]), held_out (dict of arrays)."""
    with open(os.path.join(folder, "settings.json"), encoding="utf-8") as file:
        settings = json.load(file)
    rows = np.load(os.path.join(folder, "rows.npy"))
    return settings, rows, dict(np.load(os.path.join(folder, "held_out.npz")))


def score(predict, held_out, batch_size=64):
    """Loss and accuracy over all masked words, reckoned alike whoever predicts.

    Args:
      predict: function of a dict of int32 arrays, input_ids, attention_mask, token_type_ids [B, L]
        and masked_positions [B, P] -> logits, float [B, P, V].
      held_out: dict of arrays, those and masked_ids, masked_weights [N, P].
    Returns:
      Two floats: the mean cross-entropy, and the share whose word has the highest logit.
    """
    loss = right = 0.0
    for start in range(0, len(held_out["input_ids"]), batch_size):
        part = {name: values[start : start + batch_size] for name, values in held_out.items()}
        ids, weights = part.pop("masked_ids"), part.pop("masked_weights")
        logits = np.asarray(predict(part), np.float64)
        highest = logits.max(axis=-1)
        normalizer = highest + np.log(np.exp(logits - highest[..., None]).sum(axis=-1))
        wanted = np.take_along_axis(logits, ids[..., None], axis=-1)[..., 0]
        loss += float(((normalizer - wanted) * weights).sum())
        right += float(((logits.argmax(axis=-1) == ids) * weights).sum())
    asked = float(held_out["masked_weights"].sum())
    return loss / asked, right / asked


def _by_frequency(tokens, vocab_size, held_out):
    """Loss and accuracy of one who knows how often each word occurs, and nothing else."""
    counts = np.bincount(tokens.ravel(), minlength=vocab_size) + 1.0
    logits = np.log(counts)[None, None]
    places = held_out["masked_positions"].shape[1]
    return score(lambda part: np.tile(logits, (len(part["input_ids"]), places, 1)), held_out)


def _full_rows(text, tokenizer, length):
    """All of the text as int32 [N, length]: [CLS], running text, [SEP]; documents end in [SEP]."""
    files = sorted(glob.glob(text))
    if not files:
        raise SystemExit(f"{text}: matches no file")
    stream = []
    for path in files:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
        for start in range(0, len(lines), _LINES_AT_ONCE):
            batch = tokenizer(lines[start : start + _LINES_AT_ONCE], max_length=_LINES_AT_ONCE)
            ids, mask = batch["input_ids"].numpy(), batch["attention_mask"].numpy() > 0
            # Of a blank line nothing but [CLS] and [SEP] is there: that [SEP] stays.
            blank = mask.sum(axis=1, keepdims=True) == 2
            special = (ids == tokenizer.cls_id) | ((ids == tokenizer.sep_id) & ~blank)
            stream.append(ids[mask & ~special])
    stream = np.concatenate(stream)
    count = len(stream) // (length - 2)
    rows = np.empty((count, length), np.int32)
    rows[:, 0], rows[:, -1] = tokenizer.cls_id, tokenizer.sep_id
    rows[:, 1:-1] = stream[: count * (length - 2)].reshape(count, length - 2)
    return rows
