"""Times several workers fairly on a machine whose speed drifts.

Each worker keeps its model loaded in a process of its own. They take turns, one unit of work at
a time, in the order A B C, C B A, ..., so that drift hits all alike; ratios are taken round by
round.
"""

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


def duel(commands, rounds):
    """Runs the workers by turns.

    Args:
      commands: list of argument lists, each a program that calls `serve`.
      rounds: int.
    Returns:
      dict of name -> list of float, amount of work a second in each round.
    Raises:
      RuntimeError: a worker ended before it was ready.
    """
    workers = [_start(command) for command in commands]
    rates = {name: [] for name, _ in workers}
    for number in range(rounds):
        for name, process in workers if number % 2 == 0 else reversed(workers):
            process.stdin.write("\n")
            process.stdin.flush()
            seconds, amount = map(float, process.stdout.readline().split())
            rates[name].append(amount / seconds)
    for _, process in workers:
        process.stdin.close()
        process.wait()
    return rates


def table(rates, unit):
    """A Markdown table: median rate of each, and the first one's ratio to it with its spread."""
    first = next(iter(rates))
    head = f"| worker | {unit} (median) | {first} / this (median, lowest to highest) |"
    lines = [head, "|---|---|---|"]
    for name, each in rates.items():
        ratios = [ours / theirs for ours, theirs in zip(rates[first], each, strict=True)]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        lines.append(f"| {name} | {statistics.median(each):.1f} | {spread} |")
    return "\n".join(lines)


def _start(command):
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("READY "):
            return line.removeprefix("READY ").strip(), process
    raise RuntimeError(f"did not start: {' '.join(command)}")
