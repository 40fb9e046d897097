"""Times several workers fairly on a machine whose speed drifts.

Each worker keeps its model loaded in a process of its own. They take turns, one unit of work at
a time, in the order A B C, C B A, ..., so that drift hits all alike; ratios are taken round by
round.

Turns do not make up for other programs on the same cores: some thread pools suffer far more from
them than others. So each turn also notes the share of the machine that others took, and rounds in
which nobody was disturbed are reported apart. Linux only (/proc).
"""

import os
import statistics
import subprocess
import sys
import time


def serve(unit, name):
    """The worker's side: does one unit of work for each line on stdin, after two to warm up.

    Args:
      unit: function () -> amount of work done.
      name: str, what the table calls this worker.
    """
    unit()
    unit()
    print(f"READY {name}", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        amount = unit()
        print(time.perf_counter() - started, amount, flush=True)


class Turns:
    """The worker's side of a training loop that is not ours to cut up: called after every step.

    The loop stands still within the call while others have their turns, and the process ends there
    when there are no more.

    Args:
      name: str, what the table calls this worker.
      seconds: float; a turn ends with the first step after so many.
      warm: int, steps before the first turn.
    """

    def __init__(self, name, seconds, warm=10):
        self._name, self._seconds, self._warm = name, seconds, warm
        self._steps, self._started = 0, None
        # What libraries print is not for those who read our lines.
        self._out, sys.stdout = sys.stdout, sys.stderr

    def __call__(self):
        self._steps += 1
        if self._started is None:
            if self._steps < self._warm:
                return
            line = f"READY {self._name}"
        else:
            passed = time.perf_counter() - self._started
            if passed < self._seconds:
                return
            line = f"{passed} {self._steps}"
        print(line, file=self._out, flush=True)
        if not sys.stdin.readline():
            sys.exit()
        self._steps, self._started = 0, time.perf_counter()


def duel(commands, rounds):
    """Runs the workers by turns.

    Args:
      commands: list of argument lists, each a program that calls `serve`.
      rounds: int.
    Returns:
      dict of name -> list of (amount of work a second, share of the machine that others took), a
      pair for each round.
    Raises:
      RuntimeError: a worker ended before it was ready.
    """
    workers = [_start(command) for command in commands]
    turns = {name: [] for name, _ in workers}
    for number in range(rounds):
        for name, process in workers if number % 2 == 0 else reversed(workers):
            before = _machine_seconds() - _process_seconds(process.pid)
            process.stdin.write("\n")
            process.stdin.flush()
            seconds, amount = map(float, process.stdout.readline().split())
            others = _machine_seconds() - _process_seconds(process.pid) - before
            turns[name].append((amount / seconds, others / (seconds * os.cpu_count())))
    for _, process in workers:
        process.stdin.close()
        process.wait()
    return turns


def table(turns, unit, disturbed=1.0):
    """A Markdown table: median rate of each, and the first one's ratio to it with its spread.

    Args:
      turns: what `duel` returned.
      unit: str, of the amount of work.
      disturbed: float, rounds in which others took more of the machine are left out.
    """
    rounds = zip(*turns.values(), strict=True)
    kept = [each for each in rounds if max(others for _, others in each) <= disturbed]
    if not kept:
        return f"no round with others at {disturbed:.0%} or less"
    first = next(iter(turns))
    lines = [
        f"{len(kept)} rounds with others at {disturbed:.0%} of the machine or less",
        f"| worker | {unit} a second (median) | {first} / this (median, lowest to highest) |",
        "|---|---|---|",
    ]
    for place, name in enumerate(turns):
        ratios = [each[0][0] / each[place][0] for each in kept]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        rate = statistics.median(each[place][0] for each in kept)
        lines.append(f"| {name} | {rate:.1f} | {spread} |")
    return "\n".join(lines)


def _machine_seconds():
    """Seconds of processor time that all programs have used, stolen time included."""
    with open("/proc/stat", encoding="ascii") as stat:
        user, nice, system, _, _, irq, softirq, steal = map(int, stat.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _process_seconds(process):
    """Seconds of processor time that a process has used."""
    with open(f"/proc/{process}/stat", encoding="utf-8") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _start(command):
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("READY "):
            return line.removeprefix("READY ").strip(), process
    raise RuntimeError(f"did not start: {' '.join(command)}")
