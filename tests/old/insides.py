"""What the tests of old files call that is not public, all in one place.

The commands tell what they learn, not what they read and draw; this is where that comes to light.
Whoever moves one of these functions changes it here, and nowhere else in this folder.
"""

import numpy as np

import bert_tf
from bert_tf.config import Masking, Noise
from bert_tf.data.packed_batches import packed_batches, packed_order
from bert_tf.data.packing import Packing
from bert_tf.data.pipeline import training_batches
from bert_tf.layers.dropout import dropout, fold_in, new_key
from bert_tf.pretraining_data.batches import evaluation_batches, pretraining_batches
from bert_tf.pretraining_data.masking import MaskingVocabulary
from bert_tf.pretraining_data.records.table import RecordTable
from tests.tables import read_table, text_features


def read_records(folder):
    """What a folder of records tells, dict, and three of its rows, dict of int or float [3, n]."""
    table = RecordTable(folder, bert_tf.Tokenizer.from_pretrained("start"))
    kept = ("max_length", "max_predictions", "copies", "labels", "sentence_objective")
    told = {"rows": len(table), **{key: getattr(table, key) for key in kept}}
    rows = table.read(np.array([0, len(table) // 2, len(table) - 1]))
    return told, {name: values.numpy() for name, values in table.parse(rows).items()}


def draws_of_fine_tuning():
    """The first batches of train.tsv, those of much later steps, and packed ones; by name."""
    tokenizer, few = bert_tf.Tokenizer.from_pretrained("start"), dict(start_step=0, stop_step=3)
    table, rows = read_table("train.tsv"), dict(batch_size=8, seed=42)
    features, whole = text_features(tokenizer, 40), text_features(tokenizer, 40, "longest")
    plan = packed_order(table, whole, packing=Packing(), **rows)
    later = dict(start_step=100, stop_step=102)
    return {
        "finetune": training_batches(table, features, **rows, **few),
        "finetune-later": training_batches(table, features, **rows, **later),
        "finetune-packed": packed_batches(table, whole, plan, **few),
    }


def draws_of_pretraining():
    """The first batches of the records: masks by every unit, noise, packing, labels; by name."""
    tokenizer, few = bert_tf.Tokenizer.from_pretrained("start"), dict(start_step=0, stop_step=3)
    vocabulary, rows = MaskingVocabulary.of(tokenizer), dict(batch_size=8, seed=42)
    noise = Noise(insertion=0.2, deletion=0.2, replacement=0.2)

    def batches(records, masking, **more):
        table = RecordTable(f"records/{records}", tokenizer)
        return pretraining_batches(table, masking, vocabulary, **rows, **few, **more)

    held_out = RecordTable("records/dynamic", tokenizer)
    return {
        "pretrain-token-packed": batches("dynamic", Masking(), packing=Packing()),
        "pretrain-word-noise": batches("dynamic", Masking(unit="word"), noise=noise),
        "pretrain-ngram": batches("dynamic", Masking(unit="ngram", probability=0.3)),
        "pretrain-span-labels": batches("labels", Masking(unit="span"), noise=noise),
        "pretrain-static": batches("static", None),
        "held-out": evaluation_batches(held_out, Masking(), vocabulary, **rows).take(3),
    }


def draws_of_dropout():
    """Keys of a step and of places in it, int64 [2] each, and a mask drawn under one of them."""
    key = new_key(42, 7)
    keys = [key, fold_in(key, 3), fold_in(fold_in(key, 3), 1000)]
    mask = dropout(np.ones((4, 25), "float32"), 0.1, keys[1])
    return [np.asarray(each) for each in keys], np.asarray(mask)
