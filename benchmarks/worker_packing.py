"""Worker: pretraining steps on records in one layout.

usage: worker_packing.py RECORDS TOKENIZER STEPS packed|sorted|padded
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from by_turns import serve

from bert_tf import BertConfig, Pretraining, Tokenizer, build_encoder
from bert_tf.config import Masking
from bert_tf.data.packing import Packing
from bert_tf.pretraining_data.batches import pretraining_batches
from bert_tf.pretraining_data.masking import MaskingVocabulary
from bert_tf.pretraining_data.records.table import RecordTable
from bert_tf.tasks import MaskedLM
from bert_tf.training.loop import step_function

BATCH = 8


def main(records, folder, steps, layout):
    tokenizer = Tokenizer.from_pretrained(folder)
    rows = RecordTable(records, tokenizer)
    config = BertConfig(len(tokenizer.vocabulary), 384, 6, 12, 1536)
    encoder, objective = build_encoder(config), rows.sentence_objective
    model = MaskedLM(encoder) if objective == "none" else Pretraining(encoder, objective)
    model.compile()
    batches = pretraining_batches(
        rows,
        Masking(),
        MaskingVocabulary.of(tokenizer),
        batch_size=BATCH,
        seed=1,
        packing=Packing() if layout == "packed" else None,
        length_multiple=rows.max_length if layout == "padded" else 1,
    )
    run = step_function(model, tf.distribute.get_strategy(), batches.element_spec)
    stream = iter(batches)

    def unit():
        return sum(float(run(next(stream), tf.constant(False))["tokens"]) for _ in range(steps))

    serve(unit, layout)


if __name__ == "__main__":
    main(*sys.argv[1:3], int(sys.argv[3]), sys.argv[4])
