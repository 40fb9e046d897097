"""What a directory, an archive or a checkpoint holds, and whether its files fit each other."""

import contextlib
import dataclasses
import functools
import re
import typing
from pathlib import Path

from absl import logging

from bert_tf.conversion import google, huggingface
from bert_tf.conversion.family import Family, Layout
from bert_tf.conversion.files import read_json, unpacked
from bert_tf.conversion.leftovers import model_tensors
from bert_tf.conversion.recognition import architecture, family_of, task_of
from bert_tf.conversion.saving import FAMILIES, OWN
from bert_tf.conversion.sentence_transformers import TASK, modules_of
from bert_tf.conversion.sizes import config_of, sizes_of
from bert_tf.conversion.table import StoredTensor, canonical_names
from bert_tf.errors import InputError, shown


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a path holds, before anything is built.

    Attributes:
      folder: Path, where the files of the tokenizer are.
      family_name: str, the encoder's: a key of FAMILIES, or TRANSFORMER.
      family: Family, its names.
      layout: Layout, the names in this format.
      config_file: Path, for messages; that of the weights where there is no config.
      config: dict, the content of config.json or bert_config.json.
      weights_file: Path, for messages.
      tensors: dict of name to StoredTensor.
      task: str or None, the task whose head is there; None for an encoder alone and for heads no
        task here reads.
    """

    folder: Path
    family_name: str
    family: Family
    layout: Layout
    config_file: Path
    config: dict
    weights_file: Path
    tensors: dict[str, StoredTensor]
    task: str | None
    modules: Path | None = None

    @property
    def architecture(self):
        """str or None, the first entry of `architectures`."""
        return architecture(self.config)

    @property
    def sizes(self):
        """dict of config key to Size, what the tensors tell of the encoder's config."""
        table = self.layout.encoder_table()
        tensors = canonical_names(table, self.tensors, self.weights_file)
        return sizes_of(self.family.sizes, table.rows, tensors)

    @property
    def is_google(self):
        """bool, whether the files are Google's."""
        return self.layout is self.family.layouts.get("google")

    @property
    def is_own(self):
        """bool, whether the files are in our own format."""
        return self.layout is self.family.layouts[OWN]

    @property
    def has_pooler(self):
        """bool, whether any tensor of a pooler is there."""
        there = canonical_names(self.layout.encoder_table(), self.tensors, self.weights_file)
        return any(name in there for name in self.layout.encoder_names("pooler"))

    @property
    def task_is_pooled(self):
        """bool, whether the task needs an encoder with a pooler: its published class reads it, or
        the files hold one."""
        return (not self.is_own and self.task in self.family.pooled) or self.has_pooler

    @property
    def fullest_task(self):
        """str or None, the task of the largest head that is wholly there: files may be named for a
        part of it."""
        fuller = self.family.fuller.get(self.task)
        head = self.layout.heads.get(fuller)
        there = canonical_names(self.layout.encoder_table(), self.tensors, self.weights_file)
        whole = head and self.has_pooler and all(n in there for row in head for n in row.names)
        return fuller if whole else self.task

    @property
    def options(self):
        """dict, what our own key of config.json holds."""
        return dict(self.config.get(OWN) or {})

    def companion(self, name):
        """What is known of a model that is saved beside this one.

        Args:
          name: str, of its folder.
        Returns:
          Companion, or None where there is no such model.
        Raises:
          InputError: the folder holds another family, or cannot be read.
        """
        if self.is_google:
            found = self.family.companions.get(name)
            config = found and found[0](self)
            if config is None:
                return None
            sizes = found[1](self.tensors)
            return Companion(self.family_name, self.config_file, config, sizes, self.weights_file)
        if not (self.folder / name).is_dir():
            return None
        with opened(self.folder / name) as beside:
            if beside.family_name != self.family_name:
                raise InputError(
                    f"{beside.config_file}: model_type: {beside.family_name!r}, wanted "
                    f"{self.family_name!r}"
                )
            return Companion(
                beside.family_name,
                beside.config_file,
                beside.config,
                beside.sizes,
                beside.weights_file,
            )


class Companion(typing.NamedTuple):
    """A model that is saved beside another: its config and what its tensors tell of its sizes."""

    family_name: str
    config_file: Path
    config: dict
    sizes: dict
    weights_file: Path


@contextlib.contextmanager
def opened(source):
    """Look into a directory, an archive or a checkpoint, without building anything.

    Whoever needs several things of a path opens it once: `load_encoder` and `load_task` take the
    Contents in place of the path, and a tokenizer is read from its `folder`.

    Args:
      source: str or Path; or Contents, which are handed back as they are.

    Yields:
      Contents; when the source is an archive, its folder and its tensors can be read inside the
      `with` only.

    Raises:
      InputError: the files are missing, damaged or of a family this package lacks.
    """
    if isinstance(source, Contents):
        yield source
        return
    with unpacked(source) as place:
        contents, format = _look_into(place, source)
        family = contents.family
        _check_required(contents, family.required | ({} if format == OWN else family.expressible))
        _check_vocabulary(contents, place, source)
        task = TASK if contents.modules else task_of(contents, format)
        yield dataclasses.replace(contents, task=task)


def _named(file, place, source):
    """A file as messages name it: by the source, not by the folder that it was unpacked to."""
    return Path(str(file).replace(str(place), str(source), 1))


def _look_into(place, source):
    """(Contents without a task, the name of their format) of what lies at a place."""
    named = functools.partial(_named, place=place, source=source)
    modules, root = modules_of(place) if place.is_dir() else None, place
    if modules:  # older ones have the encoder in a folder of its own
        place = next((path for name, path in modules if name == "Transformer"), place)
    config_file = huggingface.config_file(place)
    checkpoint = google.checkpoint_prefixes(place) or google.data_files(place)
    # Google's checkpoint goes before weights that only have Google's config beside them.
    if config_file and not (checkpoint and config_file.name != huggingface.CONFIG_FILE):
        format, config = "huggingface", read_json(config_file)
        tensors, weights_file = huggingface.read_huggingface(place)
        tensors = model_tensors(tensors, named(weights_file))
        format = OWN if config.get("model_type") == OWN else format
    elif checkpoint:
        format = "google"
        tensors, weights_file = google.read_google(place)
        tensors = model_tensors(tensors, named(weights_file))
        config_file, config = _google_config(place, tensors, named(weights_file))
    else:
        raise InputError(_nothing_there(place))
    config_file, weights_file = named(config_file), named(weights_file)
    name, family = family_of(config, config_file, tensors, weights_file)
    return Contents(
        folder=place if place.is_dir() else place.parent,
        family_name=name,
        family=family,
        layout=family.layouts[format],
        config_file=config_file,
        config=config,
        weights_file=weights_file,
        tensors=tensors,
        task=None,
        modules=root if modules else None,
    ), format


def _nothing_there(place):
    if (place / huggingface.CONFIG_FILE).is_file():
        return f"{place}: config.json is there, no model.safetensors or other weights beside it"
    weights = [path.name for path in place.glob("*") if path.suffix in (".safetensors", ".bin")]
    if weights:
        return f"{place}: {weights[0]} is there, no {huggingface.CONFIG_FILE} beside it"
    return (
        f"{place}: no model: wanted config.json with model.safetensors or pytorch_model.bin, "
        "or bert_config.json with bert_model.ckpt.*"
    )


def _google_config(place, tensors, weights_file):
    """The config of a Google checkpoint and its file; where there never was one, its sizes."""
    markers = {
        name: family.google_marker for name, family in FAMILIES.items() if family.google_marker
    }
    seen = [name for name in markers if any(re.search(markers[name], key) for key in tensors)]
    name = seen[0] if seen else "bert"
    family, file = FAMILIES[name], google.config_file(place)
    config = {"model_type": name, **family.google_defaults}
    if file is not None:
        stored = read_json(file)
        return file, config | {key: value for key, value in stored.items() if value is not None}
    if family.google_head_width is None:
        folder = place if place.is_dir() else place.parent
        raise InputError(
            f"{folder}: no {google.CONFIG_FILE.format(name)} beside the checkpoint; "
            "copy the one it was trained with"
        )
    found = sizes_of(family.sizes, family.layouts["google"].encoder, tensors)
    sizes = config_of(found, family.google_head_width)
    logging.warning(
        "%s: no %s beside it; its sizes are read off the tensors, and num_attention_heads is "
        "taken to be %d, for heads of %d as in every published %s; its generator's likewise",
        weights_file,
        google.CONFIG_FILE.format(name),
        sizes["num_attention_heads"],
        family.google_head_width,
        name.upper(),
    )
    return weights_file, config | sizes


def _check_required(contents, required):
    for key, wanted in required.items():
        given = contents.config.get(key)
        if given is not None and given != wanted:
            raise InputError(f"{contents.config_file}: {key}: {shown(given)}, here only {wanted!r}")


def _check_vocabulary(contents, place, source):
    """The word embeddings may have more rows than the vocabulary has entries, never fewer."""
    rows = contents.config.get("vocab_size")
    file, _, entries = vocabulary_entries(contents.folder)
    if file is None or not isinstance(rows, int):
        return
    file = _named(file, place, source)
    said = f"{file}: {entries} entries for {rows} rows of the word embeddings (vocab_size)"
    if entries > rows:
        raise InputError(f"{said}: not the vocabulary this model was trained with")
    if entries < rows:
        logging.warning("%s: the last %d rows have no entry", said, rows - entries)


def vocabulary_entries(folder):
    """How large the vocabulary in a folder is; whether its files are right otherwise is not seen.

    Args:
      folder: Path.

    Returns:
      Path of the file that holds it, None where there is none or it is of a kind that this package
      does not read; int, the ids it has; int, the ids with those of added tokens.
    """
    file, whole = folder / "vocab.txt", {}
    if file.is_file():
        text = file.read_bytes()
        entries = text.count(b"\n") + bool(text and not text.endswith(b"\n"))
    else:
        file = folder / "tokenizer.json"
        whole = read_json(file) if file.is_file() else {}
        model = whole.get("model")
        vocabulary = model.get("vocab") if isinstance(model, dict) else None
        if not isinstance(vocabulary, dict):
            return None, 0, 0
        entries = max([len(vocabulary), *map(_next, vocabulary.values())])
    return file, entries, max([entries, *map(_next, _added_ids(folder, whole))])


def _next(number):
    """The number of ids up to one, 0 for what is none."""
    return number + 1 if isinstance(number, int) else 0


def _added_ids(folder, whole):
    """What the tokenizer's files call the ids of tokens added to the vocabulary."""
    added, config = (
        read_json(folder / name) if (folder / name).is_file() else {}
        for name in ("added_tokens.json", "tokenizer_config.json")
    )
    decoder, listed = config.get("added_tokens_decoder"), whole.get("added_tokens")
    keys = decoder if isinstance(decoder, dict) else {}
    tokens = listed if isinstance(listed, list) else []
    return [
        *added.values(),
        *(token.get("id") for token in tokens if isinstance(token, dict)),
        *(int(key) for key in keys if re.fullmatch("[0-9]{1,18}", key)),
    ]
