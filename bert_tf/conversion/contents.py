"""What a directory, an archive or a checkpoint holds, and whether its files fit each other."""

import contextlib
import dataclasses
import functools
import typing
from pathlib import Path

from bert_tf.conversion import decoder_alone, encoder_decoder, formats
from bert_tf.conversion.family import Family, Layout
from bert_tf.conversion.files import unpacked
from bert_tf.conversion.formats import look_into
from bert_tf.conversion.recognition import architecture, as_known, family_of, task_of, with_named
from bert_tf.conversion.saving import FAMILIES, OWN, TRANSFORMER
from bert_tf.conversion.sentence_transformers import TASK, modules_of
from bert_tf.conversion.sizes import sizes_of
from bert_tf.conversion.table import StoredTensor, canonical_names
from bert_tf.conversion.tokenizer_assets import tokenizer_folder
from bert_tf.conversion.vocabulary_size import check_vocabulary
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
      modules: Path or None, the folder of sentence-transformers that it is.
      aside, keys: as in `formats.Found`.
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
    aside: tuple[str, ...] = ()
    keys: tuple[str, ...] | None = None

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
    def decoder(self):
        """dict or None, the config of the decoder behind the encoder, as a file of its own has it,
        where transformers keeps both in one."""
        joined = encoder_decoder.TASK in self.layout.heads
        return self.options.get("decoder") if joined else None

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
            told = (config, sizes, self.weights_file, self.keys)
            return Companion(self.family_name, self.config_file, *told)
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
                beside.keys,
            )


class Companion(typing.NamedTuple):
    """A model that is saved beside another: what its config says and its tensors tell."""

    family_name: str
    config_file: Path
    config: dict
    sizes: dict
    weights_file: Path
    keys: tuple[str, ...] | None


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
    with unpacked(source) as place, tokenizer_folder(place) as folder:
        named = functools.partial(_named, place=place, source=source)
        contents, format = _contents(place, named)
        contents = dataclasses.replace(contents, folder=folder or contents.folder)
        family = contents.family
        _check_required(contents, family.required | ({} if format == OWN else family.expressible))
        check_vocabulary(contents.folder, contents.config.get("vocab_size"), named)
        yield with_task(contents, format)


def _named(file, place, source):
    """A file as messages name it: by the source, not by the folder that it was unpacked to."""
    return Path(str(file).replace(str(place), str(source), 1))


def _contents(place, named):
    """(Contents without a task, the name of their format) of what lies at a place."""
    modules, root = modules_of(place) if place.is_dir() else None, place
    place = _encoder_place(place, modules)
    found = look_into(place, named)
    folder = place if place.is_dir() else place.parent
    return contents_of(found, folder, root if modules else None), found.format


def _encoder_place(place, modules):
    """Where the encoder's files are: older folders of sentence-transformers have one for it."""
    return next((path for name, path in modules or () if name == "Transformer"), place)


def require_model(folder):
    """Raises InputError, as `opened`, where no files of a model are in a folder, by their names.

    Args:
      folder: str or Path.
    """
    place = Path(folder)
    formats.require_model(_encoder_place(place, modules_of(place)))


def contents_of(found, folder, modules=None):
    """What files hold, by their config and the names of their tensors.

    Args:
      found: formats.Found.
      folder, modules: as in Contents.
    Returns:
      Contents without a task.
    Raises:
      InputError: as `opened`.
    """
    config, tensors = found.config, found.tensors
    told = (found.config_file, tensors, found.weights_file)
    if config.get("model_type") == encoder_decoder.MODEL_TYPE:
        parts = encoder_decoder.taken_apart(config, found.config_file, FAMILIES, OWN)
        config, family, layout = parts
        name = config["model_type"]
    else:
        name, family = family_of(config, *told)
        if found.format == "huggingface" and architecture(config) == decoder_alone.CLASS:
            config = decoder_alone.read_config(config, found.config_file)
            name, family = TRANSFORMER, decoder_alone.family_of_class(family)
        layout = family.layouts[found.format]
        if found.format == "huggingface":
            config = with_named(config, family, tensors, *told[::2])
            config, tensors = as_known(config, family, tensors)
    return Contents(
        folder=folder,
        family_name=name,
        family=family,
        layout=layout,
        config_file=found.config_file,
        config=config,
        weights_file=found.weights_file,
        tensors=tensors,
        task=None,
        modules=modules,
        aside=found.aside,
        keys=found.keys,
    )


def with_task(contents, format):
    """The same Contents with the task whose head is there; `format` is a key of
    `Family.layouts`."""
    task = TASK if contents.modules else task_of(contents, format)
    return dataclasses.replace(contents, task=task)


def _check_required(contents, required):
    for key, wanted in required.items():
        given = contents.config.get(key)
        if given is not None and given != wanted:
            raise InputError(f"{contents.config_file}: {key}: {shown(given)}, here only {wanted!r}")
