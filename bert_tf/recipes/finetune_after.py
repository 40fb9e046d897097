"""Intermediate tasks: an encoder learns one task after another before the one that is wanted."""

import os

from absl import logging

from bert_tf.datasets import task_named
from bert_tf.errors import ConfigError, InputError
from bert_tf.recipes.finetune import finetune
from bert_tf.recipes.finetune_rows import data_digests
from bert_tf.recipes.workdir import open_workdir


def finetune_after(config, workdir):
    """Trains a task after its intermediate ones (Phang et al. 2018, arXiv 1811.01088), or goes on.

    Each intermediate task is an ordinary run in `intermediate_1`, ... of the workdir; the next one
    begins with the encoder of its best weights, and a fresh head.

    Args:
      config: FinetuneConfig with `intermediate`.
      workdir: str, made if absent.
    Returns:
      dict as of `finetune`, of the last task.
    Raises:
      As `finetune`; what is wrong with an intermediate task begins with its number.
    """
    finished = open_workdir(workdir, config, data_digests(config))
    if finished is not None:
        return finished
    path, count = config.model.path, len(config.intermediate)
    for number, section in enumerate(config.intermediate, 1):
        task_named(section.task, f"intermediate.{number}.task")
    task_named(config.task)
    for number, section in enumerate(config.intermediate, 1):
        folder = os.path.join(workdir, f"intermediate_{number}")
        logging.info("intermediate task %d of %d: %s", number, count, section.data.train)
        try:
            finetune(config.before(number, path), folder)
        except (ConfigError, InputError) as error:
            raise type(error)(f"intermediate.{number}: {error}") from None
        path = os.path.join(folder, "model")
    return finetune(config, workdir, start=path)
