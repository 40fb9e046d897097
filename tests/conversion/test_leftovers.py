"""What training and other code left in the files is set aside, and named once."""

import json
import logging

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file

from bert_tf import BertConfig, MaskedLM, build_encoder, convert, load_encoder, load_task
from bert_tf.conversion.google import write_google
from bert_tf.conversion.leftovers import model_tensors
from bert_tf.conversion.table import StoredTensor
from bert_tf.errors import InputError
from tests import tiny

CONFIG = BertConfig(**tiny.sizes(vocab_size=16))
SLOTS = ("Adam", "Adam_1", "adam_m", "lamb_v", "LAMB", "Momentum", "Adafactor_1", "novograd_v")


@pytest.fixture
def folder(tmp_path):
    """A directory with a masked LM, and the model."""
    model = MaskedLM(build_encoder(CONFIG))
    model.save_pretrained(str(tmp_path / "hf"))
    return tmp_path / "hf", model


def same_weights(first, second):
    pairs = list(zip(first.weights, second.weights, strict=True))
    return all(np.array_equal(a.numpy(), b.numpy()) for a, b in pairs)


def change(directory, change):
    file = directory / "model.safetensors"
    save_file(change(load_file(file)), file)


def stored(*names):
    return {name: StoredTensor("f", (2,), "float32", None) for name in names}


def messages(caplog, part):
    return [r.getMessage() for r in caplog.records if part in r.getMessage()]


def test_the_state_of_training_in_a_google_checkpoint_is_set_aside_and_named_once(
    folder, tmp_path, caplog
):
    directory, model = folder
    convert(directory, tmp_path / "ours", "google")
    reader = tf.train.load_checkpoint(str(tmp_path / "ours" / "bert_model.ckpt"))
    tensors = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    scalar = np.array(0.9, "float32")
    names = sorted(tensors)
    left = {f"{name}/{slot}": tensors[name] for name in names[:3] for slot in SLOTS}
    left |= {f"{name}/ExponentialMovingAverage": tensors[name] for name in names}
    left |= {f"OptimizeLoss/{names[0]}/Adam": tensors[names[0]], "bert/gone/kernel/Adam_1": scalar}
    left |= {name: scalar for name in ("beta1_power", "beta2_power_1", "loss_scale", "good_steps")}
    left |= {"training/beta1_power": scalar, "global_step": np.array(7)}
    (tmp_path / "google").mkdir()
    config = json.loads((tmp_path / "ours" / "bert_config.json").read_text())
    write_google(tmp_path / "google", config, tensors | left)
    for load in (load_task, load_encoder):
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="absl"):
            back = load(tmp_path / "google")
        back = back if load is load_task else back.without_pooler()
        assert same_weights(back, model if load is load_task else model.encoder)
        told = messages(caplog, "state of a training run")
        assert len(told) == 1 and f"{len(left) - 1} tensors" in told[0] and " more" in told[0]


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.module.", "module/"])
def test_the_prefix_of_a_wrapper_is_taken_off(folder, prefix):
    directory, model = folder
    change(directory, lambda t: {prefix + name: array for name, array in t.items()})
    assert same_weights(load_task(directory), model)
    # An average of weights counts how many it is made of, outside of the model.
    change(directory, lambda t: t | {"n_averaged": np.array(3)})
    assert same_weights(load_task(directory), model)


def test_a_prefix_that_few_names_bear_is_a_name(tmp_path):
    names = ("bert.a", "bert.b", "module.c")
    assert tuple(model_tensors(stored(*names), "f")) == names
    with pytest.raises(InputError, match="f: a is there with the prefix module. and without"):
        model_tensors(stored("module.a", "module.b", "a"), "f")


def test_heads_of_other_code_are_set_aside_for_an_encoder_and_refused_for_a_task(folder, caplog):
    directory, model = folder
    heads = {"crf.transitions": (3, 3), "fc.weight": (5, 8), "output_layer.dense.bias": (8,)}
    change(directory, lambda t: t | {name: np.zeros(shape, "f") for name, shape in heads.items()})
    with caplog.at_level(logging.WARNING, logger="absl"):
        back = load_encoder(directory)
    assert same_weights(back.without_pooler(), model.encoder)
    told = messages(caplog, "heads of other code")
    assert len(told) == 1 and "3 tensors" in told[0] and "crf.transitions" in told[0]
    with pytest.raises(InputError, match="3 left over: crf.transitions"):
        load_task(directory)


def test_among_the_encoder_s_own_tensors_nothing_is_set_aside(folder):
    directory, model = folder
    extra = "bert.encoder.layer.0.attention.self.distance_embedding.weight"
    change(directory, lambda t: t | {extra: np.zeros((19, 4), "f")})
    with pytest.raises(InputError, match="1 left over: encoder.layer.0.attention.self.distance"):
        load_encoder(directory)
    build_encoder(CONFIG).save_pretrained(str(directory))
    change(directory, lambda t: t | {"embeddings.extra": np.zeros(2, "f")})
    with pytest.raises(InputError, match="1 left over: embeddings.extra"):
        load_encoder(directory)


def test_published_heads_are_left_aside_without_a_word(folder, caplog):
    with caplog.at_level(logging.WARNING, logger="absl"):
        load_encoder(folder[0])
    assert not messages(caplog, "sets aside")
