"""Distillation: a student that learns of a teacher what it answers, and what goes on inside it."""

from bert_tf.compression import distillation
from bert_tf.compression.answer_losses import check_alike
from bert_tf.compression.loss_settings import settings_of
from bert_tf.datasets import task_named
from bert_tf.errors import ConfigError, InputError
from bert_tf.recipes.distill_rows import source_of, taught_rows, with_unlabelled
from bert_tf.recipes.distill_start import as_taught, make_student, open_teacher
from bert_tf.recipes.finetune import compile_model, monitor_of, prepare, train_and_measure
from bert_tf.recipes.finetune_rows import (
    data_digests,
    evaluation_of,
    in_windows,
    read_tables,
    report_rows,
)
from bert_tf.recipes.kept_answers import asked_answers, kept_answers
from bert_tf.recipes.workdir import (
    claimed_workdir,
    digests,
    model_digests,
    open_workdir,
    save_run,
)
from bert_tf.text import Tokenizer
from bert_tf.training.distribution import is_chief
from bert_tf.training.evaluation import evaluate, mean_terms


def distill(config, workdir):
    """Trains a student as a configuration says, or continues where an earlier run stopped.

    Args:
      config: DistillConfig.
      workdir: str, made if absent; holds what `finetune` writes, `model/` is the student.
    Returns:
      dict as of `finetune`, and `teachers`, the figures of each on the validation rows.
    Raises:
      As `finetune`; InputError also where a teacher does not fit the data or the student.
    """
    plain, section = config.finetuning(), config.distillation
    _check_losses(section)
    data = data_digests(plain) | digests(filter(None, [section.unlabelled]))
    for path in section.teacher:
        data |= model_digests(path)
    finished = open_workdir(workdir, config, data)
    if finished is not None:
        return finished
    task = task_named(config.task)
    strategy = prepare(plain, task)
    chief = is_chief(strategy)
    tokenizer = Tokenizer.from_pretrained(config.model.path)
    tables = in_windows(read_tables(plain, task), plain, task, tokenizer)
    with strategy.scope():
        teachers = [
            open_teacher(path, config, task, tables["train"], tokenizer) for path in section.teacher
        ]
        tables = as_taught(tables, plain, task, tokenizer, teachers)
        student = make_student(config, task, tables["train"], tokenizer)
    rows = with_unlabelled(tables["train"], plain, task, tokenizer, section)
    given = (plain, task, tokenizer, teachers)
    kept = None
    if section.answers is not None:
        kept = kept_answers(rows, *given, section, data, writes=chief)
    source = source_of(rows, len(tables["train"]), *given, kept)
    steps = config.train.steps or source.epoch_steps * config.train.epochs
    with strategy.scope():
        model = _distillation(section, student, teachers, steps, kept is not None)
        compile_model(model, config.train, steps, source.epoch_steps)
    monitor = monitor_of(config.train.best_metric, model, tables["validation"])
    report_rows(plain, task, tables, tokenizer, steps)
    batches = evaluation_of(plain, task, tables, tokenizer)
    further = dict
    if monitor[0] == distillation.TEACHERS_LOSS:
        part = tables["validation"]
        known = None if kept is None else asked_answers(part, *given)
        asked = taught_rows(batches["validation"], part, *given, known)

        def further():
            return model.figures(mean_terms(model, asked))

    with claimed_workdir(workdir, config, data, chief):
        run = (source, steps, workdir, config.train)
        results = train_and_measure(model, *run, student, batches, tables, monitor, further)
        trained = [teacher for teacher in teachers if teacher.trained]
        results["teachers"] = [_measured(x, plain, task, tables, batches) for x in trained]
        if chief:
            save_run(student, tokenizer, workdir, results)
    return results


def _check_losses(section):
    try:
        settings_of(section.losses)
    except InputError as error:
        raise ConfigError(f"distillation.{error}") from None


def _distillation(section, student, teachers, steps, known):
    """The task model that is trained; its teachers are not asked if their answers are known."""
    for teacher in teachers:
        if teacher.trained:
            check_alike(student, teacher.model, teacher.path)
    own = [teacher.tokenizer is not None for teacher in teachers]
    replacing = None
    if section.replacing is not None:
        replacing = {"start": section.replacing, "steps": round(steps * section.replaced_by)}
    try:
        given = ([teacher.model for teacher in teachers], section.losses, replacing, own)
        return distillation.Distillation(student, *given, asks=not known)
    except InputError as error:
        raise ConfigError(f"distillation.{error}") from None


def _measured(teacher, plain, task, tables, batches):
    """The figures of a teacher on the validation rows, and its path."""
    rows = batches["validation"]
    if teacher.tokenizer is not None:
        part = {"validation": tables["validation"]}
        rows = evaluation_of(plain, task, part, teacher.tokenizer)["validation"]
    return {"path": teacher.path, **evaluate(teacher.model, rows, tables["validation"])}
