"""What a run tells while it goes: a progress bar, metrics.jsonl, TensorBoard, a picture."""

import contextlib
import json
import math
import os
import sys
import tempfile
import time

import tensorflow as tf
from tqdm import tqdm

# A larger share of a log interval spent waiting for data is told to the user, once.
STALLED = 0.2


class Journal:
    """The record of one run, continued where an interrupted one left it.

    Args:
      directory: str, the workdir; holds `metrics.jsonl` and `events/` for TensorBoard.
      step: int, updates made before; lines of later steps are dropped, they come again.
      steps: int, updates in the whole run.
      chief: bool, whether this process writes; of several workers one does.
    """

    def __init__(self, directory, step, steps, chief=True):
        directory = directory if chief else tempfile.mkdtemp(prefix="bert_tf-worker-")
        self.path = os.path.join(directory, "metrics.jsonl")
        keep = [line for line in read_journal(directory) if line["step"] <= step]
        temporary = self.path + ".tmp"
        with open(temporary, "w") as file:
            file.writelines(json.dumps(line) + "\n" for line in keep)
        os.replace(temporary, self.path)
        self.file = open(self.path, "a")  # noqa: SIM115 closed by `close`
        self.events = tf.summary.create_file_writer(os.path.join(directory, "events"))
        self.seconds = dict.fromkeys(
            ("waiting", "training", "logging", "evaluating", "saving"), 0.0
        )
        self.stalled = False
        # On a terminal a bar that moves; elsewhere a line for each evaluation.
        self.bar = tqdm(total=steps, initial=step, unit="step", disable=None, file=sys.stderr)
        self._interval()

    @contextlib.contextmanager
    def clock(self, what):
        """Within it the time that passes is counted as `what` in `seconds`."""
        began = time.perf_counter()
        yield
        self.seconds[what] += time.perf_counter() - began

    def _interval(self):
        self.before, self.tokens, self.positions, self.updates = dict(self.seconds), 0, 0, 0

    def count(self, outcome):
        """Notes one step by its outcome: real `tokens`, and `positions` with padding."""
        self.tokens += int(outcome["tokens"])
        self.positions += int(outcome["positions"])
        self.updates += 1
        self.bar.update(1)

    def training(self, step, epoch, values):
        """Writes what the steps since the last call came to; values are floats by name."""
        waited, trained = (
            self.seconds[what] - self.before[what] for what in ("waiting", "training")
        )
        seconds = waited + trained
        line = {
            **values,
            "tokens_per_second": self.tokens / seconds,
            "steps_per_second": self.updates / seconds,
            "padding_share": 1 - self.tokens / max(1, self.positions),
            "waiting_share": waited / seconds,
        }
        self._write(step, epoch, "train", line)
        if line["waiting_share"] > STALLED and not self.stalled:
            self.stalled = True
            self.say(
                f"step {step}: {100 * line['waiting_share']:.0f} % of the time went into waiting "
                "for data; metrics.jsonl has the waiting_share of every log line"
            )
        shown = {name: f"{value:.4g}" for name, value in values.items() if name != "learning_rate"}
        self.bar.set_postfix({**shown, "tokens/s": f"{line['tokens_per_second']:.0f}"})
        self._interval()

    def evaluation(self, step, epoch, values, watched):
        """Writes an evaluation; of its values the loss and the watched one are shown at once."""
        self._write(step, epoch, "validation", values)
        shown = dict.fromkeys(name for name in ("loss", watched) if name in values)
        numbers = ", ".join(f"{name} {values[name]:.4f}" for name in shown)
        self.say(f"step {step}, epoch {epoch:.2f}: validation {numbers}")

    def say(self, text):
        """One line for the user, above the bar."""
        tqdm.write(text, file=sys.stderr)

    def close(self):
        """Flushes everything and takes the bar away."""
        self.bar.close()
        self.file.close()
        self.events.close()

    def _write(self, step, epoch, part, values):
        line = {"step": step, "epoch": round(epoch, 4), "part": part, **values}
        self.file.write(json.dumps(finite(line)) + "\n")
        self.file.flush()
        with self.events.as_default():
            for name, value in values.items():
                if isinstance(value, int | float):
                    tf.summary.scalar(f"{part}/{name}", value, step=step)


def read_journal(directory):
    """The lines of a workdir's metrics.jsonl, a list of dicts; a torn last line is left out."""
    try:
        with open(os.path.join(directory, "metrics.jsonl")) as file:
            lines = file.read().split("\n")
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines[:-1] if line.strip()]


def draw_curves(directory):
    """Draws a workdir's metrics.jsonl: loss, metrics, learning rate and speed over the steps.

    Args:
      directory: str, the workdir.
    Returns:
      str, the path of the picture, `curves.png`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = read_journal(directory)
    panels = {
        "loss": ["loss"],
        "metrics": _scores(lines),
        "learning rate": ["learning_rate"],
        "real tokens a second": ["tokens_per_second"],
    }
    figure = Figure(figsize=(11, 7), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (title, names) in zip(figure.subplots(2, 2).flat, panels.items(), strict=True):
        for part, style in (("train", "-"), ("validation", "o--")):
            for name in names:
                points = [(x["step"], x[name]) for x in lines if x["part"] == part and name in x]
                if points:
                    label = part if len(names) == 1 else f"{part} {name}"
                    axes.plot(*zip(*points, strict=True), style, label=label, markersize=4)
        axes.set(title=title, xlabel="step")
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize=8)
    path = os.path.join(directory, "curves.png")
    figure.savefig(path + ".tmp", dpi=120, format="png")
    os.replace(path + ".tmp", path)
    return path


def _scores(lines):
    """The metrics between -1 and 1 that evaluations hold, at most four."""
    names = []
    for line in lines:
        if line["part"] == "validation":
            for name, value in line.items():
                shown = isinstance(value, float) and abs(value) <= 1
                if shown and name not in (*names, "loss", "epoch"):
                    names.append(name)
    return names[:4]


def finite(values):
    """Nested dicts for JSON, which has no NaN: such a value becomes None."""
    if isinstance(values, dict):
        return {name: finite(value) for name, value in values.items()}
    return None if isinstance(values, float) and not math.isfinite(values) else values
