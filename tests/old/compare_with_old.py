"""Does this checkout train to the very bits to which an older one trains, on this machine?

    python tests/old/compare_with_old.py OLD_CHECKOUT [--new=CHECKOUT] [--only=PATTERN]

Both train small models through the commands, each in a process of its own, and open every model in
models/. Prints which tensors differ and by how much; exits with 1 if one does. Some minutes.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent

ONE_PHASE = """\
model: {path: start}
phases:
- {records: records/dynamic, validation: 0.2, steps: 12}
train: {batch_size: 8, learning_rate: 0.002}
"""
SHORT = ["train.steps=12", "train.evaluate_every=6"]
PAIRS = ["data.train=pairs_train.jsonl", "data.validation=pairs_dev.jsonl", "data.text=first"]
PAIRS += ["data.text_pair=second", "data.label=score", "train.best_metric=pearson"]
OLD_ROWS = ["incremental.old_test=dev.tsv", "model.path=finished_finetune/model"]
RECORDS = "phases.1.records=records/"
# Name -> verb, configuration, what is set otherwise. The first run as long as the issue wants.
CASES = {
    "finetune": ("finetune", "finetune", []),
    "finetune-accumulate": ("finetune", "finetune", ["train.accumulate=2"]),
    "finetune-packed": ("finetune", "packed", []),
    "pretrain": ("pretrain", "pretrain", []),
    "electra": ("pretrain", "electra", []),
    "unfinished_finetune": ("finetune", "finetune", []),
    "unfinished_pretrain": ("pretrain", "pretrain", []),
}
FINETUNE = {
    "pairs": PAIRS,
    "pairs-packed": [*PAIRS, "data.packing=true", "data.max_length=40"],
    "multi": ["data.train=multi_train.jsonl", "data.validation=multi_dev.jsonl"],
    "split": ["data.validation=0.2", "train.patience=1", "train.evaluate_every=2"],
    "mean": ["model.pooling=mean", "model.head_layers=[8]"],
    "max-packed": ["model.pooling=max", "data.packing=true"],
    "last-layer": ["train.freeze=1", "train.layer_decay=0.8", "train.max_loss=0.8"],
    "gradual": ["train.freeze=gradual", "train.unfreeze_every=3"],
    "recompute": ["train.recompute=true", "train.schedule=cosine"],
    "lamb": ["train.optimizer=lamb", "train.ema=0.9"],
    "google": ["train.optimizer=google_adamw", "train.lookahead=3"],
    "adafactor": ["train.optimizer=adafactor", "train.epsilon=null"],
    "bfloat16": ["train.precision=mixed_bfloat16"],
    "float16": ["train.precision=mixed_float16"],
    "albert": ["model.path=models/albert-groups"],
    "electra": ["model.path=models/electra-pretraining"],
    "sinusoidal": ["model.path=models/own-bert-sinusoidal"],
    "layer-drop": ["model.path=models/own-bert-layer-drop"],
    "pre-norm": ["model.path=models/own-albert-groups"],
    "rows": ["incremental.method=rows", *OLD_ROWS],
    "replay": ["incremental={method: replay, old_train: train.tsv}", *OLD_ROWS],
    "ewc": ["incremental={method: ewc, old_train: train.tsv}", *OLD_ROWS],
    "lwf": ["incremental.method=lwf", *OLD_ROWS],
}
# Without a file to begin from the sizes have to be told as well.
FRESH = ["model.path=null", "model.family=bert", "model.tokenizer=start"]
FRESH += ["model.positional_heads=true", "model.changes={num_hidden_layers: 2, hidden_size: 12}"]
FRESH += ["model.changes.num_attention_heads=3", "model.changes.intermediate_size=20"]
PRETRAIN = {
    "static": [f"{RECORDS}static"],
    "labels": [f"{RECORDS}labels"],
    "labels-packed": [f"{RECORDS}labels", "phases.1.packing=true", "masking.unit=span"],
    "ngram": ["masking={unit: ngram, mask_share: 0.7, random_share: 0.3}", "noise.deletion=0.1"],
    "adversarial": ["objective.adversarial=0.5", "phases.1.accumulate=2"],
    "factors": ["objective.loss_factors={sentence: 0.5}", "train.precision=mixed_bfloat16"],
    "words-alone": ["objective.sentences=none", "train.recompute=true"],
    "positional": FRESH,
    "albert": ["model.path=models/albert-pretraining"],
    "masked-lm": ["model.path=models/own-bert-masked-lm"],
    "pre-norm": ["model.path=models/own-albert-pretraining"],
    "electra": ["model.path=models/electra-pretraining", "objective.words=replaced_tokens"],
}
CASES |= {f"finetune/{x}": ("finetune", "finetune", SHORT + FINETUNE[x]) for x in FINETUNE}
CASES |= {f"pretrain/{x}": ("pretrain", "one_phase", PRETRAIN[x]) for x in PRETRAIN}


def run_cases(names):
    """Runs cases in the working directory with whichever bert_tf is on the path."""
    import bert_tf
    from bert_tf import cli

    print(f"{pathlib.Path(bert_tf.__file__).parent}", flush=True)
    for name in names:
        verb, config, changes = CASES[name]
        workdir = workdir_of(pathlib.Path("."), name)
        flags = [f"--config={config}.yaml", f"--workdir={workdir}"]
        started = time.monotonic()
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            code = cli.main([verb, *flags, *(f"--set={each}" for each in changes)])
        # Standard error goes to this file, see `run`; its last line says why a run failed.
        why = "" if code == 0 else pathlib.Path("errors.txt").read_text().splitlines()[-1]
        print(f"  {name}: {time.monotonic() - started:.1f} s {why}", flush=True)


def run_models():
    """Opens every model, as test_old.py does; outputs/NAME.npz are its answers."""
    sys.path.insert(0, str(HERE.parent.parent))
    from tests.old import test_old

    os.makedirs("outputs")
    for folder, name in test_old.FOLDERS.items():
        inputs, _ = test_old.arrays_of(name)
        found = test_old.opened(folder)(inputs, training=False)
        found = found if isinstance(found, dict) else {"answer": found}
        np.savez(f"outputs/{folder}.npz", **{key: np.asarray(x) for key, x in found.items()})
    print(f"  {len(test_old.FOLDERS)} models opened", flush=True)


def workdir_of(folder, name):
    return folder / (name if name.startswith("unfinished") else f"done/{name}")


def run(checkout, folder, names, models):
    """Runs this file in a process of its own, with the bert_tf of a checkout.

    Returns:
      The names of the cases that did not end well.
    """
    shutil.copytree(HERE / "runs", folder)
    shutil.copytree(HERE / "models", folder / "models")
    (folder / "one_phase.yaml").write_text(ONE_PHASE)
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(checkout).resolve())}
    environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    command = [sys.executable, __file__, "--cases", json.dumps([names, models])]
    with open(folder / "errors.txt", "w") as errors:
        code = subprocess.run(command, cwd=folder, env=environment, stderr=errors).returncode
    if code:
        sys.exit(f"{checkout}: {(folder / 'errors.txt').read_text()[-2000:]}")
    return [name for name in names if not (workdir_of(folder, name) / "metrics.json").exists()]


def tensors(path):
    """Every tensor in a file of either kind, dict of name -> array."""
    from safetensors.numpy import load_file

    return dict(np.load(path)) if path.suffix == ".npz" else load_file(path)


def differences(old, new):
    """A line for each tensor in which two files differ."""
    ours, theirs = tensors(new), tensors(old)
    for name in sorted(set(ours) ^ set(theirs)):
        yield f"{name}: only in the {'new' if name in ours else 'old'} one"
    for name in sorted(set(ours) & set(theirs)):
        one, other = ours[name], theirs[name]
        if one.shape != other.shape or one.dtype != other.dtype:
            yield f"{name}: {one.dtype} {one.shape}, {other.dtype} {other.shape} in the old one"
        elif one.tobytes() != other.tobytes():
            off = np.abs(one.astype("float64") - other.astype("float64"))
            scale = np.abs(other.astype("float64")).max()
            share = (one != other).mean()
            yield f"{name}: off by up to {off.max():.1e} of {scale:.1e}, {share:.0%} of the entries"


def compare(old, new, shown=5):
    """Prints where the files of two runs differ; returns how many files do."""
    patterns = ("done/**/*.safetensors", "unfinished*/**/*.safetensors", "outputs/*.npz")
    files = {
        path.relative_to(folder)
        for folder in (old, new)
        for pattern in patterns
        for path in folder.glob(pattern)
    }
    wrong = 0
    for file in sorted(files):
        if not ((old / file).exists() and (new / file).exists()):
            lines = [f"only made by the {'new' if (new / file).exists() else 'old'} code"]
        else:
            lines = list(differences(old / file, new / file))
        wrong += bool(lines)
        if lines:
            print(f"{file}: {len(lines)} tensors differ")
            print("\n".join(f"    {line}" for line in lines[:shown]))
    print(f"{len(files) - wrong} of {len(files)} files are the same to the bit")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", nargs="?", help="a checkout of the older code")
    parser.add_argument("--new", default=HERE.parent.parent, help="another than this checkout")
    parser.add_argument("--only", default="", help="a regular expression of cases; or `models`")
    parser.add_argument("--cases", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.cases:
        names, models = json.loads(flags.cases)
        run_cases(names)
        if models:
            run_models()
        return 0
    names = [name for name in CASES if re.search(flags.only, name)]
    models = bool(re.search(flags.only, "models"))
    with tempfile.TemporaryDirectory() as folder:
        places = [pathlib.Path(folder) / name for name in ("old", "new")]
        pairs = zip((flags.old, flags.new), places, strict=True)
        failed = [f"{p.name} {name}" for c, p in pairs for name in run(c, p, names, models)]
        if failed:
            print(f"did not end well: {', '.join(failed)}")
        return 1 if compare(*places) or failed else 0


if __name__ == "__main__":
    sys.exit(main())
