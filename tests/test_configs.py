"""Every configuration that is shipped loads, and trains a step at toy size through the command."""

import json
import pathlib

import pytest

from bert_tf import CausalLM, Gpt2Config, build_encoder, cli
from bert_tf.config import FinetuneConfig, finetuning, load
from bert_tf.recipes import quickstart
from tests import tiny

FOLDER = pathlib.Path(__file__).parents[1] / "configs" / "finetune"
FILES = sorted(FOLDER.glob("*.yaml"))
TEXTS = ("a good film", "bad story", "the end is not very good", "three actor")
LABELS = {"regression": (4.5, 1.25, 3.0, 0.5), None: (1, 0, 1, 0)}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    directory = tmp_path_factory.mktemp("model")
    tiny.save(directory, layers=2)
    return directory


def test_there_are_configurations():
    assert len(FILES) >= 7


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_loads(file):
    load(finetuning(str(file)), str(file))


# Quickly, what they name is looked at by `test_it_loads`, and how they read and train by the tests
# of their tasks.
@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_trains_a_step(file, model, tmp_path):
    config = load(finetuning(str(file)), str(file))
    changes = {"model.path": model, "train.batch_size": 4, "train.steps": 1}
    if hasattr(config, "tasks"):
        for name in config.tasks:
            (tmp_path / name).mkdir()
            changes |= changes_of(config.alone(name), tmp_path / name, f"tasks.{name}.")
        return trains_a_step(file, changes, tmp_path)
    changes |= changes_of(config, tmp_path)
    for number in range(1, len(config.intermediate) + 1):
        (tmp_path / str(number)).mkdir()
        before = config.before(number, model)
        changes |= changes_of(before, tmp_path / str(number), f"intermediate.{number}.")
    if "generation" in config.model.options:
        options = {**config.model.options, "generation": {"max_new_tokens": 4}}
        if "path" in options.get("decoder", {}):
            options["decoder"] = {"path": str(model)}
        changes["model.options"] = json.dumps(options)
    if config.task == "causal_lm":
        sizes = tiny.sizes(vocab_size=len(tiny.vocabulary()), max_position_embeddings=96)
        start = CausalLM(build_encoder(Gpt2Config(**sizes)))
        start.save_pretrained(str(tmp_path / "start"), tiny.tokenizer(tmp_path / "vocabulary"))
        changes["model.path"] = tmp_path / "start"
    if config.few_shot.pairs is not None:
        changes["few_shot.per_class"] = 2
    if config.incremental.method is not None:
        old = tmp_path / "old.tsv"
        old.write_text("text\tlabel\ngood film\tgood\nbad story\tbad\n")
        changes |= {"incremental.old_train": old, "incremental.old_test": old}
    if config.train.warmup > 1:  # steps
        changes["train.warmup"] = 0
    if config.data.validation_columns:  # the rows here have those of training alone
        changes["train.best_metric"] = "null"
    trains_a_step(file, changes, tmp_path)


def changes_of(config, folder, before=""):
    """What a configuration reads instead of its files, dict of key -> value."""
    rows = write_rows(config, folder)
    parts = [part for part in ("train", "validation", "test") if getattr(config.data, part)]
    changes = {f"data.{part}": rows for part in parts}
    changes |= {"data.validation_columns": "{}", "data.test_columns": "{}"}
    changes |= {"data.max_length": 24}
    return {f"{before}{key}": value for key, value in changes.items()}


def trains_a_step(file, changes, tmp_path):
    overrides = [f"--set={key}={value}" for key, value in changes.items()]
    workdir = tmp_path / "run"
    assert cli.main(["finetune", f"--config={file}", f"--workdir={workdir}", *overrides]) == 0
    results = json.loads((workdir / "metrics.json").read_text())
    assert results["steps"] == 1 and results["skipped"] == 0
    assert (workdir / "model" / "model.safetensors").exists()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_its_head_comment_gives_the_command(file):
    head = file.read_text(encoding="utf-8").split("\nmodel:")[0]
    assert all(line.startswith("#") for line in head.splitlines())
    assert f"bert-tf finetune --config=configs/finetune/{file.name} --workdir=" in head


def test_quickstart_yaml_is_what_the_quickstart_does(tmp_path, monkeypatch):
    class Seen(Exception):
        pass

    def finetune(config, workdir):
        raise Seen(config)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(quickstart, "finetune", finetune)
    monkeypatch.setattr(quickstart, "fetch_reviews", lambda _: [(f"{n}", "a") for n in range(99)])
    with pytest.raises(Seen) as seen:
        quickstart.quickstart(model="quickstart/pretrained")
    assert seen.value.args[0] == load(FinetuneConfig, str(FOLDER / "quickstart.yaml"))


def write_rows(config, folder):
    """A file of four rows in the format and with the columns that a configuration tells."""
    if config.task == "multiple_choice":
        return write_choices(config, folder)
    if config.task == "token_classification":
        return write_tags(config, folder)
    if config.data.train.endswith(".conllu"):
        return write_trees(config, folder)
    if config.task == "question_answering":
        return write_questions(config, folder)
    if config.task == "reranking":
        return write_candidates(folder)
    if config.task == "sentence_embedding":
        return write_pairs(config, folder)
    data, labels = config.data, LABELS[config.model.problem_type]
    if config.task in ("seq2seq", "causal_lm"):
        pairs = list(zip(TEXTS * 2, TEXTS[::-1] * 2, strict=True))
        lines = ["\t".join(row) for row in pairs]
        if data.train.endswith(".jsonl"):
            lines = [json.dumps({"source": one, "target": other}) for one, other in pairs]
        elif not isinstance(data.text, int):
            lines = ["source\ttarget", *lines]
        path = folder / pathlib.Path(data.train).name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path
    columns = [data.text, data.label] + ([] if data.text_pair is None else [data.text_pair])
    rows = [
        {data.text: text, data.label: label, data.text_pair: partner}
        for text, label, partner in zip(TEXTS * 2, labels * 2, TEXTS[::-1] * 2, strict=True)
    ]
    if data.train.endswith((".json", ".jsonl")):
        lines = [json.dumps({column: row[column] for column in columns}) for row in rows]
    elif isinstance(data.text, int):
        places = range(max(columns) + 1)
        lines = ["\t".join(str(row.get(place, "-")) for place in places) for row in rows]
    else:
        lines = ["\t".join(columns)]
        lines += ["\t".join(str(row[column]) for column in columns) for row in rows]
    path = folder / pathlib.Path(data.train).name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_tags(config, folder):
    """Sentences of tagged words in the layout that a configuration names."""
    path = folder / pathlib.Path(config.data.train).name
    if path.suffix == ".json":
        row = {"text": "good film", "label": {"x": {"good": [[0, 3]]}}}
        path.write_text((json.dumps(row) + "\n") * 8)
    elif path.suffix == ".conllu":
        line = "{}\t{}\t_\t{}\t_\t_\t0\t_\t_\t_\n"
        path.write_text((line.format(1, "good", "ADJ") + line.format(2, "film", "NOUN") + "\n") * 8)
    else:
        language = "en:" if "wikiann" in str(config.data.train) else ""
        path.write_text(f"{language}good\tB-x\n{language}film\tO\n\n" * 8)
    return path


def write_trees(config, folder):
    """Four sentences of three words as CoNLL-U."""
    path = folder / pathlib.Path(config.data.train).name
    line = "{}\t{}\t_\t_\t_\t_\t{}\t{}\t_\t_\n"
    rows = [(1, "the", 2, "det"), (2, "end", 0, "root"), (3, ".", 2, "punct")]
    path.write_text(("".join(line.format(*row) for row in rows) + "\n") * 4)
    return path


def write_pairs(config, folder):
    """Four rows with the columns of a configuration of sentence vectors, each where it is."""
    data = config.data
    places = {"text": data.text, "text_pair": data.text_pair, **data.columns}
    values = {"text": TEXTS, "text_pair": TEXTS[::-1], "score": (4.5, 1.25, 3.0, 0.5)}
    rows = [
        {place: values[name][row] for name, place in places.items() if place is not None}
        for row in range(4)
    ]
    path = folder / pathlib.Path(data.train).name
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path
    width = range(max(rows[0]) + 1)
    lines = ["\t".join(str(row.get(place, "-")) for place in width) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def write_candidates(folder):
    """Queries with two candidates each."""
    rows = [
        {"query": query, "text": text, "score": int(text in query)}
        for query in TEXTS
        for text in ("a good film", "story")
    ]
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_choices(config, folder):
    """Two questions as the published file that a configuration names has them."""
    path = folder / pathlib.Path(config.data.train).name
    if path.suffix == ".csv":
        endings = ",".join(f"ending{number}" for number in range(4))
        rows = [f"{text},the,good,bad,one,two,{number}" for number, text in enumerate(TEXTS)]
        path.write_text(f"sent1,sent2,{endings},label\n" + "\n".join(rows) + "\n")
    else:
        asked = [{"question": "is", "choice": ["good", "bad", "one"], "answer": "bad"}]
        path.write_text(json.dumps([[[text, "the end"], asked, "0"] for text in TEXTS]))
    return path


def write_questions(config, folder):
    """Questions about four texts as a SQuAD file, the last one without an answer."""
    answers = [[{"text": text.split()[0], "answer_start": 0}] for text in TEXTS[:-1]] + [[]]
    articles = [
        {"paragraphs": [{"context": text, "qas": [{"question": "is ?", "answers": some}]}]}
        for text, some in zip(TEXTS, answers, strict=True)
    ]
    path = folder / pathlib.Path(config.data.train).name
    path.write_text(json.dumps({"data": articles}), encoding="utf-8")
    return path
