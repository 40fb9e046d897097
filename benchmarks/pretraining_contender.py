"""What the workers of pretraining_quality.py have in common: their command line."""

import argparse
import json
import os
import time

from by_turns import Turns
from pretraining_rows import read, score

# Steps enough for a loop that others stop.
_ENDLESS = 1_000_000
RECIPES = ("default", "our_rate")


def main(name, train, load):
    """Does what the command line asks for: measure, train or evaluate.

    Args:
      name: str, the worker's.
      train: function (settings, rows, recipe, steps, seed, folder, after_step). It trains, calls
        after_step() after every step if that is not None, and saves the model in `folder`.
      load: function (settings, folder of a saved model) -> what `pretraining_rows.score` calls.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("prepared", help="the folder that --prepare wrote")
    parser.add_argument("--recipe", choices=RECIPES, default="default")
    parser.add_argument("--measure", type=float, metavar="SECONDS", help="of a turn")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", help="folder for the model and result.json")
    parser.add_argument("--model", help="evaluate this one, do not train")
    flags = parser.parse_args()
    settings, rows, held_out = read(flags.prepared)
    if flags.model:
        loss, accuracy = score(load(settings, flags.model), held_out)
        print(f"loss {loss:.5f}, accuracy {accuracy:.5f}")
        return
    if flags.measure:
        turns = Turns(f"{name} {flags.recipe}", flags.measure)
        train(settings, rows, flags.recipe, _ENDLESS, flags.seed, flags.output, turns)
        return
    started = time.perf_counter()
    train(settings, rows, flags.recipe, flags.steps, flags.seed, flags.output, None)
    seconds = time.perf_counter() - started
    loss, accuracy = score(load(settings, flags.output), held_out)
    result = {
        **{"worker": name, "recipe": flags.recipe, "steps": flags.steps, "seed": flags.seed},
        **{"loss": loss, "accuracy": accuracy, "seconds": seconds},
    }
    with open(os.path.join(flags.output, "result.json"), "w", encoding="utf-8") as file:
        json.dump(result, file)
    print(json.dumps(result))
