"""Worker: `bert-tf pretrain` with the recipe it is given. Usage: see pretraining_contender.py.

Weights are kept as they are after the last step, not picked by an evaluation on the way.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from pretraining_contender import main

from bert_tf import load_task
from bert_tf.config import PretrainConfig
from bert_tf.config import load as load_config
from bert_tf.pretraining_data.batches import epoch_steps, pretraining_batches
from bert_tf.pretraining_data.masking import MaskingVocabulary
from bert_tf.pretraining_data.records.table import RecordTable
from bert_tf.recipes.finetune import compile_model
from bert_tf.recipes.pretrain import pretrain
from bert_tf.recipes.pretrain_start import start_model
from bert_tf.text import Tokenizer
from bert_tf.training.loop import step_function


def train(settings, rows, recipe, steps, seed, folder, after_step):
    del rows, recipe  # its own records, and but one recipe
    changes = {
        "model.tokenizer": settings["tokenizer"],
        "phases.1.records": settings["records"],
        "phases.1.validation": 0.002,
        "phases.1.steps": steps,
        "train.evaluate_every": steps,
        "train.seed": seed,
    }
    overrides = [f"{key}={value}" for key, value in changes.items()]
    config = load_config(PretrainConfig, settings["config"], overrides)
    if after_step is None:
        pretrain(config, folder)
    else:
        run_steps(config, after_step)


def run_steps(config, after_step):
    """The steps that the recipe makes, and nothing between them."""
    section = config.phases[0].settings(config.train)
    keras.utils.set_random_seed(section.seed)
    tokenizer = Tokenizer.from_pretrained(config.model.tokenizer)
    rows = RecordTable(config.phases[0].records, tokenizer)
    model = start_model(config, tokenizer, "none")
    compile_model(model, section, section.steps, epoch_steps(rows, section.batch_size))
    batches = pretraining_batches(
        *(rows, config.masking, MaskingVocabulary.of(tokenizer)),
        **{"batch_size": section.batch_size, "seed": section.seed, "stop_step": section.steps},
    )
    run = step_function(model, tf.distribute.get_strategy(), batches.element_spec)
    for batch in batches:
        bool(run(batch, tf.constant(False))["applied"])
        after_step()


def load(settings, folder):
    own = os.path.join(folder, "model")
    model = load_task(own if os.path.isdir(own) else folder)

    def predict(inputs):
        outputs = model.forward({name: tf.constant(x) for name, x in inputs.items()})
        return model.masked_lm_logits(outputs).numpy()

    return predict


if __name__ == "__main__":
    main("bert_tf", train, load)
