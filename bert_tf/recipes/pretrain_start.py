"""What pretraining begins with: fresh weights of some size, or those of a checkpoint."""

import dataclasses

from absl import logging

from bert_tf.conversion.contents import opened
from bert_tf.encoders import FAMILIES, SIZES, build_encoder
from bert_tf.errors import ConfigError, InputError, nearest
from bert_tf.loading import load_encoder, load_task
from bert_tf.recipes.positional_heads import begin_positional_heads
from bert_tf.tasks import ElectraPretraining, MaskedLM, Pretraining

# Tasks whose heads pretraining goes on with.
PRETRAINED = ("MaskedLM", "Pretraining", "ElectraPretraining")
# The parts beside the encoder that a checkpoint may hold, as messages call them.
PARTS = {
    "masked_lm_head": "head for masked words",
    "sentence_head": "head for sentences",
    "head": "head for replaced tokens",
    "generator": "generator",
}


def start_model(config, tokenizer, sentences, labels=None):
    """The task model that a run of pretraining trains.

    Args:
      config: PretrainConfig.
      tokenizer: Tokenizer.
      sentences: str, the objective over sentences, "none" for none.
      labels: dict of further labels, as `Pretraining` takes them, or None.
    Returns:
      MaskedLM, Pretraining or ElectraPretraining.
    Raises:
      InputError: the checkpoint cannot be read, or the vocabulary has more entries than the
        weights rows.
      ConfigError: the configuration names a size or a field that there is not.
    """
    start = config.model
    if start.path is None:
        source, encoder = None, _fresh_encoder(start, tokenizer)
    else:
        source, encoder = _read_task(start.path), load_encoder(start.path, **start.changes)
    if tokenizer.vocab_size > encoder.config.vocab_size:
        raise InputError(
            f"{start.path or start.tokenizer}: the vocabulary has {tokenizer.vocab_size} entries, "
            f"the weights {encoder.config.vocab_size} rows"
        )
    model = _task(config, encoder, source, sentences, labels)
    if start.path is not None:
        _carry_on(start.path, source, model)
    return model


def _fresh_encoder(start, tokenizer):
    """An encoder of the size a configuration tells, with a row for each entry of the vocabulary."""
    if start.size is not None and start.size not in SIZES:
        near = nearest(start.size, SIZES)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(SIZES)}"
        raise ConfigError(f"model.size: {start.size!r} is no published size; {hint}")
    sizes = SIZES[start.size] if start.size is not None else FAMILIES[start.family][0]()
    of_text = {"vocab_size": tokenizer.vocab_size, "pad_token_id": tokenizer.pad_id}
    encoder = build_encoder(_changed(sizes, {**of_text, **start.changes}, "model.changes"))
    if start.positional_heads:
        begin_positional_heads(encoder)
    return encoder


def _changed(sizes, changes, where):
    """A family's config with some fields changed."""
    fields = [field.name for field in dataclasses.fields(sizes)]
    for key in changes:
        if key not in fields:
            near = nearest(key, fields)
            hint = f"did you mean {near}?" if near else f"there are {', '.join(fields)}"
            raise ConfigError(f"{where}.{key}: no field of {type(sizes).__name__}; {hint}")
    try:
        return dataclasses.replace(sizes, **changes)
    except InputError as error:
        raise ConfigError(f"{where}.{error}") from None


def _read_task(path):
    """The pretraining task in a checkpoint, or None: there is another one, or an encoder alone."""
    with opened(path) as contents:
        task = contents.task
    return load_task(path) if task in PRETRAINED else None


def _task(config, encoder, source, sentences, labels):
    objective = config.objective
    if objective.words == "masked_lm":
        if sentences == "none" and not labels:
            model = MaskedLM(encoder)
        else:
            model = Pretraining(encoder, sentences, labels)
    else:
        if not hasattr(encoder, "generator"):
            raise ConfigError(
                f"objective.words is replaced_tokens, and the encoder of family "
                f"{encoder.config.model_type} has no generator; wanted electra"
            )
        theirs = getattr(source, "generator", None)
        sizes = encoder.config if theirs is None else theirs.encoder.config
        sizes = _changed(sizes, config.model.generator, "model.generator")
        model = ElectraPretraining(encoder, MaskedLM(encoder.generator(sizes)))
    odd = [name for name in objective.loss_factors if name not in model.loss_names]
    if odd:
        raise ConfigError(
            f"objective.loss_factors.{odd[0]}: no such loss; there are "
            f"{', '.join(model.loss_names)}"
        )
    model.loss_factors = {**model.loss_factors, **objective.loss_factors}
    model.adversarial = objective.adversarial
    return model


def _carry_on(path, source, model):
    """Gives a model the heads that a checkpoint has; of what begins afresh one line tells."""
    fresh = []
    for name, title in PARTS.items():
        ours, theirs = getattr(model, name, None), getattr(source, name, None)
        if ours is None:
            continue
        same = theirs is not None and _shapes(ours) == _shapes(theirs)
        if name == "sentence_head" and same:
            same = model.sentence_objective == source.sentence_objective
        if same:
            for variable, value in zip(ours.weights, theirs.weights, strict=True):
                variable.assign(value)
        else:
            fresh.append(title)
    labels = getattr(model, "extra_labels", None) or {}
    # A cloze question is answered by the head for masked words.
    fresh += [f"head for {name}" for name in labels if labels[name]["of"] != "cloze"]
    if fresh:
        logging.warning("%s: holds no %s; begun afresh", path, " and no ".join(fresh))


def _shapes(part):
    return [tuple(variable.shape) for variable in part.weights]
