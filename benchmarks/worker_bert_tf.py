"""Worker: fine-tuning with bert_tf. usage: worker_bert_tf.py BATCHES.npz STEPS THREADS"""

import itertools
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from by_turns import serve
from sentences import batches

from bert_tf.encoders import BertConfig, build_encoder
from bert_tf.tasks import SequenceClassifier
from bert_tf.training.optimizers import AdamW

MINILM = BertConfig(
    hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
)


def classifier(jit=False):
    """The model of the benchmark, ready to train."""
    model = SequenceClassifier(build_encoder(MINILM))
    model.compile(AdamW(5e-5, weight_decay=0.01), clip_norm=1.0, jit_compile=jit)
    return model


def main(path, steps, threads):
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    model = classifier()
    rows = tf.TensorSpec((None, None), tf.int32)
    inputs = dict.fromkeys(("input_ids", "attention_mask", "token_type_ids"), rows)
    labels = tf.TensorSpec((None,), tf.int32)
    step = tf.function(model.train_step, input_signature=[(inputs, labels)])
    stream = batches(path)

    def unit():
        examples = 0
        for data in itertools.islice(stream, steps):
            step(tf.nest.map_structure(tf.constant, data))
            examples += len(data[1])
        return examples

    serve(unit, "bert_tf")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
