"""One damaged copy of a model directory after another: bits, lengths, keys, types.

    python -m tests.security.mutate FOLDER_OF_MODELS COUNT SEED

prints for each kind of outcome how many there were, and every one that should not be. A worker of
its own loads them, so that a crash, a hang and a hunger for memory are told from an error.
"""

import json
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading

SECONDS = 60  # of one load, on a busy machine
BYTES = 16 * 2**30  # of address space, most of it TensorFlow's own
VALUES = [
    None,
    True,
    -1,
    0,
    1,
    2,
    7,
    10**9,
    10**30,
    0.5,
    float("nan"),
    "",
    "x",
    "gelu",
    [],
    {},
    [1],
]


def mutate(folder, numbers):
    """Damage one file of a folder; returns what was done, a str."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    # Small files decide more; weights are chosen as often as all others together.
    file = numbers.choice(files)
    content = file.read_bytes()
    if file.suffix == ".json" and numbers.random() < 0.7:
        try:
            done, whole = _mutated(json.loads(content), numbers)
        except ValueError:
            done, whole = "nothing", None
        file.write_text(json.dumps(whole), encoding="utf-8")
        return f"{file.name}: {done}"
    kind = numbers.choice(("bits", "bits", "head", "head", "cut", "grow", "swap"))
    data = bytearray(content)
    if kind in ("bits", "head") and data:
        # Headers lie first in most formats, and last in none that matters here.
        reach = len(data) if kind == "bits" else min(len(data), 2000)
        places = [numbers.randrange(reach) for _ in range(numbers.choice((1, 1, 2, 8)))]
        for place in places:
            data[place] ^= 1 << numbers.randrange(8)
        done = f"bits at {places}"
    elif kind == "cut":
        size = numbers.randrange(len(data) + 1)
        data, done = data[:size], f"cut to {size} bytes"
    elif kind == "grow":
        data, done = data + numbers.randbytes(numbers.choice((1, 8, 1000))), "bytes behind the end"
    else:
        first, second = (numbers.randrange(max(1, len(data))) for _ in range(2))
        data[first : first + 16], data[second : second + 16] = (
            data[second : second + 16],
            data[first : first + 16],
        )
        done = f"bytes at {first} and {second} swapped"
    file.write_bytes(bytes(data))
    return f"{file.name}: {done}"


def _mutated(whole, numbers):
    """(what was done, a JSON value with one key or one value of it changed)."""
    places = []

    def collect(value, depth=0):
        if isinstance(value, dict | list) and depth < 6:
            keys = list(value) if isinstance(value, dict) else range(len(value))
            places.extend((value, key) for key in keys)
            for key in keys:
                collect(value[key], depth + 1)

    collect(whole)
    if not places:
        return "nothing", whole
    holder, key = numbers.choice(places)
    kind = numbers.choice(("value", "value", "drop", "rename", "type"))
    if kind == "drop":
        del holder[key]
    elif kind == "rename" and isinstance(holder, dict):
        holder[f"{key}_"] = holder.pop(key)
    elif kind == "type":
        holder[key] = str(holder[key]) if not isinstance(holder[key], str) else [holder[key]]
    else:
        holder[key] = numbers.choice(VALUES)
        kind = "null" if holder[key] is None else kind
    return f"{kind} of {key!r} in a {type(holder).__name__}", whole


class Worker:
    """A process that loads folders; started again after a crash or a hang."""

    def __init__(self):
        self.process = None

    def load(self, folder):
        """The outcome of loading a folder, a line."""
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.security.load_each"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            assert self.process.stdout.readline().strip() == "ready"
        self.process.stdin.write(f"{folder}\n")
        self.process.stdin.flush()
        hung = threading.Timer(SECONDS, self.process.kill)
        hung.start()
        line = self.process.stdout.readline().strip()
        hung.cancel()
        if not line:
            code = self.process.wait()
            return f"crash {code}" if hung.is_alive() or code != -9 else "hang"
        return line

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def run(models, count, seed):
    """Load damaged copies of models.

    Args:
      models: dict of name to pathlib.Path, whole model directories.
      count: int, copies of all of them together.
      seed: int.
    Returns:
      (dict of outcome to how many; list of str, those that should not be).
    """
    numbers, outcomes, wrong, worker = random.Random(seed), {}, [], Worker()
    whole = {}
    try:
        for number in range(count):
            name = list(models)[number % len(models)]
            if name not in whole:
                whole[name] = worker.load(models[name])
                if not whole[name].startswith("loaded"):
                    wrong.append(f"{name}, undamaged: {whole[name]}")
            with tempfile.TemporaryDirectory() as place:
                folder = pathlib.Path(shutil.copytree(models[name], f"{place}/model"))
                done = mutate(folder, numbers)
                line = worker.load(folder)
            kind = line.split()[0]
            if kind == "loaded" and line.split()[:4] != whole[name].split()[:4]:
                # loaded CONFIG WEIGHTS CLASS: another config, or numbers that the damage hit
                kind = "other config" if line.split()[1] != whole[name].split()[1] else "other bits"
            outcomes[kind] = outcomes.get(kind, 0) + 1
            in_weights = "bits at" in done or "swapped" in done
            # A key that is gone, or says nothing, and what stands in its place was not told.
            gone = re.search(r": (drop|rename|null) of .* in a dict", done)
            unsaid = kind == "other config" and gone and not line.endswith(" warned")
            if kind not in ("refused", "loaded", "other config", "other bits") or (
                unsaid or (kind == "other bits" and not in_weights)
            ):
                wrong.append(f"{name}: {done}: {line}")
    finally:
        worker.close()
    return outcomes, wrong


def main(folder, count, seed):
    models = {path.name: path for path in sorted(pathlib.Path(folder).iterdir()) if path.is_dir()}
    outcomes, wrong = run(models, int(count), int(seed))
    print("\n".join(wrong))
    print(
        f"{count} damaged copies of {len(models)} model directories: {outcomes}; {len(wrong)} wrong"
    )
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
