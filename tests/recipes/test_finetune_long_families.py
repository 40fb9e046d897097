"""ModernBERT and DeBERTa go the whole way through the commands: train, save, export, predict."""

import json

import numpy as np
import pytest

from bert_tf import DebertaV2Config, ModernBertConfig, build_encoder, cli, load_task
from tests import tiny

SIZES = dict(
    vocab_size=len(tiny.vocabulary()),
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=24,
    max_position_embeddings=32,
)
CONFIGS = {
    "modernbert": ModernBertConfig(
        **SIZES,
        local_attention=4,
        global_attn_every_n_layers=2,
        classifier_pooling="mean",
        **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id"), 0),
        **dict.fromkeys(("cls_token_id", "sep_token_id"), 2),
    ),
    "deberta-v2": DebertaV2Config(
        **SIZES,
        relative_attention=True,
        position_buckets=8,
        share_att_key=True,
        pos_att_type=("c2p", "p2c"),
        norm_rel_ebd="layer_norm",
        position_biased_input=False,
    ),
}


@pytest.mark.slow  # tests/test_house.py goes this way with a family of its own
@pytest.mark.parametrize("name", CONFIGS)
def test_it_trains_with_recomputation_and_answers_the_same_from_an_export(name, tmp_path):
    encoder = build_encoder(CONFIGS[name])
    encoder.save_pretrained(str(tmp_path / "start"), tiny.tokenizer(tmp_path / "vocabulary"))
    rows = [
        (f"{'good' if row % 2 else 'bad'} film " + "the story " * (row % 5), row % 2)
        for row in range(48)
    ]
    lines = ["text\tlabel", *(f"{text.strip()}\t{label}" for text, label in rows)]
    (tmp_path / "rows.tsv").write_text("\n".join(lines) + "\n")
    (tmp_path / "config.yaml").write_text(f"""
model: {{path: {tmp_path}/start}}
data: {{train: {tmp_path}/rows.tsv, max_length: 16, validation: 0.25}}
train: {{batch_size: 8, epochs: 6, learning_rate: 1.0e-2, recompute: true}}
""")
    argv = [f"--config={tmp_path}/config.yaml", f"--workdir={tmp_path}/run"]
    assert cli.main(["finetune", *argv]) == 0
    results = json.loads((tmp_path / "run/metrics.json").read_text())
    assert results["validation"]["accuracy"] > 0.9
    model = load_task(tmp_path / "run/model")
    assert model.encoder.config == CONFIGS[name]
    export = [f"--model={tmp_path}/run/model", f"--output={tmp_path}/export"]
    assert cli.main(["export", *export]) == 0
    (tmp_path / "in.txt").write_text("good film the story\nbad\n")
    found = []
    for place in ("run/model", "export"):
        argv = [f"--model={tmp_path}/{place}", f"--input={tmp_path}/in.txt"]
        assert cli.main(["predict", *argv, f"--output={tmp_path}/out.jsonl"]) == 0
        lines = (tmp_path / "out.jsonl").read_text().splitlines()
        found.append([json.loads(line)["probabilities"] for line in lines])
    np.testing.assert_allclose(*found, atol=1e-5)
