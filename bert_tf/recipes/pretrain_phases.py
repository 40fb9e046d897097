"""The phases of a run of pretraining: their records, and whether these go together."""

import dataclasses
import typing

from bert_tf.config import Masking, Noise
from bert_tf.data.packing import Packing
from bert_tf.errors import ConfigError
from bert_tf.pretraining_data import batches
from bert_tf.pretraining_data.records.part import split_records
from bert_tf.pretraining_data.records.table import RecordTable
from bert_tf.training.schedules import schedule_of

# Objectives of two answers: which of them foreign records hold, the records do not say.
_TWO_WAY = {"next_sentence", "sentence_order"}


class Phase(typing.NamedTuple):
    """A phase as it will be run: its number from 1, its `train` section, and its rows.

    `masking` and `held_out_masking`, a Masking, Neighbours or Denoising, are None for rows that
    have masks of their own, `noise` and `packing` where there is none. An epoch has `epoch_steps`
    updates, the phase `steps`.
    """

    number: int
    settings: object
    rows: object
    held_out: object
    masking: object | None
    held_out_masking: object | None
    noise: Noise | None
    packing: Packing | None
    epoch_steps: int
    steps: int

    @property
    def name(self):
        """str, of its folder and in the results."""
        return f"phase_{self.number}"


def open_phase(config, number, tokenizer):
    """Opens the records of a phase.

    Args:
      config: PretrainConfig.
      number: int, of the phase, from 1.
      tokenizer: Tokenizer.
    Returns:
      Phase.
    Raises:
      ConfigError: something in the configuration cannot be used, or the records do not fit it.
      InputError: records cannot be read.
    """
    section = config.phases[number - 1]
    # Another seed for each: a second phase on the same records has another order and other masks.
    settings = section.settings(config.train)
    settings = dataclasses.replace(settings, seed=(settings.seed + number - 1) % 2**31)
    own = {"skip_gram": config.skip_gram, "denoising": config.denoising}
    masking = own.get(config.objective.words, config.masking)
    noise = config.noise
    packing = Packing() if section.packing else None
    rows, held_out = _records(config, number, tokenizer)
    epoch_steps = batches.epoch_steps(rows, settings.batch_size, packing)
    steps = settings.steps or epoch_steps * settings.epochs
    schedule_of(settings, steps, epoch_steps)  # says so if it does not fit
    return Phase(
        number,
        settings,
        rows,
        held_out,
        masking=masking if rows.max_predictions is None else None,
        held_out_masking=masking if held_out.max_predictions is None else None,
        noise=noise if noise != Noise() else None,
        packing=packing,
        epoch_steps=epoch_steps,
        steps=steps,
    )


def _records(config, number, tokenizer):
    """The records to train on and those held out, two tables."""
    section = config.phases[number - 1]
    rows = RecordTable(section.records, tokenizer)
    if rows.max_predictions is not None and config.masking != Masking():
        raise ConfigError(
            f"masking is given, and {section.records} holds masks of its own; "
            "wanted records made with --masking=dynamic"
        )
    where = f"phases.{number}.validation is {section.validation}"
    if not isinstance(section.validation, str):
        if rows.copies > 1:
            raise ConfigError(
                f"{where}, and {section.records} holds every text {rows.copies} times: the share "
                "would be seen in training too; wanted records of other texts"
            )
        return split_records(rows, section.validation, config.train.seed)
    held_out = RecordTable(section.validation, tokenizer)
    differing = {
        name
        for name in ("max_length", "sentence_objective")
        if getattr(rows, name) != getattr(held_out, name)
    }
    if differing:
        raise ConfigError(f"{where}: another {min(differing)} than that of {section.records}")
    return rows, held_out


def sentences_of(config, phases):
    """The objective over sentences, str, which all phases share; "none" for none.

    Raises:
      ConfigError: the records are for several, or for another than is given.
    """
    objective, kinds = config.objective, {phase.rows.sentence_objective for phase in phases}
    if objective.sentences == "none" or objective.words != "masked_lm":
        return "none"
    if len(kinds) > 1:
        raise ConfigError(
            f"phases: records for {' and '.join(sorted(kinds))}, wanted one objective for all"
        )
    (kind,) = kinds
    wanted = objective.sentences or kind
    foreign = all(phase.rows.manifest is None for phase in phases)
    if wanted != kind and not (foreign and {wanted, kind} == _TWO_WAY):
        raise ConfigError(f"objective.sentences is {wanted}, and the records are made for {kind}")
    return wanted


def labels_of(config, phases):
    """The further labels to learn, dict as the task takes them: given, or those of the records.

    Raises:
      ConfigError: the records lack one, or have it otherwise.
    """
    given = config.objective.extra_labels
    if given is None and config.objective.words != "masked_lm":
        return {}
    labels = _kinds(phases[0].rows)
    for phase in phases:
        section = config.phases[phase.number - 1]
        for rows, source in ((phase.rows, section.records), (phase.held_out, section.validation)):
            source = source if isinstance(source, str) else section.records
            if given is not None:
                _check_labels(given, rows, source)
            elif _kinds(rows) != labels:
                others = _kinds(rows)
                name = min(x for x in labels | others if labels.get(x) != others.get(x))
                raise ConfigError(
                    f"{source}: label {name!r} is not as in {config.phases[0].records}; wanted "
                    f"records made with --label={name}=A,B,..., the same classes in all, or "
                    "objective.extra_labels: {} to leave labels aside"
                )
    tables = [rows.labels for phase in phases for rows in (phase.rows, phase.held_out)]
    if given is None:
        given = {
            name: {"of": of, "num_labels": max(_size(table[name]) for table in tables)}
            for name, (of, _) in labels.items()
        }
    return {name: _named(name, label, tables) for name, label in given.items()}


def _kinds(rows):
    """What the labels of records are, as far as all have to agree: of a cloze question the number
    of candidates may differ."""
    return {name: (label["of"], label.get("names")) for name, label in rows.labels.items()}


def _size(label):
    """How many classes, or candidates, a label of records has."""
    return label["candidates"] if label["of"] == "cloze" else len(label["names"])


def _named(name, label, tables):
    """A label with the names of its classes, if all records have the same and as many as given."""
    names, *others = [table.get(name, {}).get("names") for table in tables]
    same = names is not None and all(each == names for each in others)
    return label | ({"names": names} if same and len(names) == label["num_labels"] else {})


def _check_labels(given, rows, source):
    for name, label in given.items():
        where = f"objective.extra_labels.{name}"
        known = rows.labels.get(name)
        length = rows.max_length if label["of"] == "token" else 1
        has = rows.features.get(name, (0,))[0]
        if has != length:
            raise ConfigError(
                f"{where} is of a {label['of']}: wanted a column of length {length} in {source}, "
                + (f"which has it with {has}" if has else "which has none")
            )
        of = known["of"] if known else "sentence"
        if "cloze" in (label["of"], of) and of != label["of"]:
            raise ConfigError(
                f"{where} is of a {label['of']}, wanted of a {of}, as {source} has it"
            )
        rows.check_labels(name, label["num_labels"])
        if known and _size(known) > label["num_labels"]:
            raise ConfigError(
                f"{where}.num_labels is {label['num_labels']}, and {source} has {_size(known)} "
                + ("candidates" if of == "cloze" else "classes")
            )
