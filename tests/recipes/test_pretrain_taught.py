"""Pretraining under a teacher: DistilBERT's way, and an encoder without a head as teacher."""

import keras
import numpy as np
import pytest

from bert_tf import MaskedLM, build_encoder, load_task
from bert_tf.errors import ConfigError, InputError
from bert_tf.recipes.pretrain import pretrain
from tests import tiny

from .corpus import SIZES, config_of, corpus


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A corpus, and a teacher of two layers with and without its head."""
    folder = corpus(tmp_path_factory.mktemp("corpus"))
    keras.utils.set_random_seed(1)
    encoder = build_encoder(tiny.config(**SIZES | {"num_hidden_layers": 2}))
    tokenizer = tiny.tokenizer(folder / "vocabulary")
    MaskedLM(encoder).save_pretrained(str(folder / "teacher"), tokenizer)
    encoder.save_pretrained(str(folder / "encoder"), tokenizer)
    return folder


def taught(folder, *sets, steps=2):
    start = [f"model.path={folder}/teacher", "model.changes={}", "model.tokenizer=null"]
    start.append("model.changes={keep_layers: [1]}")
    return config_of(folder, *start, *sets, objective="none", lengths=(16,), steps=steps)


@pytest.mark.slow
def test_every_loss_of_distilbert_trains_half_of_the_layers(folder, tmp_path):
    config = taught(folder, f"distillation.teacher={folder}/teacher")
    results = pretrain(config, str(tmp_path / "run"))
    assert results["phase_1"]["steps"] == 2 and results["phase_1"]["skipped"] == 0
    student = load_task(tmp_path / "run" / "model")
    assert type(student) is MaskedLM and len(student.encoder.blocks) == 1
    log = (tmp_path / "run" / "phase_1" / "metrics.jsonl").read_text()
    assert '"logits"' in log and '"cosine"' in log
    before = load_task(folder / "teacher", keep_layers=[1]).encoder.get_weights()
    same = map(np.array_equal, before, student.encoder.get_weights())
    assert not all(same)


@pytest.mark.slow
def test_an_encoder_without_a_head_teaches_what_goes_on_inside(folder, tmp_path):
    sets = [f"distillation.teacher={folder}/encoder", "distillation.losses={relations: 1}"]
    results = pretrain(taught(folder, *sets), str(tmp_path / "run"))
    assert results["phase_1"]["skipped"] == 0


@pytest.mark.slow
def test_the_best_weights_are_the_nearest_to_the_teacher(folder, tmp_path):
    sets = [f"distillation.teacher={folder}/encoder", "distillation.losses={hidden: 1}"]
    sets += ["train.evaluate_every=2", "train.learning_rate=1e-2"]
    results = pretrain(taught(folder, *sets, steps=10), str(tmp_path / "run"))["phase_1"]
    assert results["best_step"] == 10
    assert results["validation"]["loss"] == pytest.approx(results["validation"]["hidden"])
    with pytest.raises(InputError, match="no head of .*; load_encoder reads the encoder"):
        load_task(tmp_path / "run" / "model")


def test_a_teacher_without_the_head_for_words_cannot_teach_them(folder, tmp_path):
    config = taught(folder, f"distillation.teacher={folder}/encoder")
    with pytest.raises(InputError, match="holds no head for masked words, wanted no dist"):
        pretrain(config, str(tmp_path / "run"))
    with pytest.raises(ConfigError, match="a generator's words are not the teacher's"):
        taught(folder, f"distillation.teacher={folder}/x", "objective.words=replaced_tokens")
    sets = [
        f"distillation.teacher={folder}/teacher",
        "distillation.losses={hidden: {layers: {2: 1}}}",
    ]
    with pytest.raises(ConfigError, match="distillation.losses.hidden: layers: 2: 1, and the stu"):
        pretrain(taught(folder, *sets), str(tmp_path / "run"))
