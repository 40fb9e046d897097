"""Families with ways of their own go the whole way through the commands: fine-tuning on packed
rows, pretraining, evaluation, export, answers."""

import json

import numpy as np
import pytest

from bert_tf import (
    DistilBertConfig,
    MobileBertConfig,
    RobertaConfig,
    build_encoder,
    cli,
    load_task,
)
from bert_tf.recipes.pretrain import pretrain
from tests import tiny

from .corpus import config_of, corpus

SIZES = tiny.sizes(vocab_size=len(tiny.vocabulary()), hidden_size=16, max_position_embeddings=32)
CONFIGS = {
    # WordPiece's padding has the id 0, and its rows of single texts the type 0.
    "roberta": RobertaConfig(**SIZES, pad_token_id=0, type_vocab_size=1),
    "distilbert": DistilBertConfig(**SIZES),
    "mobilebert": MobileBertConfig(**SIZES, embedding_size=8, intra_bottleneck_size=8),
}
slow = pytest.mark.slow


def lines_of(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize(
    "family",
    ["roberta", pytest.param("distilbert", marks=slow), pytest.param("mobilebert", marks=slow)],
)
def test_it_is_fine_tuned_on_packed_rows_exported_and_answers(family, tmp_path, capsys):
    encoder = build_encoder(CONFIGS[family])
    encoder.save_pretrained(str(tmp_path / "start"), tiny.tokenizer(tmp_path / "vocabulary"))
    rows = "".join(f"{'good' if row % 2 else 'bad'} film\t{row % 2}\n" for row in range(24))
    (tmp_path / "rows.tsv").write_text("text\tlabel\n" + rows)
    (tmp_path / "config.yaml").write_text(f"""
model: {{path: {tmp_path}/start}}
data: {{train: {tmp_path}/rows.tsv, max_length: 12, validation: 0.25, packing: true}}
train: {{batch_size: 8, steps: 3, learning_rate: 1.0e-2}}
""")
    argv = [f"--config={tmp_path}/config.yaml", f"--workdir={tmp_path}/run"]
    assert cli.main(["finetune", *argv]) == 0
    model = load_task(tmp_path / "run/model")
    assert model.encoder.config == CONFIGS[family]
    moved = encoder.embeddings.word_embeddings - model.encoder.embeddings.word_embeddings
    assert np.abs(moved).max() > 1e-3
    export = [f"--model={tmp_path}/run/model", f"--output={tmp_path}/export"]
    assert cli.main(["export", *export]) == 0
    (tmp_path / "in.txt").write_text("good film\nbad film . not very good\n")
    found = []
    for place in ("run/model", "export"):
        argv = [f"--model={tmp_path}/{place}", f"--input={tmp_path}/in.txt"]
        assert cli.main(["predict", *argv, f"--output={tmp_path}/out.jsonl"]) == 0
        found.append([row["probabilities"] for row in lines_of(tmp_path / "out.jsonl")])
    np.testing.assert_allclose(*found, atol=1e-5)


@slow
@pytest.mark.parametrize("family", CONFIGS)
def test_it_is_pretrained_with_masked_words_alone(family, tmp_path_factory, tmp_path):
    folder = corpus(tmp_path_factory.mktemp("corpus"))
    changes = ["model.changes.embedding_size=8"] if family == "mobilebert" else []
    config = config_of(folder, f"model.family={family}", *changes, objective="none")
    results = pretrain(config, str(tmp_path))
    assert results["phase_1"]["validation"]["masked_lm"] > 0
    back = load_task(tmp_path / "model")
    assert type(back).__name__ == "MaskedLM" and back.encoder.config.model_type == family


def test_padding_that_is_another_id_than_the_model_s_is_refused(tmp_path, capsys):
    config = RobertaConfig(**SIZES, type_vocab_size=1)
    encoder = build_encoder(config)
    encoder.save_pretrained(str(tmp_path / "start"), tiny.tokenizer(tmp_path / "vocabulary"))
    (tmp_path / "rows.tsv").write_text("text\tlabel\ngood\t1\nbad\t0\n")
    (tmp_path / "config.yaml").write_text(f"""
model: {{path: {tmp_path}/start}}
data: {{train: {tmp_path}/rows.tsv, max_length: 12}}
train: {{batch_size: 2, steps: 1}}
""")
    argv = [f"--config={tmp_path}/config.yaml", f"--workdir={tmp_path}/run"]
    assert cli.main(["finetune", *argv]) == 1
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert "pad_token_id: 1, and the tokenizer's padding has id 0: a roberta counts" in line
