"""Worker: pretraining with KerasHub on TensorFlow. Usage: see pretraining_contender.py.

default: BertMaskedLM as it compiles itself (Adam at 5e-5), dropout 0.1, fit's 32 rows a step.
our_rate: AdamW with our rows a step, peak, warm-up, betas, decay and no dropout.

Both get the same full rows of ids, masked by the layer and at the rates of
BertMaskedLMPreprocessor: its time for cutting words up is spared them. That one makes room for 96
masked words in a row, of 512 tokens; here it is as many as a row of 128 can have, 15 %, rounded up.
"""

import math
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import keras_hub
import tensorflow as tf
from pretraining_contender import main

_RATE, _BATCH, _WEIGHTS = 0.15, 32, "model.weights.h5"


class WarmupAndLine(keras.optimizers.schedules.LearningRateSchedule):
    """Up from 0 to the peak within `warmup` steps, then in a line down to 0."""

    def __init__(self, peak, warmup, steps):
        self.peak, self.warmup, self.steps = peak, warmup, steps

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        rising = (step + 1) / max(1, self.warmup)
        falling = (self.steps - step) / max(1, self.steps - self.warmup)
        return self.peak * tf.clip_by_value(tf.minimum(rising, falling), 0.0, 1.0)


class AfterStep(keras.callbacks.Callback):
    def __init__(self, call):
        super().__init__()
        self.call = call

    def on_train_batch_end(self, batch, logs=None):
        self.call()


def build(settings, **options):
    """The model; options such as `dropout` go to its backbone."""
    sizes = settings["sizes"]
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=sizes["vocab_size"],
        num_layers=sizes["num_hidden_layers"],
        num_heads=sizes["num_attention_heads"],
        hidden_dim=sizes["hidden_size"],
        intermediate_dim=sizes["intermediate_size"],
        max_sequence_length=sizes["max_position_embeddings"],
        **options,
    )
    return keras_hub.models.BertMaskedLM(backbone)


def train(settings, rows, recipe, steps, seed, folder, after_step):
    keras.utils.set_random_seed(seed)
    batch = _BATCH
    if recipe == "our_rate":
        ours = settings["train"]
        batch = ours["batch_size"]
        warmup = ours["warmup"]
        warmup = round(warmup * steps) if warmup < 1 else int(warmup)
        optimizer = keras.optimizers.AdamW(
            WarmupAndLine(ours["learning_rate"], warmup, steps),
            weight_decay=ours["weight_decay"],
            beta_2=ours["beta_2"] or 0.999,
            epsilon=ours["epsilon"] or 1e-7,
            global_clipnorm=ours["clip_norm"],
        )
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        model = build(settings, dropout=settings["sizes"]["hidden_dropout_prob"])
        model.compile(optimizer=optimizer)
    else:
        model = build(settings)
    model.fit(
        batches(settings, rows, batch, seed),
        steps_per_epoch=steps,
        verbose=0,
        callbacks=[AfterStep(after_step)] if after_step else None,
    )
    os.makedirs(folder, exist_ok=True)
    model.save_weights(os.path.join(folder, _WEIGHTS))


def batches(settings, rows, batch, seed):
    """Endless shuffled batches of (inputs, masked words, weights)."""
    ids = settings["ids"]
    masked = keras_hub.layers.MaskedLMMaskGenerator(
        vocabulary_size=settings["sizes"]["vocab_size"],
        mask_selection_rate=_RATE,
        mask_selection_length=math.ceil(_RATE * rows.shape[1]),
        mask_token_id=ids["mask"],
        unselectable_token_ids=list(ids.values()),
    )

    def examples(tokens):
        outputs = masked(tokens)
        inputs = {
            "token_ids": outputs["token_ids"],
            "padding_mask": tokens != ids["pad"],
            "segment_ids": tf.zeros_like(tokens),
            "mask_positions": outputs["mask_positions"],
        }
        return inputs, outputs["mask_ids"], outputs["mask_weights"]

    dataset = tf.data.Dataset.from_tensor_slices(rows).shuffle(len(rows), seed).repeat()
    return dataset.batch(batch).map(examples, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def load(settings, folder):
    model = build(settings)
    model.load_weights(os.path.join(folder, _WEIGHTS))
    forward = tf.function(lambda inputs: model(inputs, training=False), reduce_retracing=True)

    def predict(inputs):
        inputs = {
            "token_ids": inputs["input_ids"],
            "padding_mask": inputs["attention_mask"],
            "segment_ids": inputs["token_type_ids"],
            "mask_positions": inputs["masked_positions"],
        }
        return forward({name: tf.constant(x) for name, x in inputs.items()}).numpy()

    return predict


if __name__ == "__main__":
    main("KerasHub", train, load)
