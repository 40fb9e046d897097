"""Distillation through the command: a cut student, several teachers, other vocabularies, texts
without labels; exact resume; every bad input."""

import json
import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file

from bert_tf import Reranker, SequenceClassifier, Tokenizer, build_encoder, cli, load_task
from bert_tf.config import FinetuneConfig, from_dict
from bert_tf.recipes import finetune
from bert_tf.recipes.distill_start import Teacher, as_taught
from bert_tf.recipes.finetune_rows import read_tables
from tests import tiny

ROWS = [("a good film", "good"), ("a bad film", "bad"), ("very good", "good"), ("bad , bad", "bad")]
ROWS += [
    ("the end is good !", "good"),
    ("bad story", "bad"),
    ("good actor", "good"),
    ("bad", "bad"),
]


def write(path, rows, header="text\tlabel"):
    path.write_text("\n".join([header, *("\t".join(row) for row in rows)]) + "\n")
    return path


def teach(folder, seed=1, names=("bad", "good"), vocabulary=None, layers=2):
    """A trained classifier of the rows in a folder."""
    keras.utils.set_random_seed(seed)
    tokenizer = tiny.tokenizer(folder / "vocabulary")
    if vocabulary is not None:
        (folder / "vocabulary" / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
        tokenizer = Tokenizer.from_pretrained(folder / "vocabulary")
    sizes = dict(num_hidden_layers=layers, initializer_range=0.2)
    sizes |= dict(vocab_size=tokenizer.vocab_size)
    model = SequenceClassifier(build_encoder(tiny.config(**sizes)), len(names), list(names))
    texts, labels = zip(*ROWS, strict=True)
    batch = tokenizer(list(texts)), np.array([names.index(label) for label in labels])
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(tf.data.Dataset.from_tensors(batch).repeat(40), verbose=0)
    model.save_pretrained(str(folder), tokenizer)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("distill")
    write(folder / "train.tsv", ROWS * 4)
    write(folder / "dev.tsv", ROWS)
    (folder / "more.txt.tsv").write_text("text\n" + "a good end\nbad actor\nthe film\n" * 4)
    teach(folder / "teacher")
    return folder


def argv_of(folder, workdir, *sets):
    config = folder / "config.yaml"
    config.write_text(
        f"model: {{path: {folder}/teacher, changes: {{keep_layers: [1]}}}}\n"
        f"data: {{train: {folder}/train.tsv, validation: {folder}/dev.tsv, max_length: 16}}\n"
        "train: {batch_size: 8, steps: 12, learning_rate: 5e-3, checkpoint_every: 4,"
        " evaluate_every: 6, warmup: 0}\n"
        f"distillation: {{teacher: {folder}/teacher}}\n"
    )
    return ["distill", f"--config={config}", f"--workdir={workdir}", *(f"--set={x}" for x in sets)]


@pytest.fixture(scope="module")
def run(folder):
    workdir = folder / "run"
    assert cli.main(argv_of(folder, workdir)) == 0
    return workdir


def test_the_student_is_an_ordinary_model_with_half_the_layers(run, folder, capsys):
    results = json.loads((run / "metrics.json").read_text())
    assert results["validation"]["accuracy"] == 1.0 and results["steps"] == 12
    (teacher,) = results["teachers"]
    assert teacher["accuracy"] == 1.0 and teacher["path"] == f"{folder}/teacher"
    student = load_task(run / "model")
    assert type(student) is SequenceClassifier and len(student.encoder.blocks) == 1
    assert student.label_names == ["bad", "good"] and student.data_settings["max_length"] == 16
    log = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert any({"loss", "logits", "classification"} <= set(line) for line in log)
    assert cli.main(argv_of(folder, run)) == 0
    told = capsys.readouterr()
    assert (
        "student, validation: " in told.out and "teacher: " in told.out and "finished" in told.err
    )


def evaluations(workdir, name="distillation_loss"):
    log = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [line[name] for line in log if line["part"] == "validation"]


def test_the_best_weights_are_the_nearest_where_no_answer_is_learned(folder, tmp_path):
    sets = ["distillation.losses={hidden: 1}", "train.evaluate_every=3"]
    assert cli.main(argv_of(folder, tmp_path / "run", *sets)) == 0
    found = evaluations(tmp_path / "run")
    assert len(found) == 4 and sorted(found, reverse=True) == found and found[-1] < 0.9 * found[0]
    results = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert results["best_step"] == 12 and results["validation"]["hidden"] == found[-1]
    assert results["validation"]["loss"] != found[-1]


def test_the_teacher_is_in_no_checkpoint(run):
    (best,) = (run / "checkpoints").glob("best-*.index")
    found = tf.train.list_variables(str(best.with_suffix("")))
    tables = [shape for _, shape in found if shape[:1] == [len(tiny.vocabulary())]]
    assert len(tables) == 1, found


@pytest.mark.slow
def test_an_interrupted_run_ends_with_the_same_bits(folder, run, tmp_path, monkeypatch):
    measure = finetune.evaluate

    def interrupt(*arguments):
        os.kill(os.getpid(), signal.SIGINT)
        return measure(*arguments)

    monkeypatch.setattr(finetune, "evaluate", interrupt)
    assert cli.main(argv_of(folder, tmp_path / "run")) == 3
    monkeypatch.undo()
    assert cli.main(argv_of(folder, tmp_path / "run")) == 0
    ends = [load_file(x / "model" / "model.safetensors") for x in (run, tmp_path / "run")]
    assert all(np.array_equal(ends[0][name], ends[1][name]) for name in ends[0])


@pytest.mark.slow
def test_answers_that_are_kept_are_read_by_the_next_run_and_end_with_the_same_bits(
    folder, run, tmp_path, capsys
):
    answers = tmp_path / "answers.npz"
    sets = [f"distillation.answers={answers}", "train.steps=3", "train.evaluate_every=3"]
    sets += [f"distillation.unlabelled={folder}/more.txt.tsv"]
    ends = []
    for name in ("first", "second"):
        assert cli.main(argv_of(folder, tmp_path / name, *sets)) == 0
        assert ("asking the teachers about 44 rows" in capsys.readouterr().err) == (name == "first")
        ends.append(load_file(tmp_path / name / "model" / "model.safetensors"))
    assert all(np.array_equal(ends[0][name], ends[1][name]) for name in ends[0])
    with np.load(answers) as file:
        assert file["answers"].shape == (44, 1, 2)
    sets[-1] = "data.max_length=12"
    assert cli.main(argv_of(folder, tmp_path / "third", *sets)) == 1
    assert "keeps answers of another run, its rows differ" in capsys.readouterr().err


@pytest.mark.slow
def test_a_student_may_be_vectors_alone_or_fresh_and_narrow(folder, tmp_path):
    short = ["train.steps=2", "train.evaluate_every=2"]
    sets = ["distillation.static=8", "model.changes={}", *short]
    assert cli.main(argv_of(folder, tmp_path / "static", *sets)) == 0
    student = load_task(tmp_path / "static" / "model")
    assert student.encoder.blocks == [] and student.encoder.config.hidden_size == 8
    sizes = "{keep_layers: null, hidden_size: 8, num_hidden_layers: 1}"
    sets = ["distillation.fresh=true", f"model.changes={sizes}", *short]
    sets += ["distillation.losses={hidden: 1}"]
    assert cli.main(argv_of(folder, tmp_path / "fresh", "model.changes={}", *sets)) == 2
    sets[1] = "model.changes={hidden_size: 8, num_hidden_layers: 1}"
    assert cli.main(argv_of(folder, tmp_path / "fresh", "model.changes={}", *sets)) == 0
    assert load_task(tmp_path / "fresh" / "model").encoder.config.hidden_size == 8


@pytest.mark.slow
def test_a_student_may_be_an_albert_made_of_a_bert(folder, tmp_path, capsys):
    sets = ["distillation={groups: 1, embedding_size: 8}", "model.changes={keep_layers: [0, 1]}"]
    assert cli.main(argv_of(folder, tmp_path / "run", *sets)) == 0
    student = load_task(tmp_path / "run" / "model")
    config = json.loads((tmp_path / "run" / "model" / "config.json").read_text())
    assert config["architectures"] == ["AlbertForSequenceClassification"]
    assert student.encoder.config.embedding_size == 8 and len({*student.encoder.blocks}) == 1
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["skipped"] == 0
    # Its folder is one to begin with, too.
    sets = [f"model.path={tmp_path}/run/model", "model.changes={keep_layers: null}"]
    sets = ["model.changes={}", sets[0], "train.steps=2", "train.evaluate_every=2"]
    argv = [
        x.replace("changes: {keep_layers: [1]}", "")
        for x in argv_of(folder, tmp_path / "go", *sets)
    ]
    config = (folder / "config.yaml").read_text().replace(", changes: {keep_layers: [1]}", "")
    (folder / "config.yaml").write_text(config)
    assert cli.main(argv) == 0
    assert len({*load_task(tmp_path / "go" / "model").encoder.blocks}) == 1


@pytest.mark.slow
def test_layers_of_the_teacher_are_replaced_and_a_stop_changes_no_bit(
    folder, tmp_path, monkeypatch
):
    sets = ["distillation.replacing=0.3", "distillation.losses={labels: 1}", "train.steps=4"]
    sets += ["train.evaluate_every=2", "distillation.replaced_by=0.75"]
    sets = ["distillation.losses={}", *sets]
    assert cli.main(argv_of(folder, tmp_path / "whole", *sets)) == 0
    measure = finetune.evaluate
    monkeypatch.setattr(
        finetune, "evaluate", lambda *x: (os.kill(os.getpid(), signal.SIGINT), measure(*x))[1]
    )
    assert cli.main(argv_of(folder, tmp_path / "run", *sets)) == 3
    monkeypatch.undo()
    assert cli.main(argv_of(folder, tmp_path / "run", *sets)) == 0
    ends = [load_file(tmp_path / x / "model" / "model.safetensors") for x in ("whole", "run")]
    assert all(np.array_equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_numbers_are_the_classes_of_a_teacher_whose_classes_have_no_names(folder, tmp_path):
    write(tmp_path / "numbers.tsv", [("a film", "0"), ("an end", "1")])
    data = dict.fromkeys(("train", "validation"), str(tmp_path / "numbers.tsv"))
    config = from_dict(FinetuneConfig, {"model": {"path": str(folder)}, "data": data})
    teacher = Teacher("teacher", tiny.classifier(label_names=("LABEL_0", "LABEL_1")), None, True)
    read = read_tables(config, SequenceClassifier)
    tables = as_taught(read, config, SequenceClassifier, None, [teacher])
    assert list(tables["train"].label_names) == ["LABEL_0", "LABEL_1"]
    assert tables["train"].labels(np.arange(2)).tolist() == [0, 1]


@pytest.mark.slow
def test_two_teachers_one_of_another_vocabulary_and_texts_without_labels(folder, tmp_path):
    teach(folder / "other", 2, vocabulary=[*tiny.vocabulary()[:5], *sorted(tiny.vocabulary()[5:])])
    sets = [f"distillation.teacher=[{folder}/teacher, {folder}/other]", "train.steps=3"]
    sets += [f"distillation.unlabelled={folder}/more.txt.tsv", "train.evaluate_every=3"]
    sets += ["distillation.augmented=2"]
    assert cli.main(argv_of(folder, tmp_path / "run", *sets)) == 0
    results = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert [x["accuracy"] for x in results["teachers"]] == [1.0, 1.0]
    assert results["skipped"] == 0


@pytest.mark.parametrize(
    ("sets", "code", "line"),
    [
        (["distillation.teacher={}/absent"], 1, "absent: no such directory"),
        (
            ["distillation.teacher=[]"],
            2,
            "distillation.teacher is [], wanted a model directory",
        ),
        (["distillation.teacher={}/encoder"], 1, "is an encoder without a head, wanted a trained"),
        (["distillation.teacher={}/numbers"], 1, "the label 'bad' is none of the teacher's in"),
        (
            ["distillation.teacher=[{}/teacher, {}/numbers]"],
            1,
            "numbers: its label_names ['o",
        ),
        (
            ["distillation.losses={logit: 1}"],
            2,
            "distillation.losses: no 'logit'; did you mean l",
        ),
        (["distillation.losses={logits: {temp: 1}}"], 2, "losses.logits: no 'temp'"),
        (
            ["distillation.losses={logits: 0}"],
            2,
            "losses.logits: weight 0, wanted a number above 0",
        ),
        (["distillation.unlabelled={}/absent.txt"], 1, "absent.txt"),
        (["model.changes={keep_layers: [1, 9]}"], 2, "model.changes.keep_layers: [1, 9], wanted"),
        (["distillation.static=64"], 2, "distillation.static: 64, wanted at most the encoder"),
        (["distillation={static: 8, fresh: true}"], 2, "distillation.fresh is true and distill"),
        (
            ["distillation={static: 8, groups: 1}"],
            2,
            "distillation.static is 8 and distillation.gr",
        ),
        (
            ["distillation.embedding_size=4"],
            2,
            "distillation.embedding_size is 4 and distillation.",
        ),
        (["distillation={answers: x, losses: {hidden: 1}}"], 2, "distillation.answers is x and"),
        (["distillation.answers={}/dev.tsv"], 1, "dev.tsv: is no file of answers"),
        (["distillation.replacing=2"], 2, "distillation.replacing is 2, wanted a number from 0 to"),
        (["data.packing=true"], 2, "data.packing is true, wanted false"),
    ],
)
def test_bad_input_is_one_line(folder, tmp_path, capsys, sets, code, line):
    if not (folder / "numbers").exists():
        model = tiny.save(folder / "numbers", label_names=("one", "two"))
        model.encoder.save_pretrained(str(folder / "encoder"), tiny.tokenizer(folder / "words"))
    sets = [x.replace("{}", str(folder)) for x in sets]
    assert cli.main(argv_of(folder, tmp_path / "run", *sets)) == code
    *before, told = capsys.readouterr().err.strip().splitlines()
    assert line in told and told.startswith("bert-tf distill: "), told
    assert len(before) <= 1 and not any("bert-tf" in each for each in before)
    assert not (tmp_path / "run" / "metrics.json").exists()


def narrow(folder, **sizes):
    """A classifier of these sizes, which could be a teacher but for them."""
    model = SequenceClassifier(build_encoder(tiny.config(**sizes)), 2, ["bad", "good"])
    model.save_pretrained(str(folder), tiny.tokenizer(folder / "tokenizer"))


@pytest.mark.parametrize(
    ("sets", "code", "line"),
    [
        (["model.size=bert-tiny"], 2, "model.size is bert-tiny and distillation.fresh false"),
        (["model.family=albert"], 2, "model.family is albert and distillation.fresh false"),
        (["distillation.losses={labels: .inf}"], 2, "losses.labels: weight inf, wanted a number"),
        (["distillation={groups: 3}"], 2, "distillation.groups: 3, wanted at most the encoder"),
        (["distillation.answers={}/absent/a.npz"], 1, "absent/a.npz: cannot be written"),
        (["distillation.answers={}/array.npy"], 1, "array.npy: is no file of answers"),
        (["distillation.teacher={}/few"], 2, "data.max_length: 16, the model at {}/few has 8 pos"),
    ],
)
def test_bad_input_of_students_and_teachers_is_one_line(folder, tmp_path, capsys, sets, code, line):
    np.save(folder / "array.npy", np.zeros(3))
    narrow(folder / "few", max_position_embeddings=8)
    sets = [x.replace("{}", str(folder)) for x in sets]
    assert cli.main(argv_of(folder, tmp_path / "run", *sets)) == code
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.replace("{}", str(folder)) in told and told.startswith("bert-tf distill: "), told
    assert not (tmp_path / "run").exists()


def test_a_teacher_that_cannot_tell_the_second_text_of_a_pair_is_refused(folder, tmp_path, capsys):
    write(tmp_path / "pairs.tsv", [(a, a, b) for a, b in ROWS], "text\tmore\tlabel")
    narrow(folder / "one", type_vocab_size=1)
    sets = [f"data={{train: {tmp_path}/pairs.tsv, validation: {tmp_path}/pairs.tsv}}"]
    sets += ["data.text_pair=more", "data.max_length=12", f"distillation.teacher={folder}/one"]
    assert cli.main(argv_of(folder, tmp_path / "run", *sets)) == 1
    assert f"{folder}/one: " in capsys.readouterr().err.strip().splitlines()[-1]


def test_answers_are_those_of_these_rows_in_this_order(folder, tmp_path, capsys):
    for name, rows in {"a": ROWS[:4], "b": ROWS[4:]}.items():
        write(tmp_path / f"{name}.tsv", rows)
    one, two = f"{tmp_path}/a.tsv", f"{tmp_path}/b.tsv"
    sets = ["train.steps=1", "train.evaluate_every=1", "data.validation=" + two]
    sets += [f"distillation.answers={tmp_path}/answers.npz"]
    first = [f"data.train=[{one}, {two}]", *sets]
    assert cli.main(argv_of(folder, tmp_path / "first", *first)) == 0
    assert cli.main(argv_of(folder, tmp_path / "again", *first, "data.test=" + one)) == 0
    capsys.readouterr()
    turned = [f"data.train=[{two}, {one}]", *sets]
    assert cli.main(argv_of(folder, tmp_path / "turned", *turned)) == 1
    assert "keeps answers of another run, its train differ" in capsys.readouterr().err


def test_a_teacher_that_changed_since_the_run_began_is_named(folder, run, capsys):
    added = folder / "teacher" / "added.txt"
    added.write_text("another teacher")
    assert cli.main(argv_of(folder, run)) == 0
    added.unlink()
    assert f"{added}: changed since the run in {run} began" in capsys.readouterr().err


@pytest.mark.slow
def test_a_fresh_student_may_have_a_published_size(folder, tmp_path):
    sets = ["distillation.fresh=true", "model.size=bert-tiny", "train.steps=1"]
    argv = argv_of(folder, tmp_path / "run", *sets, "train.evaluate_every=1")
    config = (folder / "config.yaml").read_text().replace(", changes: {keep_layers: [1]}", "")
    (folder / "config.yaml").write_text(config)
    assert cli.main(argv) == 0
    assert load_task(tmp_path / "run" / "model").encoder.config.hidden_size == 128


def test_a_reranker_teaches_a_reranker(folder, tmp_path):
    rows = [("good", text, str(int(label == "good"))) for text, label in ROWS]
    write(tmp_path / "rows.tsv", rows, "query\ttext\tscore")
    tokenizer = tiny.tokenizer(tmp_path / "teacher")
    teacher = Reranker(build_encoder(tiny.config(num_hidden_layers=2)))
    teacher.save_pretrained(str(tmp_path / "teacher"), tokenizer)
    sets = ["task=reranking", f"model.path={tmp_path}/teacher", "train.steps=1"]
    sets += [f"distillation.teacher={tmp_path}/teacher", "train.evaluate_every=1"]
    sets += [f"data={{train: {tmp_path}/rows.tsv, validation: {tmp_path}/rows.tsv}}"]
    assert cli.main(argv_of(folder, tmp_path / "run", *sets, "data.max_length=12")) == 0
    assert type(load_task(tmp_path / "run" / "model")) is Reranker


def test_what_the_number_of_a_regression_is_called_matters_nothing(folder, tmp_path):
    rows = [(text, str(float(label == "good"))) for text, label in ROWS]
    write(tmp_path / "rows.tsv", rows)
    tokenizer = tiny.tokenizer(tmp_path / "teacher")
    teacher = SequenceClassifier(build_encoder(tiny.config(num_hidden_layers=2)), 1, ["stars"])
    assert teacher.problem_type == "regression"
    teacher.save_pretrained(str(tmp_path / "teacher"), tokenizer)
    sets = [f"model.path={tmp_path}/teacher", f"distillation.teacher={tmp_path}/teacher"]
    sets += [f"data={{train: {tmp_path}/rows.tsv, validation: {tmp_path}/rows.tsv}}"]
    sets += ["data.max_length=12", "train.steps=1", "train.evaluate_every=1"]
    assert cli.main(argv_of(folder, tmp_path / "run", *sets, "train.learning_rate=1e-9")) == 0
    student = load_task(tmp_path / "run" / "model")  # which begins with the teacher's head
    kernels = [np.asarray(x.head.projection.kernel) for x in (student, teacher)]
    np.testing.assert_allclose(*kernels, atol=1e-6)
