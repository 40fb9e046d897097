"""Families with ways of their own go the whole way through the commands: fine-tuning on packed
rows, pretraining, evaluation, export, answers."""

import json

import numpy as np
import pytest

from bert_tf import (
    DistilBertConfig,
    ElmoConfig,
    MobileBertConfig,
    RobertaConfig,
    SequenceClassifier,
    Tokenizer,
    Word2VecConfig,
    build_encoder,
    cli,
    load_task,
    pipeline,
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
    "word2vec": Word2VecConfig(vocab_size=len(tiny.vocabulary()), hidden_size=16),
    "elmo": ElmoConfig(vocab_size=len(tiny.vocabulary()), hidden_size=16, intermediate_size=8),
}
slow = pytest.mark.slow


def lines_of(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize(
    "family",
    [pytest.param(family, marks=slow) for family in CONFIGS],
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


def byte_pairs(folder):
    """A Tokenizer as RoBERTa's, over letters, spaces and a few merges of them."""
    merges = ["Ġ f", "Ġf i", "l m", "Ġfi lm", "g o", "o d", "go od"]
    letters = [*"abcdefghijklmnopqrstuvwxyz.", "Ġ"]
    entries = ["<s>", "<pad>", "</s>", "<unk>", *letters]
    entries += [*(merge.replace(" ", "") for merge in merges), "<mask>"]
    folder.mkdir()
    ids = {entry: number for number, entry in enumerate(entries)}
    (folder / "vocab.json").write_text(json.dumps(ids), encoding="utf-8")
    lines = ["#version: 0.2", *merges]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "RobertaTokenizer"}')
    return Tokenizer.from_pretrained(folder)


def roberta(tokenizer):
    sizes = SIZES | {"vocab_size": tokenizer.vocab_size, "num_hidden_layers": 1}
    return build_encoder(RobertaConfig(**sizes, type_vocab_size=1))  # both texts have type 0


def test_pairs_go_through_a_roberta_with_its_own_tokenizer(tmp_path):
    tokenizer = byte_pairs(tmp_path / "vocabulary")
    model = SequenceClassifier(roberta(tokenizer), 2)
    assert tokenizer.pad_id == model.encoder.config.pad_token_id == 1
    model.data_settings = {"text_pair": "other", "max_length": 28}
    model.save_pretrained(str(tmp_path / "model"), tokenizer)
    assert_answers_pairs(tmp_path / "model", tokenizer)


@slow  # the same without training above; the features of pairs in text/test_tokenizer.py
def test_pairs_train_a_roberta_with_its_own_tokenizer(tmp_path):
    tokenizer = byte_pairs(tmp_path / "vocabulary")
    roberta(tokenizer).save_pretrained(str(tmp_path / "start"), tokenizer)
    rows = "".join(f"good film\t{'good' if row % 2 else 'bad'} ?\t{row % 2}\n" for row in range(16))
    (tmp_path / "rows.tsv").write_text("text\tother\tlabel\n" + rows)
    (tmp_path / "config.yaml").write_text(f"""
model: {{path: {tmp_path}/start}}
data: {{train: {tmp_path}/rows.tsv, text_pair: other, max_length: 28, validation: 0.25}}
train: {{batch_size: 8, steps: 2, learning_rate: 1.0e-2}}
""")
    argv = [f"--config={tmp_path}/config.yaml", f"--workdir={tmp_path}/run"]
    assert cli.main(["finetune", *argv]) == 0
    assert_answers_pairs(tmp_path / "run/model", tokenizer)


def assert_answers_pairs(folder, tokenizer):
    model = load_task(folder)
    inputs = tokenizer(["good film", "a"], ["bad ?", "good film"], max_length=28)
    ids = np.asarray(inputs["input_ids"])
    assert ids[0, 0] == 0 and list(np.flatnonzero(ids[0] == 2))[:2] == [3, 4] and ids[1, -1] == 1
    assert not np.asarray(inputs["token_type_ids"]).any()
    answers = pipeline(str(folder))(["good film", "a"], ["bad ?", "good film"])
    logits = np.asarray(model({name: np.asarray(x) for name, x in inputs.items()}))
    want = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    got = [answer["probabilities"] for answer in answers]
    np.testing.assert_allclose(got, want, atol=1e-5)


@slow
@pytest.mark.parametrize("family", ("roberta", "distilbert", "mobilebert"))
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
