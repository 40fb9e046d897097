"""A task that writes texts through the commands: trained, measured, asked, exported."""

import json

import numpy as np
import oracles
import pytest

from bert_tf import CausalLM, Gpt2Config, build_encoder, cli, load_task
from bert_tf.recipes import written
from bert_tf.tasks.text_metrics import text_metrics
from tests import tiny

OPPOSITE = {"good": "bad", "bad": "good", "begin": "end", "end": "begin"}


def rows(count):
    """Sources of two words and their opposites."""
    numbers = np.random.default_rng(1)
    sources = [" ".join(numbers.choice([*OPPOSITE], 2)) for _ in range(count)]
    return [(source, " ".join(OPPOSITE[word] for word in source.split())) for source in sources]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A workdir of `bert-tf finetune` with task seq2seq, and its files."""
    folder = tmp_path_factory.mktemp("written")
    build_encoder(tiny.config(hidden_dropout_prob=0.0, num_hidden_layers=1)).save_pretrained(
        str(folder / "encoder"), tiny.tokenizer(folder / "vocabulary")
    )
    lines = ["\t".join(row) for row in [("source", "target"), *rows(128)]]
    (folder / "train.tsv").write_text("\n".join(lines) + "\n")
    (folder / "dev.tsv").write_text("\n".join(lines[:9]) + "\n")
    (folder / "config.yaml").write_text(f"""
task: seq2seq
model: {{path: {folder}/encoder, options: {{decoder: {{num_hidden_layers: 1}},
  generation: {{max_new_tokens: 4}}}}}}
data: {{train: {folder}/train.tsv, validation: {folder}/dev.tsv, max_length: 8}}
train: {{batch_size: 32, steps: 120, evaluate_every: 120, checkpoint_every: 120,
  learning_rate: 2.0e-2}}
""")
    argv = [f"--config={folder}/config.yaml", f"--workdir={folder}/run"]
    assert cli.main(["finetune", *argv]) == 0
    return folder


def lines_of(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.slow
def test_it_learns_and_writes_the_same_as_model_and_export(folder, tmp_path):
    results = json.loads((folder / "run" / "metrics.json").read_text())
    assert results["validation"]["seq2seq_accuracy"] > 0.9
    sources = [source for source, _ in rows(8)]
    wanted = [target for _, target in rows(8)]
    (tmp_path / "in.txt").write_text("\n".join(sources) + "\n")
    model = f"{folder}/run/model"
    assert cli.main(["export", f"--model={model}", f"--output={tmp_path}/export"]) == 0
    found = []
    for place in (model, f"{tmp_path}/export"):
        argv = [f"--model={place}", f"--input={tmp_path}/in.txt", f"--output={tmp_path}/out"]
        assert cli.main(["predict", *argv]) == 0
        found.append([line["generated"] for line in lines_of(tmp_path / "out")])
    assert found[0] == found[1]
    argv = [f"--model={model}", f"--input={tmp_path}/in.txt", f"--output={tmp_path}/out"]
    asked = ["--generation=max_new_tokens=1", "--generation=num_beams=2"]
    assert cli.main(["predict", *argv, *asked]) == 0
    assert [line["generated"] for line in lines_of(tmp_path / "out")] == [
        text.split()[0] for text in found[0]
    ]
    assert np.mean([one == other for one, other in zip(found[0], wanted, strict=True)]) > 0.7
    assert load_task(model).generate(sources) == found[0]


@pytest.mark.slow
def test_evaluate_tells_bleu_chrf_and_rouge(folder, capsys, monkeypatch):
    pytest.importorskip("sacrebleu")
    argv = [f"--model={folder}/run/model", f"--data={folder}/dev.tsv"]
    capsys.readouterr()
    assert cli.main(["evaluate", *argv]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["rouge1"] > 70 and figures["chrf"] > 70 and figures["perplexity"] < 3
    monkeypatch.setattr(written, "_PACKAGES", ("sacrebleu", "no_such_package"))
    assert cli.main(["evaluate", *argv]) == 0
    told = capsys.readouterr()
    assert "bleu" not in json.loads(told.out)
    assert "no BLEU, chrF and ROUGE: no_such_package is not installed" in told.err


def test_figures_are_those_of_the_packages():
    sacrebleu = pytest.importorskip("sacrebleu")
    wrote, wanted = ["The cat sat on the mat.", "a dog"], ["The cat is on the mat.", "a dog"]
    figures = text_metrics(wrote, wanted)
    assert figures["bleu"] == sacrebleu.corpus_bleu(wrote, [wanted]).score
    assert figures["chrf"] == sacrebleu.corpus_chrf(wrote, [wanted]).score
    assert figures["rouge1"] == pytest.approx(100 * (5 / 6 + 1) / 2)
    assert text_metrics(["我很好。"], ["我很好。"])["bleu"] == pytest.approx(100)
    assert text_metrics(["我很好"], ["你很好"])["rouge1"] == pytest.approx(200 / 3)


@pytest.mark.slow
def test_a_language_model_learns_what_follows_a_source(folder, tmp_path, capsys):
    config = Gpt2Config(
        **tiny.sizes(vocab_size=len(tiny.vocabulary()), hidden_size=16, max_position_embeddings=16)
    )
    start = oracles.randomize(CausalLM(build_encoder(config)))
    start.save_pretrained(str(tmp_path / "start"), tiny.tokenizer(tmp_path / "vocabulary"))
    (tmp_path / "config.yaml").write_text(f"""
task: causal_lm
model: {{path: {tmp_path}/start, options: {{generation: {{max_new_tokens: 4}}}}}}
data: {{train: {folder}/train.tsv, validation: {folder}/dev.tsv, max_length: 12, text: source,
  columns: {{target: target}}}}
train: {{batch_size: 32, steps: 200, learning_rate: 1.0e-2}}
""")
    argv = [f"--config={tmp_path}/config.yaml", f"--workdir={tmp_path}/run"]
    assert cli.main(["finetune", *argv]) == 0
    saved = json.loads((tmp_path / "run/model/config.json").read_text())
    assert saved["architectures"] == ["GPT2LMHeadModel"]
    argv = [f"--model={tmp_path}/run/model", f"--data={folder}/dev.tsv"]
    capsys.readouterr()
    assert cli.main(["evaluate", *argv]) == 0
    assert json.loads(capsys.readouterr().out)["perplexity"] < 3
    sources = [source for source, _ in rows(8)]
    got = load_task(tmp_path / "run/model").generate(sources)
    assert np.mean([one == target for one, (_, target) in zip(got, rows(8), strict=True)]) > 0.7


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [
        ("num_beams", 2, "--generation is 'num_beams', wanted KEY=VALUE"),
        ("num_beams=[", 2, "--generation=num_beams: '[' is no value of YAML"),
        ("num_beans=2", 2, "num_beans: CausalLM has no such option (nearest: num_beams)"),
        ("num_beams=0", 2, "predict: --generation: num_beams: 0, wanted a whole number from 1"),
        ("num_beams=2020-13-45", 2, "--generation=num_beams: '2020-13-45' is no value of YAML"),
        ("temperature=5e-1", 2, "--generation: temperature: 0.5, and do_sample is false"),
        ("=1", 2, "--generation is '=1', wanted KEY=VALUE"),
    ],
)
def test_how_texts_are_written_is_checked(tmp_path, capsys, given, code, told):
    sizes = tiny.sizes(vocab_size=len(tiny.vocabulary()), num_hidden_layers=1)
    model = CausalLM(build_encoder(Gpt2Config(**sizes)))
    model.save_pretrained(str(tmp_path / "model"), tiny.tokenizer(tmp_path / "vocabulary"))
    (tmp_path / "in.txt").write_text("good\n")
    argv = [f"--model={tmp_path}/model", f"--input={tmp_path}/in.txt", f"--generation={given}"]
    assert cli.main(["predict", *argv]) == code
    assert told in capsys.readouterr().err.strip().splitlines()[-1]
