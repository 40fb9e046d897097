"""Which family and which task the files are of: by their config, else by the tensors' names."""

import json
import re

from absl import logging

from bert_tf.conversion import encoder_decoder
from bert_tf.conversion.saving import FAMILIES, OWN, TRANSFORMER
from bert_tf.conversion.table import canonical_names
from bert_tf.errors import InputError, shown


def architecture(config):
    """The first entry of `architectures` in a config that was checked; str or None."""
    named = config.get("architectures")
    return named[0] if named else None


def family_of(config, config_file, tensors, weights_file):
    """The family of a model in Hugging Face's layout or our own.

    Args:
      config: dict, the parsed file. Where it says no `model_type`, its class tells, and where it
        says none either (transformers before 2.3), the tensors do.
      tensors: dict of name to StoredTensor.
      config_file, weights_file: Path, for messages.
    Returns:
      (str, the family: a key of FAMILIES or TRANSFORMER; Family, how its tensors are named).
    Raises:
      InputError: the family is none of these, or a value has the wrong type.
    """
    _check_types(config, config_file)
    key, name = "model_type", config.get("model_type")
    if name == OWN:
        key, name = f"{OWN}.family", (config.get(OWN) or {}).get("family")
    elif name is None:
        name = _by_class(architecture(config)) or _by_tensors(tensors)
        if name is None:
            raise InputError(
                f"{config_file}: names no model_type, and the tensors of {weights_file} are of no "
                f"family here; there are {', '.join(FAMILIES)}"
            )
    named_as = name
    if name == TRANSFORMER and key != "model_type":
        key, named_as = "parts_of", config.get("parts_of")
    if not isinstance(named_as, str) or named_as not in FAMILIES:
        raise InputError(
            f"{config_file}: {key}: {shown(named_as)}, a family not here; there are "
            f"{', '.join(FAMILIES)}"
        )
    if config.get("model_type") != OWN and not FAMILIES[named_as].is_published:
        raise InputError(
            f"{config_file}: {key}: {shown(name)}, wanted {OWN}: the family is in our own format "
            "alone"
        )
    return name, FAMILIES[named_as]


def task_of(contents, format):
    """The task whose head is there.

    Args:
      contents: Contents, whose own `task` is not known yet.
      format: str, a key of `Family.layouts`.
    Returns:
      str, or None for an encoder alone and for heads that no task here reads.
    """
    family, config = contents.family, contents.config
    if contents.decoder is not None:
        return encoder_decoder.TASK
    if format == OWN:
        task = config[OWN].get("task")
        return task if isinstance(task, str) else None
    if format == "huggingface" and architecture(config) is not None:
        classes = {name: task for task, name in family.classes.items()}
        return classes.get(architecture(config))
    task = _most_complete(contents)
    if format == "huggingface":
        missing = [key for key in ("model_type", "architectures") if not config.get(key)]
        logging.warning(
            "%s: names no %s; by the names of its tensors %s holds %s of family %s",
            contents.config_file,
            " and no ".join(missing),
            contents.weights_file.name,
            f"a {task}" if task else "an encoder",
            contents.family_name,
        )
    return task


def as_known(config, family, tensors):
    """A config and tensors of a further class of transformers as those of one that a task is, see
    `Family.read_as`; of any other class as they are.

    Args:
      config: dict.
      family: Family.
      tensors: dict of name to StoredTensor.
    Returns:
      (dict, dict).
    """
    if architecture(config) not in family.read_as:
        return config, tensors
    known, starts, labels = family.read_as[architecture(config)]
    found = {}
    for name, tensor in tensors.items():
        for theirs, ours in starts:
            name = ours + name.removeprefix(theirs) if name.startswith(theirs) else name
        found[name] = tensor
    names = {str(number): label for number, label in enumerate(labels)}
    names = {"id2label": names, "label2id": {label: int(x) for x, label in names.items()}}
    return {**names, **config, "architectures": [known]}, found


def with_named(config, family, tensors, config_file, weights_file):
    """A config whose values are those that the names of the tensors tell, see
    `Family.told_by_names`; one warning says what they are otherwise.

    Args and Returns: as `family_of`; dict.
    """
    config = dict(config)
    for key, values in family.told_by_names.items():
        told = [x for x, pattern in values.items() if any(re.search(pattern, n) for n in tensors)]
        # Left out, it has the first of its values.
        if len(told) == 1 and config.get(key, next(iter(values))) is not told[0]:
            logging.warning(
                "%s: %s is taken as %s, by the names of the head in %s",
                *(config_file, key, json.dumps(told[0]), weights_file.name),
            )
            config[key] = told[0]
    return config


def _check_types(config, config_file):
    """Refuses values of a type that nothing could be read from."""
    classes, ours = config.get("architectures"), config.get(OWN)
    listed = isinstance(classes, list) and all(isinstance(name, str) for name in classes)
    if classes is not None and not listed:
        raise InputError(
            f"{config_file}: architectures: {shown(classes)}, wanted a list with the name of a "
            "class"
        )
    if ours is not None and not isinstance(ours, dict):
        raise InputError(f"{config_file}: {OWN}: {shown(ours)}, wanted an object")


def _most_complete(contents):
    """The task most of whose head is there, all but what may be absent: a generator beside it."""
    layout, source = contents.layout, contents.weights_file
    found = {}
    heads = [*layout.heads.items(), *layout.instead.items()]
    for task, rows in heads:
        table = layout.task_table(task)
        there = canonical_names(table, contents.tensors, source)
        needed = [row for row in rows if not row.ours.startswith("generator.")]
        if task in contents.family.pooled:
            needed += [row for row in table.rows if row.ours.startswith("encoder.pooler.")]
        if all(name in there for row in needed for name in row.names):
            found[task] = sum(name in there for row in rows for name in row.names)
    return max(found, key=found.get, default=None)


def _by_class(name):
    for known, family in FAMILIES.items():
        classes = (family.encoder_class, *family.classes.values(), *family.read_as)
        if name is not None and name in classes:
            return known
    return None


def _by_tensors(tensors):
    """The family that has names for most of the tensors, and for the embeddings among them."""
    counts = {}
    for known, family in FAMILIES.items():
        if not family.is_published:
            continue
        layout = family.layouts["huggingface"]
        there = canonical_names(layout.encoder_table(), tensors, "")
        rows = [*layout.encoder, *(row for head in layout.heads.values() for row in head)]
        names = {name for row in rows for name in row.names}
        # Layer numbers stand in the tables as {i}.
        known_name = re.compile(
            "|".join(re.sub(r"\\\{\w\\\}", r"\\d+", re.escape(name)) for name in names)
        )
        words = next(row.names[0] for row in rows if row.ours == "embeddings.word_embeddings")
        if words in there:
            counts[known] = sum(bool(known_name.fullmatch(name)) for name in there)
    return max(counts, key=counts.get, default=None)
