"""Several tasks in one run: one encoder, a head and tables for each, one checkpoint."""

import contextlib
import os

from bert_tf.data.mixed import MixedOrder, mixed_batches
from bert_tf.datasets import task_named
from bert_tf.errors import ConfigError, InputError
from bert_tf.loading.adapters import taken_apart
from bert_tf.recipes.classes import report_stuck
from bert_tf.recipes.finetune import (
    compile_model,
    monitor_of,
    prepare,
    require_able,
    require_fit,
    with_head,
    with_lora,
)
from bert_tf.recipes.finetune_rows import (
    batch_source,
    data_digests,
    data_settings,
    evaluation_of,
    in_windows,
    read_tables,
    report_lacking,
    report_rows,
)
from bert_tf.recipes.fresh_encoder import changed_encoder
from bert_tf.recipes.workdir import claimed_workdir, open_workdir, save_run
from bert_tf.tasks import TASKS
from bert_tf.text import Tokenizer
from bert_tf.training.confusion import draw_confusion
from bert_tf.training.distribution import is_chief
from bert_tf.training.evaluation import evaluate
from bert_tf.training.freezing import freeze
from bert_tf.training.loop import BatchSource, train


def finetune_multi_task(config, workdir):
    """Trains one encoder on several tasks at once, or continues where an earlier run stopped.

    Args:
      config: MultiTaskConfig.
      workdir: str, made if absent.
    Returns:
      dict as of `finetune`; `validation` and `test` have `average`, the mean of one figure of each
      task (percentages as shares), `loss`, and each task's own figures as a dict under its name.
    Raises:
      As `finetune`; what is wrong with a task begins with its name.
    """
    alone = {name: config.alone(name) for name in config.tasks}
    data = {path: x for each in alone.values() for path, x in data_digests(each).items()}
    finished = open_workdir(workdir, config, data)
    if finished is not None:
        return finished
    kinds = {name: task_named(x.task, f"tasks.{name}.task") for name, x in alone.items()}
    for name, kind in kinds.items():
        with _of(name):
            require_able(alone[name], kind)
    first = next(iter(alone))
    strategy = prepare(alone[first], kinds[first])
    tokenizer = Tokenizer.from_pretrained(config.model.path)
    tables, sources = {}, {}
    for name, kind in kinds.items():
        with _of(name):
            parts = read_tables(alone[name], kind)
            tables[name] = in_windows(parts, alone[name], kind, tokenizer)
            sources[name] = batch_source(alone[name], kind, tables[name]["train"], tokenizer)
    source, plan, steps = _mixed(config, sources)
    with strategy.scope():
        model = _model(config, alone, kinds, tables, tokenizer)
        compile_model(model, config.train, steps, source.epoch_steps)
    metrics = _metrics(config, model, tables)
    monitor = monitor_of(config.train.best_metric, model)
    for name, count in zip(kinds, plan.counts(steps), strict=True):
        report_rows(alone[name], kinds[name], tables[name], tokenizer, count, name)
        report_lacking(model.parts[name], sources[name], strategy.num_replicas_in_sync)
    batches = {
        name: evaluation_of(alone[name], kind, tables[name], tokenizer)
        for name, kind in kinds.items()
    }

    def measured(part):
        figures = {
            name: evaluate(model.parts[name], batches[name][part], tables[name][part])
            for name in kinds
            if part in batches[name]
        }
        marks = {name: part.full_mark for name, part in model.parts.items()}
        return _with_average(config, metrics, marks, figures)

    def scored():
        return _flat(measured("validation"))

    with claimed_workdir(workdir, config, data, is_chief(strategy)):
        outcome = train(model, source, steps, workdir, config.train, scored, monitor)
        results = {**outcome, "validation": measured("validation")}
        for name, task in model.parts.items():
            task.settle(results["validation"][name])
        if any("test" in parts for parts in batches.values()):
            results["test"] = measured("test")
        if is_chief(strategy):
            _draw(model, workdir, results)
            model = taken_apart(model, os.path.join(workdir, "adapter"), config.model.path)
            save_run(model, tokenizer, workdir, results, _scores(metrics))
    return results


@contextlib.contextmanager
def _of(name):
    """Within it what is wrong is told to be of a task."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"tasks.{name}: {error}") from None
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def _mixed(config, sources):
    """The batches of all tasks as a BatchSource, their order, and the steps of the run."""
    sizes = [source.epoch_steps for source in sources.values()]
    steps = config.train.steps or sum(sizes) * config.train.epochs
    plan = MixedOrder(sizes, config.mixing.sampling, -(-steps // sum(sizes)), config.train.seed)
    names, parts = list(sources), {name: source.batches for name, source in sources.items()}

    def rows_of_step(step):
        place, own_step = plan.locate(step)
        return [f"{names[place]} {row}" for row in sources[names[place]].rows_of_step(own_step)]

    source = BatchSource(
        batches=lambda start, stop: mixed_batches(parts, plan, start, stop),
        rows_of_step=rows_of_step,
        epoch_steps=plan.epoch_steps,
    )
    return source, plan, steps


def _model(config, alone, kinds, tables, tokenizer):
    """The encoder from its files, and a fresh head for each task."""
    encoder = changed_encoder(config.model.path, config.model.changes)
    encoder, parts = with_lora(config.lora, encoder), {}
    for name, kind in kinds.items():
        with _of(name):
            require_fit(alone[name], encoder, tokenizer)
            parts[name] = with_head(alone[name], kind, tables[name]["train"], encoder)
            parts[name].data_settings = data_settings(alone[name], kind)
    weights = {name: task.weight for name, task in config.tasks.items() if task.weight != 1}
    kind = TASKS[config.task]
    model = kind(encoder, parts, weights or None, config.mixing.learned_weights)
    freeze(model, config.train.freeze)
    return model


def _metrics(config, model, tables):
    """The figure of each task that the average is of, dict of name -> str."""
    found = {}
    for name, part in model.parts.items():
        with _of(name):
            found[name], higher = monitor_of(
                config.tasks[name].metric, part, tables[name]["validation"], "metric"
            )
        if not higher:
            raise ConfigError(
                f"tasks.{name}.metric is {found[name]}, wanted one of which more is better, for an "
                "average"
            )
    return found


def _scores(metrics):
    """The figures that curves show: the average and each task's own, tuple of str."""
    return ("average", *(f"{name}_{figure}" for name, figure in metrics.items()))


def _with_average(config, metrics, marks, figures):
    """The figures of each task, and over those that have any the average, of figures up to 1, and
    the weighed loss."""
    average = sum(figures[name][metrics[name]] / marks[name] for name in figures) / len(figures)
    loss = sum(config.tasks[name].weight * figures[name]["loss"] for name in figures)
    return {"average": average, "loss": loss, **figures}


def _flat(measured):
    """Figures by TASK_FIGURE, as curves and `train.best_metric` name them."""
    flat = {}
    for name, value in measured.items():
        if isinstance(value, dict):
            flat |= {f"{name}_{figure}": x for figure, x in value.items()}
        else:
            flat[name] = value
    return flat


def _draw(model, workdir, results):
    """A picture of each task's confusion matrix, and a warning for what is never answered."""
    for name, task in model.parts.items():
        part = "test" if name in results.get("test", {}) else "validation"
        figures = results[part][name]
        report_stuck(task, {f"{name} {part}": figures})
        path = os.path.join(workdir, f"confusion_{name}.png")
        title = f"{name}: {part}, {figures.get('rows')} rows"
        draw_confusion(figures, getattr(task, "label_names", None), path, title)
