"""What the workers of serving.py do: one workload a turn, the next of them in the turn after it."""

import itertools
import json
import os

from by_turns import serve


def serve_calls(path, answer, name, exact=True):
    """Serves turns; see `by_turns.serve`.

    Args:
      path: str, the JSON file of serving.py. The labels of the first worker are kept beside it.
      answer: function of a list of str to a list of labels.
      name: str, what the table calls this worker.
      exact: bool, whether its labels have to be those of the first worker.
    Raises:
      SystemExit: they are others.
    """
    with open(path, encoding="utf-8") as file:
        workloads = list(json.load(file).values())
    labels = [answer(texts) for calls in workloads for texts in calls]  # and warms up every shape
    kept = path + ".labels"
    if not os.path.exists(kept):
        with open(kept, "w", encoding="utf-8") as file:
            json.dump(labels, file)
    with open(kept, encoding="utf-8") as file:
        expected = json.load(file)
    pairs = zip(itertools.chain(*labels), itertools.chain(*expected), strict=True)
    others = sum(found != wanted for found, wanted in pairs)
    if exact and others:
        raise SystemExit(f"{name}: {others} labels are not those of the export")
    turns = itertools.cycle(workloads)

    def unit():
        calls = next(turns)
        for texts in calls:
            answer(texts)
        return sum(map(len, calls))

    # `serve` does two units before the first turn: so many more make the first turn's the first.
    for _ in range(len(workloads) - 2):
        next(turns)
    serve(unit, f"{name}, {others} other labels" if others else name)
