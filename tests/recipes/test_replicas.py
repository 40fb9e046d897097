"""One run on 1, 2 or 4 replicas, in 1, 2 or 4 micro-batches, or under `fit`: the same weights."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file

import bert_tf
from bert_tf.config import (
    DataSection,
    DistributionSection,
    FinetuneConfig,
    ModelSection,
    TrainSection,
)
from bert_tf.recipes.finetune import finetune
from bert_tf.training.optimizers import AdamW
from bert_tf.training.schedules import WarmupSchedule
from tests import tiny
from tests.tiny import mirrored

STEPS = 16


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A run of 2 epochs with clipping and no dropout over 64 labelled rows of unequal lengths."""
    folder = tmp_path_factory.mktemp("replicas")
    keras.utils.set_random_seed(7)
    encoder = bert_tf.build_encoder(
        tiny.config(
            num_hidden_layers=1,
            initializer_range=0.3,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    )
    encoder.save_pretrained(str(folder / "encoder"), tiny.tokenizer(folder / "tokenizer"))
    rng = np.random.default_rng(5)
    rows = ["text\tlabel"]
    for number in range(64):
        word = ("good", "bad")[number % 2]
        others = rng.choice(tiny.WORDS[2:], rng.integers(1, 9))
        rows.append(f"{' '.join([*others, word])}\t{word}")
    file = folder / "rows.tsv"
    file.write_text("\n".join(rows) + "\n")
    return FinetuneConfig(
        model=ModelSection(path=str(folder / "encoder")),
        data=DataSection(train=str(file), validation=str(file), max_length=16),
        train=TrainSection(
            batch_size=8, steps=STEPS, learning_rate=1e-3, clip_norm=0.5, evaluate_every=STEPS
        ),
    )


@pytest.fixture(scope="module")
def commanded(config, tmp_path_factory):
    """The folder of the model that one device ends with."""
    folder = tmp_path_factory.mktemp("whole")
    run(config, folder)
    return folder / "model"


@pytest.fixture(scope="module")
def whole(commanded):
    """The weights one device ends with."""
    return load_file(commanded / "model.safetensors")


def run(config, folder, strategy="one_device", **train):
    config = dataclasses.replace(
        config,
        train=dataclasses.replace(config.train, **train),
        distribution=DistributionSection(strategy=strategy),
    )
    finetune(config, str(folder))
    return load_file(folder / "model" / "model.safetensors")


def assert_same(weights, others):
    assert weights.keys() == others.keys()
    for name in weights:
        if name.endswith("attention.self.key.bias"):
            continue  # The softmax does not see it: its gradient is rounding, which Adam enlarges.
        np.testing.assert_allclose(weights[name], others[name], atol=1e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("parts", [4])
def test_accumulation_ends_at_the_weights_of_the_whole_batch(config, whole, tmp_path, parts):
    assert_same(run(config, tmp_path, accumulate=parts), whole)


@pytest.mark.parametrize("replicas, parts", [pytest.param(4, 1, marks=pytest.mark.slow), (2, 2)])
def test_replicas_end_at_the_weights_of_one_device(
    config, whole, tmp_path, monkeypatch, replicas, parts
):
    devices = tf.config.list_logical_devices("CPU")[:replicas]
    monkeypatch.setattr(
        tf.config, "list_logical_devices", lambda kind=None: [] if kind == "GPU" else devices
    )
    assert_same(run(config, tmp_path, "mirrored", accumulate=parts), whole)


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [2])
def test_fit_ends_at_the_weights_of_the_command(config, commanded, whole, tmp_path, replicas):
    head = bert_tf.load_task(str(commanded))
    strategy = tf.distribute.get_strategy()
    if replicas > 1:
        devices = tf.config.list_logical_devices("CPU")[:replicas]
        strategy = mirrored([device.name for device in devices])
    with strategy.scope():
        keras.utils.set_random_seed(config.train.seed)
        encoder = bert_tf.load_encoder(config.model.path)
        model = bert_tf.SequenceClassifier(encoder, 2, head.label_names)
        model.compile(
            AdamW(WarmupSchedule(1e-3, STEPS, 2), weight_decay=0.01), seed=42, clip_norm=0.5
        )
    tokenizer = bert_tf.Tokenizer.from_pretrained(config.model.path)
    dataset = bert_tf.read_dataset(
        config.data.train, tokenizer, batch_size=8, max_length=16, shuffle_seed=42
    )
    model.fit(dataset, epochs=2, verbose=0)
    model.save_pretrained(str(tmp_path / "fitted"))
    assert_same(load_file(tmp_path / "fitted" / "model.safetensors"), whole)
