"""Fine-tuning: a pretrained encoder, a labelled file, and a task model at the end."""

import os

import keras

from bert_tf.conversion.contents import opened
from bert_tf.conversion.sentence_transformers import fill_dense, read_modules
from bert_tf.data import epoch_steps
from bert_tf.data.columns import LABEL
from bert_tf.datasets import kinds_of, task_named
from bert_tf.encoders.low_rank import with_low_rank
from bert_tf.errors import ConfigError, InputError, shown
from bert_tf.loading.adapters import taken_apart
from bert_tf.outlines import require_arguments, require_figure
from bert_tf.recipes.classes import report_stuck, weigh_classes
from bert_tf.recipes.finetune_models import (
    arguments_of,
    arguments_with_models,
    go_on,
    whole_model,
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
from bert_tf.recipes.fresh_encoder import changed_encoder, fresh_encoder
from bert_tf.recipes.workdir import claimed_workdir, open_workdir, save_run
from bert_tf.tasks import languages
from bert_tf.tasks.features import check_padding, check_token_types
from bert_tf.text import Tokenizer
from bert_tf.training.distribution import is_chief, make_strategy, require_divisible
from bert_tf.training.evaluation import evaluate
from bert_tf.training.freezing import freeze
from bert_tf.training.loop import train
from bert_tf.training.optimizer_choice import choose_optimizer
from bert_tf.training.schedules import draw_schedule, schedule_of


def finetune(config, workdir, start=None):
    """Trains a task model as a configuration says, or continues where an earlier run stopped.

    Args:
      config: FinetuneConfig.
      workdir: str, made if absent; holds everything the run writes (see README).
      start: str, the model to begin with where it is not the one at `model.path`: the intermediate
        tasks' (see `finetune_after`).
    Returns:
      dict, what `metrics.json` in the workdir holds: the metrics of the best weights on the
      validation and, if there is one, the test data.
    Raises:
      ConfigError: a value cannot be used, or the workdir belongs to another configuration.
      InputError: a file or a model cannot be read, or the training failed.
      training.loop.Interrupted: stopped by a signal, and saved.
    """
    data, told = data_digests(config), config
    finished = open_workdir(workdir, told, data)
    if finished is not None:
        return finished
    config = config if start is None else config.after(start)
    task = task_named(config.task)
    strategy = prepare(config, task)
    tokenizer = Tokenizer.from_pretrained(config.model.path)
    tables = in_windows(read_tables(config, task), config, task, tokenizer)
    source = batch_source(config, task, tables["train"], tokenizer)
    steps = config.train.steps or source.epoch_steps * config.train.epochs
    with strategy.scope():
        model = _model(config, task, tables["train"], tokenizer)
        compile_model(model, config.train, steps, source.epoch_steps)
    monitor = monitor_of(config.train.best_metric, model, tables["validation"])
    report_rows(config, task, tables, tokenizer, steps)
    report_lacking(model, source, strategy.num_replicas_in_sync)
    batches = evaluation_of(config, task, tables, tokenizer)
    chief = is_chief(strategy)
    with claimed_workdir(workdir, told, data, chief):
        run = (source, steps, workdir, config.train)
        results = train_and_measure(model, *run, model, batches, tables, monitor)
        if chief:
            model = taken_apart(model, os.path.join(workdir, "adapter"), config.model.path)
            save_run(model, tokenizer, workdir, results)
    return results


def train_and_measure(
    trained, source, steps, workdir, settings, model, batches, tables, monitor, further=dict
):
    """Trains, and measures the best weights on every part.

    Args:
      trained, source, steps, workdir, settings, monitor: as `training.loop.train` takes them.
      model: TaskModel, of whose figures the best are sought: `trained`, or the student in it.
      batches, tables: dict of part -> batches to evaluate, and their table; validation first.
      further: function () -> dict of further figures of the validation rows.
    Returns:
      dict: what `train` returns, and the figures of every part.
    """

    def figures(part):
        found = evaluate(model, batches[part], tables[part])
        return {**found, **further()} if part == "validation" else found

    outcome = train(
        trained, source, steps, workdir, settings, lambda: figures("validation"), monitor
    )
    measured = {}
    for part in batches:
        measured[part] = figures(part)
        if part == "validation":
            model.settle(measured[part])
    report_stuck(model, measured)
    return {**outcome, **measured}


def draw_learning_rate(config, path):
    """Draws the learning rate of every update that `finetune` would make; nothing is trained.

    Args:
      config: FinetuneConfig.
      path: str, the picture, ending in .png, .pdf or .svg.
    Raises:
      ConfigError: the schedule does not fit the run, the picture has another ending, or old rows
        would be replayed, whose number is not known yet.
      InputError: the training data cannot be read.
    """
    if config.incremental.method == "replay":
        raise ConfigError("incremental.method is replay, the schedule is drawn without it only")
    task = task_named(config.task)
    table = read_tables(config, task)["train"]
    per_epoch = epoch_steps(table, config.train.batch_size)
    if config.data.packing or task.windowed:
        tokenizer = Tokenizer.from_pretrained(config.model.path)
        table = in_windows({"train": table}, config, task, tokenizer)["train"]
        per_epoch = batch_source(config, task, table, tokenizer).epoch_steps
    steps = config.train.steps or per_epoch * config.train.epochs
    draw_schedule(schedule_of(config.train, steps, per_epoch), steps, path)


def require_able(config, task):
    """Raises ConfigError if the rows are to be made in a way that the task cannot take."""
    if config.data.languages or languages.COLUMN in config.data.columns:
        try:
            languages.check_numbers(config.data.languages, f"data.{languages.SETTING}")
        except InputError as error:
            raise ConfigError(str(error)) from None
    if config.data.ignore_labels and LABEL not in kinds_of(task).values():
        ignored = list(config.data.ignore_labels)
        raise ConfigError(f"data.ignore_labels is {ignored}, and task {config.task} has none a row")
    data, usual = config.data, {"scheme": "IOB2", "strict_tags": False, "label_all_pieces": False}
    for name, value in usual.items():
        if getattr(data, name) != value and "spans" not in kinds_of(task).values():
            raise ConfigError(
                f"data.{name} is {shown(getattr(data, name))}, and task {config.task} has no tags"
            )
    if data.overlap is not None and not task.windowed and data.windows is None:
        raise ConfigError(f"data.overlap is {data.overlap} and data.windows null, wanted both")
    if data.overlap is not None and data.overlap > data.max_length // 2:
        raise ConfigError(
            f"data.overlap is {data.overlap}, wanted at most {data.max_length // 2}, half of "
            "data.max_length"
        )
    if config.data.packing and not task.packs:
        raise ConfigError(f"data.packing is true, and task {config.task} takes no packed rows")
    if config.data.windows is not None and not task.pools_windows:
        reads = "cuts long texts itself" if task.windowed else "reads one text a row"
        raise ConfigError(f"data.windows is {config.data.windows}, and task {config.task} {reads}")
    if config.data.windows is not None and config.data.packing:
        raise ConfigError("data.windows and data.packing are both given, wanted one of them")


def prepare(config, task):
    """Sets precision and seed of this process; returns the strategy, which divides the batches."""
    require_able(config, task)
    strategy = make_strategy(config.distribution)
    require_divisible(
        config.train.batch_size, strategy.num_replicas_in_sync, config.train.accumulate
    )
    keras.config.set_dtype_policy(config.train.precision)
    keras.utils.set_random_seed(config.train.seed)
    return strategy


def _model(config, task, table, tokenizer):
    """The encoder from its files, and a fresh head for the labels of the training rows."""
    section, modules, whole = config.model, None, None
    if section.family is not None or section.size is not None:
        encoder = fresh_encoder(section, tokenizer)
    else:
        with opened(section.path) as contents:
            encoder = changed_encoder(contents, section.changes)
            # A folder of sentence-transformers says more of this task than its encoder.
            own = contents.modules and contents.task == task.__name__
            modules = read_modules(contents.modules) if own else None
            whole = whole_model(contents, task, section.options)
    require_fit(config, encoder, tokenizer)
    encoder = with_lora(config.lora, encoder)
    kept = modules.arguments if modules else arguments_of(whole)
    model = with_head(config, task, table, encoder, kept, tokenizer)
    if modules and all(getattr(model, name) == value for name, value in kept.items()):
        fill_dense(model, modules, section.path)
    if whole is not None:
        go_on(model, whole, section.path)
    configure(model, config)
    return model


def with_lora(section, encoder):
    """The encoder, or with `lora` one that is frozen, and has updates."""
    if section.rank is None:
        return encoder
    alpha = 2.0 * section.rank if section.alpha is None else section.alpha
    try:
        return with_low_rank(encoder, section.rank, alpha, section.layers)
    except InputError as error:
        raise ConfigError(f"lora.{error}") from None


def with_head(config, task, table, encoder, kept=None, tokenizer=None):
    """A task model with a fresh head over an encoder, for the labels of a table.

    Args:
      config: FinetuneConfig.
      task: TaskModel class.
      table: Table to train on.
      encoder: Encoder.
      kept: dict of arguments that the encoder's files tell.
      tokenizer: Tokenizer of the encoder, for models that an argument names by their path.
    """
    section = config.model
    given = {name: getattr(section, name) for name in ("pooling", "head_layers")}
    given = {name: value for name, value in given.items() if value is not None}
    of_labels = task.arguments_of(table)
    arguments = {**of_labels, **(kept or {}), **given, **section.options}
    require_arguments(arguments, section.options, task.arguments, config.task)
    for name, value in of_labels.items():
        if value is not None and arguments[name] != value:
            raise ConfigError(
                f"model.options.{name}: {shown(arguments[name])}, wanted none: the labels in "
                f"{config.data.train} decide it, {shown(value)}"
            )
    keys = {name: f"model.{name}" for name in given}
    keys |= {name: f"model.options.{name}" for name in section.options}
    arguments = arguments_with_models(task, arguments, tokenizer)
    try:
        model = task(encoder, **arguments)
    except InputError as error:
        name, told, said = str(error).partition(":")
        if name not in keys:
            raise
        raise ConfigError(f"{keys[name]}{told}{said}") from None
    model.check_table(table)
    weigh_classes(model, config, table)
    return model


def require_fit(config, encoder, tokenizer):
    """Raises if the rows have more entries, positions or token types than the encoder."""
    tokenizer.require_rows(encoder.config.vocab_size, config.model.path)
    if config.data.max_length > encoder.config.longest_row:
        raise ConfigError(
            f"data.max_length: {config.data.max_length}, the model at {config.model.path} has "
            f"{encoder.config.longest_row} positions"
        )
    task = task_named(config.task)
    settings = data_settings(config, task)
    try:
        if languages.COLUMN in settings:
            languages.check_languages(settings[languages.SETTING], encoder.config)
    except InputError as error:
        raise ConfigError(f"data.{error}") from None
    try:
        check_padding(tokenizer, encoder.config)
        check_token_types(task, tokenizer, settings, encoder.config)
    except InputError as error:
        raise InputError(f"{config.model.path}: {error}") from None


def configure(model, config):
    """Gives a task model its data settings, and freezes the layers that are not to train."""
    model.data_settings = data_settings(config, type(model))
    freeze(model, config.train.freeze)


def monitor_of(name, model, table=None, key="train.best_metric"):
    """The figure that picks the best weights, and whether more of it is better.

    Args:
      name: str, one of the task's `monitors`; None takes the usual one.
      model: TaskModel.
      table: Table, the validation rows; None of several tasks, whose parts know theirs.
      key: str, what messages call it.
    Returns:
      (name, bool).
    Raises:
      ConfigError: there is no such figure.
    """
    if table is not None:
        model.measured_on(table)
    name = name or model.monitors[0]
    require_figure(name, model.monitors, key)
    return name, model.higher_is_better(name)


def compile_model(model, settings, steps, epoch_steps, **options):
    """Gives a task model what the `train` section says: optimizer, seed, clipping and the rest.

    Args:
      model: TaskModel.
      settings: the `train` section of the configuration.
      steps, epoch_steps: int, updates in the whole run and in an epoch.
      **options: further arguments of `TaskModel.compile`.
    """
    optimizer = choose_optimizer(model, settings, steps, epoch_steps)
    model.compile(
        optimizer,
        seed=settings.seed,
        accumulate=settings.accumulate,
        clip_norm=settings.clip_norm,
        max_loss=settings.max_loss,
        recompute=settings.recompute,
        jit_compile=settings.jit,
        **options,
    )
