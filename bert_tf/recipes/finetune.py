"""Fine-tuning: a pretrained encoder, a labelled file, and a task model at the end."""

import keras
from absl import logging

from bert_tf.data import (
    epoch_steps,
    evaluation_batches,
    overlong_share,
    read_table,
    rows_of_step,
    training_batches,
)
from bert_tf.data.packed_batches import packed_batches, packed_order
from bert_tf.data.packing import Packing
from bert_tf.errors import ConfigError, InputError
from bert_tf.loading import load_encoder
from bert_tf.recipes.workdir import claim_workdir, open_workdir, save_run
from bert_tf.tasks import SequenceClassifier, metrics
from bert_tf.text import Tokenizer
from bert_tf.training.distribution import is_chief, make_strategy, require_divisible
from bert_tf.training.evaluation import collect
from bert_tf.training.freezing import freeze
from bert_tf.training.loop import BatchSource, train
from bert_tf.training.optimizer_choice import choose_optimizer
from bert_tf.training.schedules import draw_schedule, schedule_of


def finetune(config, workdir):
    """Trains a task model as a configuration says, or continues where an earlier run stopped.

    Args:
      config: FinetuneConfig.
      workdir: str, made if absent; holds everything the run writes (see README).
    Returns:
      dict, what `metrics.json` in the workdir holds: the metrics of the best weights on the
      validation and, if there is one, the test data.
    Raises:
      ConfigError: a value cannot be used, or the workdir belongs to another configuration.
      InputError: a file or a model cannot be read, or the training failed.
      training.loop.Interrupted: stopped by a signal, and saved.
    """
    finished = open_workdir(workdir, config)
    if finished is not None:
        return finished
    strategy = prepare(config)
    tokenizer = Tokenizer.from_pretrained(config.model.path)
    tables = read_tables(config)
    rows = dict(batch_size=config.train.batch_size, max_length=config.data.max_length)
    feed = _feed(config, tables["train"], tokenizer)
    steps = config.train.steps or feed.epoch_steps * config.train.epochs
    with strategy.scope():
        model = _model(config, tables["train"], tokenizer)
        compile_model(model, config.train, steps, feed.epoch_steps)
    watched = metrics.watched(config.train.best_metric, model.problem_type, model.num_labels)
    report_rows(config, tables, tokenizer, steps)

    # Made once: TensorFlow traces what makes batches for each of them.
    data = {
        part: evaluation_batches(table, tokenizer, **rows)
        for part, table in tables.items()
        if part != "train"
    }

    def measure(part):
        logits, labels, loss = collect(model, data[part])
        return {"loss": loss, **metrics.measure(labels, logits, model)}

    if is_chief(strategy):
        claim_workdir(workdir, config)
    outcome = train(
        model, feed, steps, workdir, config.train, lambda: measure("validation"), watched
    )
    results = {**outcome, **{part: measure(part) for part in data}}
    if is_chief(strategy):
        save_run(model, tokenizer, workdir, results)
    return results


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
    table = read_tables(config)["train"]
    per_epoch = epoch_steps(table, config.train.batch_size)
    if config.data.packing:
        per_epoch = _feed(config, table, Tokenizer.from_pretrained(config.model.path)).epoch_steps
    steps = config.train.steps or per_epoch * config.train.epochs
    draw_schedule(schedule_of(config.train, steps, per_epoch), steps, path)


def prepare(config):
    """Sets precision and seed of this process; returns the strategy, which divides the batches."""
    strategy = make_strategy(config.distribution)
    require_divisible(
        config.train.batch_size, strategy.num_replicas_in_sync, config.train.accumulate
    )
    keras.config.set_dtype_policy(config.train.precision)
    keras.utils.set_random_seed(config.train.seed)
    return strategy


def _feed(config, table, tokenizer):
    """The training batches of a configuration, packed if it says so."""
    arguments = dict(
        batch_size=config.train.batch_size,
        max_length=config.data.max_length,
        seed=config.train.seed,
    )
    if not config.data.packing:
        return feed_of(table, tokenizer, arguments)
    plan = packed_order(table, tokenizer, packing=Packing(), **arguments)
    logging.info("packing: %s", plan.report())
    return BatchSource(
        batches=lambda start, stop: packed_batches(
            table, tokenizer, plan, start_step=start, stop_step=stop
        ),
        rows_of_step=lambda step: plan.batch(step)[0],
        epoch_steps=plan.epoch_steps,
    )


def feed_of(table, tokenizer, arguments):
    """The training batches as functions of the step."""
    return BatchSource(
        batches=lambda start, stop: training_batches(
            table, tokenizer, **arguments, start_step=start, stop_step=stop
        ),
        rows_of_step=lambda step: rows_of_step(table, tokenizer, step, **arguments),
        epoch_steps=epoch_steps(table, arguments["batch_size"]),
    )


def read_tables(config, like=None):
    """The training, validation and test rows, by part.

    Args:
      config: FinetuneConfig.
      like: as in `read_table`, for the training rows; None: they define their labels.
    """
    data = config.data
    columns = dict(text=data.text, text_pair=data.text_pair, label=data.label, format=data.format)
    train_rows = read_table(
        data.train, problem_type=config.model.problem_type, like=like, **columns
    )
    if isinstance(data.validation, str):
        tables = {
            "train": train_rows,
            "validation": read_table(data.validation, like=train_rows, **columns),
        }
    else:
        train_part, validation_part = train_rows.split(data.validation, config.train.seed)
        tables = {"train": train_part, "validation": validation_part}
    if data.test is not None:
        tables["test"] = read_table(data.test, like=train_rows, **columns)
    return tables


def _model(config, table, tokenizer):
    """The encoder from its files, and a fresh head for the labels of the training rows."""
    section = config.model
    encoder = load_encoder(section.path, **section.changes)
    require_fit(config, encoder, tokenizer)
    model = SequenceClassifier(
        encoder,
        num_labels=1 if table.label_names is None else len(table.label_names),
        label_names=table.label_names,
        problem_type=table.problem_type,
        pooling=section.pooling,
        head_layers=section.head_layers,
    )
    ready(model, config)
    return model


def require_fit(config, encoder, tokenizer):
    """Raises if the vocabulary or the length of the rows is more than the encoder has room for."""
    if len(tokenizer.vocabulary) > encoder.config.vocab_size:
        raise InputError(
            f"{config.model.path}: the vocabulary has {len(tokenizer.vocabulary)} entries, "
            f"the weights {encoder.config.vocab_size} rows"
        )
    if config.data.max_length > encoder.config.max_position_embeddings:
        raise ConfigError(
            f"data.max_length: {config.data.max_length}, the model has "
            f"{encoder.config.max_position_embeddings} positions"
        )


def ready(model, config):
    """Tells a task model its columns, which of its layers learn and which are recomputed."""
    data = config.data
    model.data_settings = {
        "text": data.text,
        "text_pair": data.text_pair,
        "label": data.label,
        "max_length": data.max_length,
    }
    freeze(model, config.train.freeze)
    model.encoder.recompute = config.train.recompute


def compile_model(model, settings, steps, epoch_steps):
    """Gives a task model what the `train` section says: optimizer, seed, clipping and the rest."""
    optimizer = choose_optimizer(model, settings, steps, epoch_steps)
    model.compile(
        optimizer,
        seed=settings.seed,
        accumulate=settings.accumulate,
        clip_norm=settings.clip_norm,
        max_loss=settings.max_loss,
        jit_compile=settings.jit,
    )


def report_rows(config, tables, tokenizer, steps):
    """Tells how much there is to train on, and how much of it is cut off."""
    rows = ", ".join(f"{part} {len(table)}" for part, table in tables.items())
    train_rows = tables["train"]
    kind = train_rows.problem_type
    labels = "" if train_rows.label_names is None else f", {len(train_rows.label_names)} labels"
    logging.info("rows: %s; %s%s; %d steps", rows, kind, labels, steps)
    share = overlong_share(train_rows, tokenizer, config.data.max_length)
    if share > 0.01:
        logging.warning(
            "data.max_length %d cuts about %.0f %% of the texts",
            config.data.max_length,
            100 * share,
        )
