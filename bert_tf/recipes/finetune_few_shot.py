"""Few labelled texts: their vectors are trained in pairs, then a classifier is fitted to them."""

import numpy as np
from absl import logging

from bert_tf.conversion.contents import opened
from bert_tf.data import evaluation_batches
from bert_tf.data.text_pairs import TextPairs, drawn
from bert_tf.datasets import task_named
from bert_tf.errors import ConfigError
from bert_tf.loading import load_task
from bert_tf.recipes.finetune import compile_model, configure, prepare, require_fit
from bert_tf.recipes.finetune_rows import data_digests, evaluation_of, read_tables, source_of
from bert_tf.recipes.fresh_encoder import changed_encoder
from bert_tf.recipes.workdir import claimed_workdir, open_workdir, save_run
from bert_tf.tasks.features import features_of
from bert_tf.tasks.few_shot import classifier_of, sentence_encoder
from bert_tf.text import Tokenizer
from bert_tf.training.distribution import is_chief
from bert_tf.training.evaluation import collect, evaluate
from bert_tf.training.loop import train


def finetune_few_shot(config, workdir):
    """Makes a classifier of few texts (SetFit, Tunstall et al. 2022), or continues to.

    Args:
      config: FinetuneConfig with `few_shot.pairs`; `model.path` holds a sentence encoder, or an
        encoder, whose vectors it means. `train` is about the pairs; the newest weights are kept.
      workdir: str, made if absent.
    Returns:
      dict as of `finetune`.
    Raises:
      As `finetune`; InputError also where a class has too few texts.
    """
    data = data_digests(config)
    finished = open_workdir(workdir, config, data)
    if finished is not None:
        return finished
    task, section, settings = task_named(config.task), config.few_shot, config.train
    strategy = prepare(config, task)
    tokenizer = Tokenizer.from_pretrained(config.model.path)
    tables = read_tables(config, task)
    if tables["train"].problem_type != "single_label_classification":
        kind = tables["train"].problem_type
        raise ConfigError(f"few_shot.pairs: the rows are of {kind}, wanted one class a text")
    tables["train"] = drawn(tables["train"], section.per_class, settings.seed)
    pairs = TextPairs(tables["train"], section.pairs, settings.seed)
    with strategy.scope():
        model = sentence_encoder(_start(config))
        require_fit(config, model.encoder, tokenizer)
        arguments = dict(batch_size=settings.batch_size, seed=settings.seed)
        features = features_of(model, tokenizer, {"max_length": config.data.max_length})
        source = source_of(pairs, features, arguments)
        steps = settings.steps or source.epoch_steps * settings.epochs
        compile_model(model, settings, steps, source.epoch_steps)
    count = len(tables["train"])
    logging.info("few_shot: %d texts, %d pairs of them; %d steps", count, len(pairs), steps)
    batches = evaluation_of(config, task, tables, tokenizer)
    with claimed_workdir(workdir, config, data, is_chief(strategy)):
        newest = ("step", True)
        outcome = train(
            model,
            source,
            steps,
            workdir,
            settings,
            lambda: {"step": int(model.optimizer.iterations.numpy())},
            newest,
        )
        with strategy.scope():
            classifier = _classifier(model, tables["train"], features, arguments)
        configure(classifier, config)
        measured = {part: evaluate(classifier, batches[part], tables[part]) for part in batches}
        results = {**outcome, **measured}
        if is_chief(strategy):
            save_run(classifier, tokenizer, workdir, results)
    return results


def _start(config):
    """The model at `model.path`: a sentence encoder where it is one, else an encoder."""
    with opened(config.model.path) as contents:
        if contents.modules and not config.model.changes:
            return load_task(contents)
        return changed_encoder(contents, config.model.changes)


def _classifier(model, table, features, arguments):
    """The classifier of the labelled texts."""
    model.normalize = False
    texts = table.subset(np.arange(len(table)))
    batches = evaluation_batches(
        texts, features, batch_size=arguments["batch_size"], by_length=False
    )
    vectors, _, _ = collect(model, batches)
    vectors = np.concatenate(vectors)[:, 0]
    return classifier_of(model, vectors, table.labels(np.arange(len(table))), table.label_names)
