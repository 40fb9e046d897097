"""From the command to the attention scores in few calls: who follows them must not get lost."""

import inspect
import os

import numpy as np
import pytest

import bert_tf
from bert_tf.cli import main
from bert_tf.layers import attention
from tests import tiny

PACKAGE = os.path.dirname(os.path.abspath(bert_tf.__file__)) + os.sep
MOST = 15


@pytest.fixture
def flags(tmp_path):
    """The flags of a fine-tuning of one step with every other setting as it comes."""
    tiny.classifier().encoder.save_pretrained(
        str(tmp_path / "encoder"), tiny.tokenizer(tmp_path / "tokenizer")
    )
    rows = [f"{word} film\t{word}" for word in np.resize(["good", "bad"], 8)]
    (tmp_path / "rows.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n")
    (tmp_path / "config.yaml").write_text(
        f"model: {{path: {tmp_path / 'encoder'}}}\n"
        f"data: {{train: {tmp_path / 'rows.tsv'}, validation: 0.5, max_length: 16}}\n"
        "train: {steps: 1}\n"
    )
    return [f"--config={tmp_path / 'config.yaml'}", f"--workdir={tmp_path / 'run'}"]


def test_at_most_15_functions_of_ours_stand_above_attend_when_the_command_trains(
    flags, monkeypatch
):
    stacks, attend = [], attention.attend

    def recording(*arguments, **options):
        frames = [frame for frame in inspect.stack()[1:] if frame.filename.startswith(PACKAGE)]
        stacks.append([f"{frame.filename}:{frame.function}" for frame in reversed(frames)])
        return attend(*arguments, **options)

    monkeypatch.setattr(attention, "attend", recording)
    assert main(["finetune", *flags]) == 0
    training = [stack for stack in stacks if f"{PACKAGE}training/step.py:train_step" in stack]
    assert training and training[0][0] == f"{PACKAGE}cli/__init__.py:main"
    for stack in training:
        assert len(stack) <= MOST, "\n".join([f"{len(stack)} functions:", *stack])
