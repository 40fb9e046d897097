"""Worker: fine-tuning with KerasHub's BertTextClassifier on its preprocessor's rows of 128.

usage: worker_keras_hub.py BATCHES.npz STEPS THREADS [jit]
"""

import itertools
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import keras_hub
import tensorflow as tf
from by_turns import serve
from sentences import batches


def main(path, steps, threads, jit=""):
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=30522, num_layers=6, num_heads=12, hidden_dim=384, intermediate_dim=1536
    )
    model = keras_hub.models.BertTextClassifier(backbone, num_classes=2, preprocessor=None)
    optimizer = keras.optimizers.AdamW(5e-5, weight_decay=0.01, global_clipnorm=1.0)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        optimizer=optimizer,
        jit_compile=bool(jit),
    )
    stream = batches(path, fixed=True)

    def unit():
        examples = 0
        for inputs, labels in itertools.islice(stream, steps):
            inputs = {
                "token_ids": inputs["input_ids"],
                "segment_ids": inputs["token_type_ids"],
                "padding_mask": inputs["attention_mask"],
            }
            model.train_on_batch(inputs, labels)
            examples += len(labels)
        return examples

    serve(unit, "KerasHub" + (", jit" if jit else ""))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
