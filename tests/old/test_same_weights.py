"""What is drawn at random is what 0.1 drew, and training ends with the weights it ended with.

Integers are compared exactly, weights up to what another processor rounds otherwise. Whether a
change keeps every bit, compare_with_old.py tells on one and the same machine.
"""

import pathlib

import numpy as np
import pytest

from bert_tf import cli

from . import insides
from .weights import assert_final_weights

DRAWS = np.load(pathlib.Path(__file__).parent / "draws.npz")
# Slow, because a run of test_old_runs.py goes on with the batches and steps of "finetune", the
# draws above are those of the others, and tasks/test_electra_pretraining.py takes ELECTRA's step.
RUNS = [
    pytest.param("finetune", "finetune", marks=pytest.mark.slow),
    pytest.param("finetune", "packed", marks=pytest.mark.slow),
    pytest.param("pretrain", "pretrain", marks=pytest.mark.slow),
    pytest.param("pretrain", "electra", marks=pytest.mark.slow),
]


def flat(prefix, value):
    """Nested tuples, lists and dicts of arrays as {"prefix/key/key": array}."""
    if isinstance(value, tuple | list):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return {prefix: np.asarray(value)}
    return {k: v for name in value for k, v in flat(f"{prefix}/{name}", value[name]).items()}


def assert_drawn(name, batches):
    found = flat(name, list(batches))
    assert set(found) == {key for key in DRAWS if key.startswith(f"{name}/")}
    for key, value in found.items():
        np.testing.assert_array_equal(value, DRAWS[key], err_msg=key)


@pytest.mark.parametrize("draws", [insides.draws_of_fine_tuning, insides.draws_of_pretraining])
def test_the_first_batches_are_the_same(runs, draws):
    for name, batches in draws().items():
        assert_drawn(name, batches)


def test_dropout_draws_the_same():
    keys, mask = insides.draws_of_dropout()
    assert_drawn("key", keys)
    np.testing.assert_array_equal(mask, DRAWS["dropout"])


@pytest.mark.parametrize("verb, name", RUNS)
def test_a_run_ends_with_the_same_weights(runs, verb, name):
    assert cli.main([verb, f"--config={name}.yaml", "--workdir=run"]) == 0
    assert_final_weights(runs / "run", name)
