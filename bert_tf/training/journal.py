"""The log of a run: a progress bar, metrics.jsonl, TensorBoard events, a picture of the curves."""

import contextlib
import json
import math
import os
import sys
import time

import tensorflow as tf
from absl import logging
from tqdm import tqdm

from bert_tf.atomic import new_file
from bert_tf.errors import InputError

# A larger share of a log interval spent waiting for data is reported, once a run.
STALLED = 0.2
# Where there is no terminal: seconds between two lines.
QUIET = 30.0
# No bar is wider than 80 columns need be for the speed, which comes first of what is shown.
BAR = "{percentage:3.0f}%|{bar:10}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"


class Journal:
    """The log of one run, continued where an interrupted one left it.

    Args:
      directory: str, the workdir; holds `metrics.jsonl` and `events/` for TensorBoard.
      step: int, updates made before; lines of later steps are dropped, they come again.
      steps: int, updates in the whole run.
      chief: bool, whether this process writes; of several workers one does.
    Raises:
      InputError: the files cannot be read or written.
    """

    def __init__(self, directory, step, steps, chief=True):
        self.path = os.path.join(directory, "metrics.jsonl")
        self.folder = os.path.join(directory, "events")
        self.chief = chief
        if chief:
            kept = [line for line in read_journal(directory) if line["step"] <= step]
            with new_file(self.path) as file:
                file.writelines(json.dumps(line) + "\n" for line in kept)
            with _writing(self.folder):
                os.makedirs(self.folder, exist_ok=True)
                self.events = tf.summary.create_file_writer(self.folder)
        self.seconds = dict.fromkeys(
            ("waiting", "training", "logging", "evaluating", "saving"), 0.0
        )
        self.stalled = False
        # On a terminal a bar that moves; elsewhere a line now and then, and for each evaluation.
        self.bar = tqdm(total=steps, initial=step, disable=None, file=sys.stderr, bar_format=BAR)
        self.steps, self.told = steps, time.perf_counter()
        self._interval()

    @contextlib.contextmanager
    def clock(self, what):
        """Within it the time that passes is added to `seconds[what]`."""
        start = time.perf_counter()
        yield
        self.seconds[what] += time.perf_counter() - start

    def _interval(self):
        self.before, self.tokens, self.positions, self.updates = dict(self.seconds), 0, 0, 0

    def count(self, outcome):
        """Counts one step by its outcome: `tokens` without padding, and `positions` with it."""
        self.tokens += int(outcome["tokens"])
        self.positions += int(outcome["positions"])
        self.updates += 1
        self.bar.update(1)

    def training(self, step, epoch, values):
        """Logs the means over the steps since the last call, floats by name, and their speed."""
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
        shown = {"tokens/s": f"{line['tokens_per_second']:.0f}"}
        shown |= {name: f"{x:.4g}" for name, x in values.items() if name != "learning_rate"}
        self.bar.set_postfix(shown)
        if self.bar.disable and self.chief and time.perf_counter() - self.told >= QUIET:
            self.told = time.perf_counter()
            left = tqdm.format_interval((self.steps - step) / line["steps_per_second"])
            numbers = ", ".join(f"{name} {value}" for name, value in shown.items())
            self.say(f"step {step} of {self.steps}: {numbers}; {left} left")
        self._interval()

    def evaluation(self, step, epoch, values, monitored):
        """Logs an evaluation; its loss and its monitored metric are shown at once."""
        self._write(step, epoch, "validation", values)
        shown = dict.fromkeys(name for name in ("loss", monitored) if name in values)
        numbers = ", ".join(f"{name} {values[name]:.4f}" for name in shown)
        self.say(f"step {step}, epoch {epoch:.2f}: validation {numbers}")

    def say(self, text):
        """Prints a line above the bar."""
        tqdm.write(text, file=sys.stderr)

    def close(self):
        """Closes the files and removes the bar."""
        self.bar.close()
        if self.chief:
            with _writing(self.folder):
                self.events.close()

    def _write(self, step, epoch, part, values):
        if not self.chief:
            return
        line = {"step": step, "epoch": round(epoch, 4), "part": part, **values}
        with _writing(self.path), open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(finite(line)) + "\n")
        with _writing(self.folder), self.events.as_default():
            for name, value in values.items():
                if isinstance(value, int | float):
                    tf.summary.scalar(f"{part}/{name}", value, step=step)


@contextlib.contextmanager
def _writing(path):
    """Within it what Python or TensorFlow say of a file becomes one line."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
    except tf.errors.OpError as error:
        reason = error.message.splitlines()[0]
        raise InputError(f"{path}: cannot be written: {reason}") from error


def read_journal(directory):
    """The lines of a workdir's metrics.jsonl.

    Damaged lines are left out, with one warning for all of them.

    Args:
      directory: str, the workdir.
    Returns:
      list of dicts with `step`, int, `part`, str, and the values; empty without the file.
    Raises:
      InputError: the file cannot be read.
    """
    path = os.path.join(directory, "metrics.jsonl")
    try:
        with open(path, "rb") as file:
            texts = file.read().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    lines = [_parsed(text) for text in texts]
    damaged = [number for number, line in enumerate(lines, 1) if line is None]
    if damaged:
        logging.warning(
            "%s: damaged lines left aside: %d, the first is line %d", path, len(damaged), damaged[0]
        )
    return [line for line in lines if line is not None]


def _parsed(text):
    """A line of metrics.jsonl as a dict; None if it is none."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    kinds = {"step": int, "epoch": int | float, "part": str}
    sound = isinstance(line, dict) and all(isinstance(line.get(x), kinds[x]) for x in kinds)
    return line if sound else None


def draw_curves(directory, scores=()):
    """Draws a workdir's metrics.jsonl: loss, metrics, learning rate and speed over the steps.

    Args:
      directory: str, the workdir.
      scores: tuple of str, the metrics to show; without any at most four of the evaluations' with
        values from -1 to 1, accuracy and F1 before others.
    Returns:
      str, the path of the picture, `curves.png`.
    Raises:
      InputError: metrics.jsonl cannot be read, or the picture cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    lines = read_journal(directory)
    panels = {
        "loss": ["loss"],
        "metrics": scores or _scores(lines),
        "learning rate": ["learning_rate"],
        "real tokens a second": ["tokens_per_second"],
    }
    units = {"metrics": "score", "real tokens a second": "tokens/s"}
    figure = Figure(figsize=(11, 7), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (title, names) in zip(figure.subplots(2, 2).flat, panels.items(), strict=True):
        for part, style in (("train", "-"), ("validation", "o--")):
            for name in names:
                points = [
                    (line["step"], line[name])
                    for line in lines
                    if line["part"] == part and isinstance(line.get(name, ""), int | float | None)
                ]
                if points:
                    label = part if len(names) == 1 else f"{part} {name}"
                    how = style if len(points) > 1 else "o"  # no line goes through one point
                    axes.plot(*zip(*points, strict=True), how, label=label, markersize=4)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set(title=title, xlabel="step", ylabel=units.get(title, title))
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize=8)
    path = os.path.join(directory, "curves.png")
    with new_file(path, "wb") as file:
        figure.savefig(file, dpi=120, format="png")
    return path


def _scores(lines):
    """The names of the metrics that are shown where none are named."""
    names = []
    for line in lines:
        if line["part"] == "validation":
            for name, value in line.items():
                shown = isinstance(value, float) and abs(value) <= 1
                if shown and name not in (*names, "epoch") and not name.endswith("loss"):
                    names.append(name)
    return sorted(names, key=lambda name: not name.startswith(("accuracy", "f1")))[:4]


def finite(values):
    """Nested dicts for JSON, which has no NaN: such a value becomes None."""
    if isinstance(values, dict):
        return {name: finite(value) for name, value in values.items()}
    return None if isinstance(values, float) and not math.isfinite(values) else values
