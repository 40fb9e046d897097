"""Incremental learning through the command: four methods, exact resume, every bad input."""

import functools
import json
import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file

from bert_tf import SequenceClassifier, Tokenizer, build_encoder, cli, load_task
from bert_tf.data.joined import JoinedTable
from bert_tf.recipes import finetune_incremental
from bert_tf.tasks import incremental as tasks
from bert_tf.training import step
from bert_tf.training.fisher import empirical_fisher
from tests import tiny
from tests.tables import read_table
from tests.tiny import mirrored

slow = functools.partial(pytest.param, marks=pytest.mark.slow)

OLD = [("a good film", "good"), ("a bad film", "bad"), ("very good", "good"), ("bad , bad", "bad")]
NEW = [("one two", "number"), ("the end !", "word"), ("three , two", "number"), ("story", "word")]


def write(path, rows, header="text\tlabel"):
    path.write_text("\n".join([header, *("\t".join(row) for row in rows)]) + "\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A trained task and the files of the old and the new rows."""
    folder = tmp_path_factory.mktemp("incremental")
    write(folder / "old.tsv", OLD * 5)
    write(folder / "new.tsv", NEW * 4)
    write(folder / "new_test.tsv", NEW)
    config = tiny.config(num_hidden_layers=1, initializer_range=0.2)
    model = SequenceClassifier(build_encoder(config), 2, ["bad", "good"])
    tokenizer = tiny.tokenizer(folder / "vocabulary")
    texts, labels = zip(*OLD, strict=True)
    batch = tokenizer(list(texts)), np.array([model.label_names.index(label) for label in labels])
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(tf.data.Dataset.from_tensors(batch).repeat(60), verbose=0)
    model.data_settings = {"text": "text", "label": "label"}
    model.save_pretrained(str(folder / "task"), tokenizer)
    model.encoder.save_pretrained(str(folder / "encoder"), tokenizer)
    return folder


def argv_of(folder, workdir, method, *sets):
    config = folder / "config.yaml"
    config.write_text(
        f"model: {{path: {folder / 'task'}}}\n"
        f"data: {{train: {folder / 'new.tsv'}, validation: {folder / 'new_test.tsv'}, "
        f"test: {folder / 'new_test.tsv'}, max_length: 16}}\n"
        "train: {batch_size: 8, steps: 60, learning_rate: 5e-3, checkpoint_every: 20,"
        " evaluate_every: 30}\n"
        f"incremental: {{method: {method}, old_test: {folder / 'old.tsv'}, "
        f"old_train: {folder / 'old.tsv'}, share: 0.5}}\n"
    )
    return ["finetune", f"--config={config}", f"--workdir={workdir}", *(f"--set={x}" for x in sets)]


@pytest.fixture(scope="module")
def run_of(folder):
    """A function from a method to the workdir of its finished run."""

    @functools.cache
    def run(method):
        assert cli.main(argv_of(folder, folder / method, method)) == 0
        return folder / method

    return run


def report_of(workdir):
    report = json.loads((workdir / "forgetting.json").read_text())
    assert report == json.loads((workdir / "metrics.json").read_text())["incremental"]
    return report


@pytest.mark.parametrize("method", ["ewc", slow("lwf"), slow("rows"), slow("replay")])
def test_the_report_tells_what_was_forgotten(run_of, method):
    report = report_of(run_of(method))
    assert report["old_labels"] == ["bad", "good"] and report["new_labels"] == ["number", "word"]
    assert report["rows"] == {"old": 20, "new": 4}
    before = {part: values["before"] for part, values in report["accuracy"].items()}
    assert before["old"]["of_all_labels"] == before["old"]["of_own_labels"] == 1.0
    assert before["new"] == {"of_all_labels": 0.0, "of_own_labels": 0.0}
    after = report["accuracy"]["old"]["after"]
    for name, lost in report["forgetting"].items():
        assert lost == pytest.approx(before["old"][name] - after[name])
    assert (run_of(method) / "forgetting.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_replay_forgets_less_than_new_rows_alone(run_of):
    lost = {x: report_of(run_of(x))["forgetting"]["of_all_labels"] for x in ("rows", "replay")}
    assert lost["replay"] < lost["rows"]


def test_the_model_that_is_kept_answers_with_old_and_new_labels(run_of):
    directory = str(run_of("ewc") / "model")
    model, tokenizer = load_task(directory), Tokenizer.from_pretrained(directory)
    assert model.label_names == ["bad", "good", "number", "word"]
    assert model(tokenizer(["one two"])).shape == (1, 4)


def test_the_command_sums_up_and_knows_a_finished_run(folder, run_of, capsys):
    assert cli.main(argv_of(folder, run_of("ewc"), "ewc")) == 0
    told = capsys.readouterr()
    assert "old test: accuracy 1.0000 before, " in told.out and "finished" in told.err


def test_the_answer_before_is_the_old_model_s(folder):
    logits = np.array([[1.0, 2.0, 9.0], [3.0, 0.0, 9.0], [0.0, 1.0, 2.0]])
    labels, own = np.array([1, 1, 2]), np.array([2])
    both = {"of_all_labels": 1 / 3, "of_own_labels": 0.0}
    assert finetune_incremental._accuracies(logits, labels, 2, own) == pytest.approx(both)
    after = finetune_incremental._accuracies(logits, labels, 3, own)
    assert after == pytest.approx({"of_all_labels": 1 / 3, "of_own_labels": 1 / 3})


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lwf", slow("replay"), slow("ewc")])
def test_an_interrupted_run_ends_with_the_same_bits(folder, run_of, method, tmp_path, monkeypatch):
    whole, argv = run_of(method), argv_of(folder, tmp_path / "run", method)
    measure = finetune_incremental.evaluate

    def interrupt(*arguments):
        os.kill(os.getpid(), signal.SIGINT)
        return measure(*arguments)

    monkeypatch.setattr(finetune_incremental, "evaluate", interrupt)
    assert cli.main(argv) == 3
    monkeypatch.undo()
    assert not (tmp_path / "run" / "forgetting.json").exists()
    assert cli.main(argv) == 0
    ends = [load_file(run / "model" / "model.safetensors") for run in (whole, tmp_path / "run")]
    assert all(np.array_equal(ends[0][name], ends[1][name]) for name in ends[0])
    assert report_of(tmp_path / "run") == report_of(whole)


def test_a_grown_head_answers_as_before_among_the_old_labels(folder):
    for head_layers in (None, [8]):
        old = tiny.classifier()
        old = type(old)(old.encoder, 2, ["bad", "good"], head_layers=head_layers)
        tokenizer = tiny.tokenizer(folder / "vocabulary")
        batch = tokenizer([text for text, _ in OLD])
        new = old.grown(["bad", "good", "odd"])
        np.testing.assert_array_equal(new(batch)[:, :2], old(batch))
        assert new.encoder is old.encoder and old.grown(old.label_names) is old


def remembering(kind, accumulate=1):
    """A compiled learner, its added loss, and the six old answers that it may want."""
    keras.utils.set_random_seed(3)
    model = tiny.classifier()
    variables = model.trainable_variables
    old = np.random.default_rng(0).standard_normal((6, 2)).astype("float32")
    if kind == "ewc":
        anchors = [variable - 0.1 for variable in variables]
        fisher = [tf.ones(variable.shape) for variable in variables]
        added = tasks.elastic_penalty(variables, anchors, fisher, 0.5)
    else:
        added = tasks.kept_answers(2, 2.0, 0.5)
    own = tasks.among_new_labels(model, [0, 1])
    model.compile("sgd", accumulate=accumulate, clip_norm=None, added_losses=(own, added))
    return model, added, old


@pytest.mark.parametrize("kind", ["ewc", "lwf"])
def test_the_loss_is_the_paper_s_however_the_batch_is_cut(kind):
    ids = np.random.default_rng(1).integers(5, 30, (6, 7)).astype("int32")
    model, added, old = remembering(kind)
    model.head.dropout_rate = 0.0
    labels = np.arange(6) % 2
    logits = np.asarray(model({"input_ids": ids}), np.float64)
    inputs, outputs = {"old_logits": old}, tf.constant(logits, tf.float32)
    terms = step.loss_terms(model, inputs, outputs, labels, None)
    total, weight = (float(x) for x in terms["remembering"])
    if kind == "ewc":
        count = sum(np.size(x) for x in model.trainable_variables)
        want = 0.5 * count * 0.01
    else:
        soft = lambda x: np.exp(x / 2) / np.exp(x / 2).sum(axis=1, keepdims=True)  # noqa: E731
        want = -(soft(old) * np.log(soft(logits))).sum(axis=1).mean()
    assert weight == 6 and total / weight == pytest.approx(want, rel=1e-4)
    assert step.loss_weights(model, labels, None)["remembering"] == 6
    assert model.factor("remembering") == 0.5
    assert set(model.running_means()) == {"loss", "classification", "remembering", "accuracy"}


def test_an_old_label_that_is_not_among_the_new_rows_is_not_pushed_down():
    model = tiny.classifier()
    model.compile("sgd", added_losses=[tasks.among_new_labels(model, [1])])
    logits = tf.Variable([[3.0, -1.0]])
    with tf.GradientTape() as tape:
        total, _ = step.loss_terms(model, {}, logits, np.array([1]), None)["classification"]
    np.testing.assert_array_equal(tape.gradient(total, logits), [[0.0, 0.0]])
    assert float(total) == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ewc", "lwf"])
def test_micro_batches_and_replicas_make_the_same_step(kind, monkeypatch):
    from bert_tf.layers import blocks

    monkeypatch.setattr(blocks, "dropout", lambda x, *_: x)
    for place in ("attention", "embeddings", "heads"):
        monkeypatch.setattr(f"bert_tf.layers.{place}.dropout", lambda x, *_: x)
    ids = np.random.default_rng(1).integers(5, 30, (6, 7)).astype("int32")
    ends = []
    for replicas, accumulate in ((1, 1), (1, 4), (2, 3)):
        strategy = (
            mirrored([f"CPU:{number}" for number in range(replicas)])
            if replicas > 1
            else tf.distribute.get_strategy()
        )
        with strategy.scope():
            model, _, old = remembering(kind, accumulate)
        inputs = {"input_ids": ids, "old_logits": old}
        model.fit(tf.data.Dataset.from_tensors((inputs, np.arange(6) % 2)), verbose=0)
        ends.append(model.get_weights())
    for other in ends[1:]:
        for one, another in zip(ends[0], other, strict=True):
            np.testing.assert_allclose(one, another, atol=1e-5)


@pytest.mark.parametrize("replicas", [1, 2])
def test_fisher_is_the_mean_of_single_rows_squared_gradients(replicas):
    x, y = np.random.default_rng(2).standard_normal((2, 5, 3)).astype("float32")
    strategy = mirrored(["CPU:0", "CPU:1"]) if replicas > 1 else tf.distribute.get_strategy()
    with strategy.scope():
        weight = tf.Variable([[0.5], [1.0], [-1.0]])

    def loss(row, target):
        return tf.reduce_sum((row @ weight - target[:, :1]) ** 2)

    rows = tf.data.Dataset.from_tensor_slices((x, y)).batch(1)
    (got,) = empirical_fisher(loss, [weight], rows)
    error = x @ weight.numpy() - y[:, :1]
    np.testing.assert_allclose(got[:, 0], np.mean((2 * error * x) ** 2, axis=0), rtol=1e-5)


def test_a_joined_table_keeps_texts_and_labels_in_any_order(folder, tmp_path):
    names = ("bad", "good", "number", "word")
    like = type("Like", (), {"problem_type": "single_label_classification", "label_names": names})
    old, new = (read_table(folder / f"{x}.tsv", like=like) for x in ("old", "new"))
    table = JoinedTable(new, old, names)
    assert len(table) == 36
    rows = np.array([17, 0, 35, 2, 16])
    cells = table.cells(rows)
    assert cells["text"] == ["a bad film", "one two", "bad , bad", "three , two", "a good film"]
    assert table.labels(rows).tolist() == [0, 2, 0, 2, 1] and table.labels(rows).dtype == "int32"
    assert list(cells) == ["text"] and table.cells(np.arange(0)) == {"text": []}


@pytest.mark.parametrize(
    ("sets", "code", "line"),
    [
        (["incremental.method=old"], 2, "wanted one of rows, replay, ewc, lwf"),
        (["incremental.share=0"], 2, "incremental.share is 0, wanted a share above 0, up to 1"),
        (["incremental.share=1.5"], 2, "incremental.share is 1.5, wanted a share above 0"),
        (["incremental.temperature=0"], 2, "incremental.temperature is 0"),
        (["incremental.strength=-1"], 2, "incremental.strength is -1"),
        (["incremental.old_train=null"], 2, "incremental.old_train is None, wanted a file: replay"),
        (["incremental.old_test=null"], 2, "incremental.old_test is None, wanted a file"),
        (["incremental.method=null"], 2, "incremental.method is None and incremental.old_test"),
        (["model.pooling=mean"], 2, "model.pooling is mean and incremental.method replay"),
        (["data.text_pair=more"], 2, "data.text_pair is more, the model's texts are single texts"),
        (["incremental.old_train=absent.tsv"], 1, "absent.tsv"),
        (["model.path={}/encoder"], 1, "encoder"),
        (["model.path={}/regression"], 1, "its problem type is regression"),
        (["data.train={}/spelled.tsv"], 1, "the label 'Good' and the model's 'good' differ in"),
        (["data.train={}/rated.tsv"], 1, "its labels are of a regression, the model's in"),
        (["incremental.old_test={}/new.tsv"], 1, "new.tsv, line 2: column 'label': 'number' is no"),
    ],
)
def test_bad_input_is_one_line(folder, tmp_path, capsys, sets, code, line):
    write(folder / "spelled.tsv", [("a", "Good"), ("b", "number")])
    write(folder / "rated.tsv", [("a", "0.5"), ("b", "1.25")])
    if "regression" in sets[0] and not (folder / "regression").exists():
        tiny.save(folder / "regression", label_names=("score",), problem_type="regression")
    sets = [x.format(folder) for x in sets]
    assert cli.main(argv_of(folder, tmp_path / "run", "replay", *sets)) == code
    told = capsys.readouterr().err
    assert line in told and told.count("\n") == 1
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_the_schedule_is_not_drawn_for_an_unknown_number_of_rows(folder, tmp_path, capsys):
    argv = argv_of(folder, tmp_path / "run", "replay")
    assert cli.main([*argv, f"--draw_schedule={tmp_path / 'x.png'}"]) == 2
    assert "incremental.method is replay" in capsys.readouterr().err
