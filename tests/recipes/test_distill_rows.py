"""Rows of distillation that nobody has labelled, and what teachers are known to say of rows."""

import json

import numpy as np
import pytest

from bert_tf import SentenceEncoder, TokenClassifier, Tokenizer, build_encoder, cli
from bert_tf.compression_sections import DistillationSection
from bert_tf.config import FinetuneConfig, from_dict
from bert_tf.datasets import task_named
from bert_tf.errors import ConfigError
from bert_tf.recipes import kept_answers
from bert_tf.recipes.distill_rows import source_of, with_unlabelled
from bert_tf.recipes.distill_start import Teacher
from bert_tf.recipes.finetune_rows import in_windows, read_tables
from tests import tiny

TAGGED = "good\tB-x\nfilm\tO\n\nbad\tB-x\nstory\tI-x\nthe\tO\n\n"
RATED = "text\ttext_pair\tscore\na good film\tgood film\t4.5\nbad story\tthe end\t0.5\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    (folder / "tags.conll").write_text(TAGGED * 2)
    (folder / "words.conll").write_text("the\nend\nis\ngood\n\nactor\n\n")
    (folder / "rated.tsv").write_text(RATED)
    (folder / "pairs.tsv").write_text("text\ttext_pair\nthe actor\tgood\n")
    return folder


def opened(folder, file, task, losses, columns=None, **section):
    """Tables, and all else that the rows are made of."""
    text_pair = "text_pair" if "rated" in file else None
    data = dict.fromkeys(("train", "validation"), str(folder / file))
    data |= {"max_length": 8, "text_pair": text_pair, "columns": columns or {}}
    plain = from_dict(FinetuneConfig, {"task": task, "model": {"path": "x"}, "data": data})
    kind, tokenizer = task_named(task), tiny.tokenizer(folder / "vocabulary")
    table = in_windows(read_tables(plain, kind), plain, kind, tokenizer)["train"]
    section = from_dict(DistillationSection, {"teacher": "x", "losses": losses, **section})
    return table, plain, kind, tokenizer, section


def test_words_that_nobody_has_tagged_have_no_label(folder):
    how, more = ("tags.conll", "token_classification"), str(folder / "words.conll")
    given = opened(folder, *how, {"logits": 1}, unlabelled=more)
    table, (_, plain, kind, tokenizer, _) = with_unlabelled(*given), given
    assert len(table) == 6
    source = source_of(table, 4, plain, kind, tokenizer, [])
    labels, weights = next(iter(source.batches(0, 1)))[1:]
    labels, told = labels.numpy(), weights.numpy() > 0
    assert (labels[~told] == -100).all() and (labels[told] >= 0).any(axis=1).all()
    assert 0 < told.sum() < len(told)
    with pytest.raises(ConfigError, match="augmented is 1, and task token_classification reads te"):
        with_unlabelled(*opened(folder, *how, {"logits": 1}, augmented=1))


def test_texts_without_scores_and_altered_ones_are_rows_of_sentence_vectors(folder):
    how = ("rated.tsv", "sentence_embedding")
    more = dict(unlabelled=str(folder / "pairs.tsv"), augmented=2, columns={"score": "score"})
    table = with_unlabelled(*opened(folder, *how, {"vectors": 1}, **more))
    cells = table.cells(np.arange(7))
    assert len(table) == 7 and cells["text"][2] == "the actor" and cells["text_pair"][2] == "good"
    assert list(map(float, cells["score"])) == [4.5, 0.5, 0, 0, 0, 0, 0]
    assert set(cells["text"][3].split()) <= set("a good film".split())
    with pytest.raises(ConfigError, match="and distillation.losses has labels: without one a row"):
        with_unlabelled(*opened(folder, *how, {"vectors": 1, "labels": 1}, **more))


def test_tasks_whose_rows_are_nothing_without_a_label_say_so(folder):
    (folder / "two.tsv").write_text("source\ttarget\nfilm\tfilm\n")
    data = dict.fromkeys(("train", "validation"), str(folder / "two.tsv"))
    given = {"task": "seq2seq", "model": {"path": "x"}, "data": data | {"text": "source"}}
    plain = from_dict(FinetuneConfig, given)
    section = from_dict(DistillationSection, {"teacher": "x", "augmented": 1})
    with pytest.raises(ConfigError, match="rows of task seq2seq are nothing without a label"):
        with_unlabelled(None, plain, task_named("seq2seq"), None, section)


def test_teachers_are_asked_once_about_tokens_and_vectors(folder, monkeypatch):
    for file, name, make, shape in (
        ("tags.conll", "token_classification", TokenClassifier, (4, 1, 8, 2)),
        ("rated.tsv", "sentence_embedding", SentenceEncoder, (2, 1, 2, 16)),
    ):
        table, plain, kind, tokenizer, _ = opened(folder, file, name, {"labels": 1})
        model = make(build_encoder(tiny.config(initializer_range=0.5)))
        given = (plain, kind, tokenizer, [Teacher("x", model, None, True)])
        with tiny.eagerly():
            found = kept_answers.asked_answers(table, *given)
        assert found.shape == shape
        text = table.cells([0])["text"]
        wanted = np.asarray(model(tokenizer(text)))[0]
        known = found[0, 0] if name == "token_classification" else found[0, 0, 0]
        np.testing.assert_allclose(known[: len(wanted)], wanted, atol=1e-5)
    monkeypatch.setattr(kept_answers, "_ROOM", 100)
    with pytest.raises(ConfigError, match="would take 0.0 GB, wanted 1e-07 at most; null asks"):
        kept_answers.asked_answers(table, *given)


@pytest.mark.slow
def test_words_and_vectors_are_learned_from_kept_answers(folder, tmp_path, capsys):
    """Each run twice, the second time from the file; of vectors under another vocabulary, where the
    nearest weights are the best."""
    sizes = dict(num_hidden_layers=2, initializer_range=0.2)
    tokenizer = tiny.tokenizer(tmp_path / "own")
    names = ["O", "B-x", "I-x"]
    tagger = TokenClassifier(build_encoder(tiny.config(**sizes)), 3, names)
    tagger.save_pretrained(str(tmp_path / "tagger"), tokenizer)
    (tmp_path / "own" / "vocab.txt").write_text(
        "\n".join([*tiny.vocabulary()[:5], *sorted(tiny.vocabulary()[5:])]) + "\n"
    )
    vectors = SentenceEncoder(build_encoder(tiny.config(**sizes)))
    vectors.save_pretrained(str(tmp_path / "vectors"), Tokenizer.from_pretrained(tmp_path / "own"))
    runs = {
        "tagger": (
            f"task: token_classification\ndata: {{train: {folder}/tags.conll,"
            f" validation: {folder}/tags.conll, max_length: 8}}\n",
            f"losses: {{logits: 1}}, unlabelled: {folder}/words.conll",
        ),
        "vectors": (
            f"task: sentence_embedding\ndata: {{train: {folder}/rated.tsv,"
            f" validation: {folder}/rated.tsv, max_length: 8, text_pair: text_pair,"
            " columns: {score: score}}\n",
            f"losses: {{vectors: 1}}, unlabelled: {folder}/pairs.tsv, augmented: 2",
        ),
    }
    for name, (data, section) in runs.items():
        config = tmp_path / f"{name}.yaml"
        config.write_text(
            f"{data}model: {{path: {tmp_path}/tagger, changes: {{keep_layers: [1]}}}}\n"
            "train: {batch_size: 4, steps: 15, learning_rate: 3e-3, evaluate_every: 3, warmup: 0}\n"
            f"distillation: {{teacher: {tmp_path}/{name}, {section}}}\n"
        )
        ends = []
        kept = f"--set=distillation.answers={tmp_path}/{name}.npz"
        for number, more in enumerate(([], [kept], [kept])):
            workdir = tmp_path / f"{name}_{number}"
            argv = ["distill", f"--config={config}", f"--workdir={workdir}", *more]
            assert cli.main(argv) == 0
            assert ("asking the teachers" in capsys.readouterr().err) == (number == 1)
            ends.append(json.loads((workdir / "metrics.json").read_text()))
        assert ends[1]["validation"] == ends[2]["validation"]
        assert ends[0]["validation"]["loss"] == pytest.approx(
            ends[1]["validation"]["loss"], rel=1e-2
        )
        if name == "vectors":
            assert [each["best_step"] for each in ends] == [15, 15, 15]
            assert ends[0]["validation"]["distillation_loss"] == pytest.approx(
                ends[1]["validation"]["distillation_loss"], rel=1e-2
            )
