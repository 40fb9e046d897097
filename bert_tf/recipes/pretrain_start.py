"""What pretraining begins with: fresh weights of some size, or those of a checkpoint."""

from absl import logging

from bert_tf.compression import distillation
from bert_tf.conversion.contents import opened
from bert_tf.errors import ConfigError, InputError
from bert_tf.loading import load_encoder, load_task
from bert_tf.outlines import require_arguments
from bert_tf.recipes.finetune_models import (
    arguments_of,
    arguments_with_models,
    go_on,
    whole_model,
)
from bert_tf.recipes.fresh_encoder import changed, fresh_encoder
from bert_tf.recipes.positional_heads import initialize_positional_heads
from bert_tf.tasks.features import check_padding
from bert_tf.tasks.pretraining_start import WHOLE, pretrains, take_heads, task_for
from bert_tf.text import Tokenizer


def start_model(config, tokenizer, sentences, labels=None):
    """The task model that a run of pretraining trains.

    Args:
      config: PretrainConfig.
      tokenizer: Tokenizer.
      sentences: str, the objective over sentences, "none" for none.
      labels: dict of further labels, as the task takes them, or None.
    Returns:
      A TaskModel.
    Raises:
      InputError: the checkpoint cannot be read, or the vocabulary has more entries than the
        weights rows.
      ConfigError: the configuration names a size or a field that there is not.
    """
    start, whole = config.model, WHOLE.get(config.objective.words)
    if start.path is None:
        source, encoder = None, fresh_encoder(start, tokenizer)
        if start.positional_heads:
            initialize_positional_heads(encoder)
    else:
        with opened(start.path) as contents:
            if whole is not None:
                source = whole_model(contents, whole[0], start.options)
            else:
                source = load_task(contents) if pretrains(contents.task) else None
            encoder = load_encoder(contents, **start.changes)
    tokenizer.require_rows(encoder.config.vocab_size, start.path or start.tokenizer)
    check_padding(tokenizer, encoder.config)
    if whole is not None:
        return _whole(config, *whole, encoder, source, tokenizer)
    model = _task(config, encoder, source, sentences, labels)
    if start.path is not None:
        fresh = take_heads(model, source)
        if fresh:
            logging.warning(
                "%s: holds no %s; initialized at random", start.path, " and no ".join(fresh)
            )
    return model


def _whole(config, task, name, encoder, source, tokenizer):
    """The task model of an objective whose task has a decoder, that of `source` if there is one."""
    start = config.model
    arguments = {**arguments_of(source), **start.options}
    require_arguments(arguments, start.options, task.arguments, name)
    try:
        model = task(encoder, **arguments_with_models(task, arguments, tokenizer))
    except InputError as error:
        raise ConfigError(f"model.options: {error}") from None
    if source is not None:
        go_on(model, source, start.path)
    elif start.path is not None and not {*task.from_models} & {*start.options}:
        parts = " and no ".join(task.from_models)
        logging.warning("%s: holds no %s; initialized at random", start.path, parts)
    return _with_factors(model, config.objective)


def _task(config, encoder, source, sentences, labels):
    objective = config.objective

    def generator(sizes):
        return changed(sizes, config.model.generator, "model.generator")

    try:
        given = (encoder, source, sentences, labels, generator, objective.sampled_words)
        model = task_for(objective.words, *given)
    except ConfigError:
        raise
    except InputError as error:
        raise ConfigError(f"objective.words is {objective.words}: {error}") from None
    return _with_factors(model, objective)


def _with_factors(model, objective):
    """The model, which has the losses that are to be weighed."""
    odd = [name for name in objective.loss_factors if name not in model.loss_names]
    if odd:
        raise ConfigError(
            f"objective.loss_factors.{odd[0]}: no such loss; there are "
            f"{', '.join(model.loss_names)}"
        )
    return model


def taught(config, student, tokenizer, sentences, labels=None):
    """The task model that trains a student under the teacher that a configuration names.

    Args:
      config: PretrainConfig with `distillation.teacher`.
      student: TaskModel, as `start_model` gives it.
      tokenizer, sentences, labels: as in `start_model`.
    Returns:
      Distillation.
    Raises:
      InputError: the teacher cannot be read, has another vocabulary, or lacks the head for words
        whose answers are to be learned.
      ConfigError: the losses do not fit teacher and student.
    """
    path, losses = config.distillation.teacher, config.distillation.losses
    with opened(path) as contents:
        source = load_task(contents) if pretrains(contents.task) else None
        encoder = load_encoder(contents)
        if Tokenizer.from_pretrained(str(contents.folder)).vocabulary != tokenizer.vocabulary:
            raise InputError(f"{path}: has another vocabulary than the student")
    teacher = task_for(config.objective.words, encoder, None, sentences, labels, None)
    fresh = take_heads(teacher, source)
    if "logits" in losses and any("words" in title for title in fresh):
        raise InputError(f"{path}: holds no {fresh[0]}, wanted no distillation.losses.logits")
    try:
        return distillation.Distillation(student, teacher, losses)
    except InputError as error:
        raise ConfigError(f"distillation.{error}") from None
