"""Damaged model directories: refused in a line, or loaded with the same numbers."""

import pytest

from tests.security import models, mutate


@pytest.mark.slow  # minutes: each copy is a model built and filled
def test_damaged_directories_neither_crash_nor_hang_nor_load_with_other_numbers(tmp_path):
    made = models.make(tmp_path)
    outcomes, wrong = mutate.run(made, 8 * len(made), seed=1)
    assert not wrong, "\n".join(wrong)
    assert outcomes["refused"] > len(made)
