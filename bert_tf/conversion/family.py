"""What a family says about its files: its names in each format, its classes for tasks."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from bert_tf.conversion.table import Row, Table


@dataclass(frozen=True)
class Layout:
    """The names of one family in one format.

    Attributes:
      encoder: tuple of Row, our paths as an encoder has them.
      heads: task name -> tuple of Row, our paths as a task has them.
      prefix: str, stands before the encoder's names in the files of a task, and not in the files of
        an encoder alone.
      any_head: str, regex of the names of every published head, which an encoder sets aside.
      old_names, ignorable: as in Table.
      tied: task name -> `tied` of a Table.
      instead: task name -> rows of another head that its files may hold in the place of the first.
      untied: task name -> rows of what a head has in the place of tied tensors, where it has.
      unused: task name -> regex of the names that published files of a task hold besides, for
        another task; whoever reads the files tells of it.
    """

    encoder: tuple[Row, ...]
    heads: Mapping[str, tuple[Row, ...]]
    any_head: str
    prefix: str = ""
    old_names: tuple[tuple[str, str], ...] = ()
    ignorable: tuple[tuple[str, str], ...] = ()
    tied: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    instead: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    untied: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    unused: Mapping[str, str] = field(default_factory=dict)

    def encoder_table(self):
        """The Table of an encoder; the files may hold it with the prefix or without."""
        bare = ((f"^{re.escape(self.prefix)}", ""),) if self.prefix else ()
        return Table(self.encoder, self.old_names + bare, self.ignorable)

    def task_table(self, task):
        """The Table of a task: its encoder behind the prefix, and its head."""
        rows = tuple(
            replace(
                row,
                theirs=tuple(self.prefix + name for name in row.names),
                ours=f"encoder.{row.ours}",
            )
            for row in self.encoder
        )
        roots = "|".join(
            dict.fromkeys(
                re.escape(name.split(".")[0]) for row in self.encoder for name in row.names
            )
        )
        prefixed = ((rf"^({roots})\.", rf"{self.prefix}\1."),) if self.prefix else ()
        unused = ((self.unused[task], "for another task"),) if task in self.unused else ()
        return Table(
            rows + self.heads[task] + self.instead.get(task, ()) + self.untied.get(task, ()),
            self.old_names + prefixed,
            self.ignorable + unused,
            self.tied.get(task, ()),
        )

    def own_task_table(self, model):
        """The Table of a task in our own format: every tensor bears its attribute path.

        Args:
          model: a task model.
        """
        encoder = [Row(f"encoder.{row.ours}", f"encoder.{row.ours}") for row in self.encoder]
        shared = {id(weight) for weight in model.encoder.weights}
        beside = attribute_paths(model, ("encoder", *model.companions), seen=shared)
        rows = (*encoder, *(Row(path, path) for path in beside))
        # A preset of KerasHub has its backbone's pooler under every head.
        pooled = getattr(model.encoder, "pooler", None) is not None
        return Table(rows, (), () if pooled else ((r"^encoder\.pooler\.", "for another task"),))

    def encoder_names(self, part, letter="", numbers=()):
        """The names of one part of an encoder (`pooler`, `blocks`), the layer numbers filled in.

        Returns:
          list of str, without the prefix.
        """
        rows = [row for row in self.encoder if row.ours.startswith(part + ".")]
        if letter:
            rows = [row for row in rows if "{" + letter + "}" in row.ours]
            rows = [row.at(letter, number) for row in rows for number in numbers]
        return [name for row in rows for name in row.names]


@dataclass(frozen=True)
class Family:
    """One family: its layouts, and its classes under the names Hugging Face gives them.

    Attributes:
      encoder_class: str, the value of `architectures` for an encoder alone.
      classes: task name -> str, the value of `architectures`.
      pooled: tuple of task names whose published class reads the pooler.
      layouts: format name -> Layout: "huggingface", "google" and "bert_tf", our own.
      sizes: config key -> (our path in an encoder, axis of the tensor there, or the letter of the
        layers to count): what the shapes in a file tell, see `sizes.sizes_of`.
      required: config key -> the only value this family has here; another one would load wrongly.
      expressible: config key of our family `transformer` -> the only value foreign files can mean;
        another one is refused there.
      google_marker: str, regex of a variable of Google's that no other family has, whose configs do
        not say which family they are of; "" for the family that has none.
      google_defaults: config key -> what Google's code takes where their config is silent.
      google_head_width: int, the width of each attention head, where Google's checkpoints come
        without a config and the shapes tell all else; None where they never do.
      companions: name of a model that Google keeps in the same checkpoint -> two functions: of
        Contents, giving its config or None where it is not there; of the tensors, giving what they
        tell of its sizes.
      told_by_names: config key -> value -> regex: where names of the files are by one of these
        alone, the key has this value, whatever the config says.
      read_as: a further class of transformers -> the one of `classes` that it is read and written
        as; pairs of the start of a tensor's name there and here; the names of its labels.
      fuller: task name -> the task that files named for the first may hold the whole head of, too.
    """

    encoder_class: str
    classes: Mapping[str, str]
    pooled: tuple[str, ...]
    layouts: Mapping[str, Layout]
    sizes: Mapping[str, tuple[str, int | str]]
    required: Mapping[str, object] = field(default_factory=dict)
    expressible: Mapping[str, object] = field(default_factory=dict)
    google_marker: str = ""
    google_defaults: Mapping[str, object] = field(default_factory=dict)
    google_head_width: int | None = None
    companions: Mapping[str, tuple[Callable, Callable]] = field(default_factory=dict)
    told_by_names: Mapping[str, Mapping[object, str]] = field(default_factory=dict)
    fuller: Mapping[str, str] = field(default_factory=dict)
    read_as: Mapping[str, tuple] = field(default_factory=dict)

    @property
    def is_published(self):
        """bool, whether other packages have such models; else they are in our own format alone."""
        return "huggingface" in self.layouts


def own_layout(published, encoder_extra=()):
    """Our own format: every tensor bears its attribute path, whatever the task.

    Args:
      published: Layout of any foreign format, for the paths of an encoder.
      encoder_extra: tuple of paths in an encoder that no foreign format can express.

    Returns:
      Layout; its tasks have an `own_task_table`.
    """
    paths = (*(row.ours for row in published.encoder), *encoder_extra)
    # Where two matrices stand in the place of one.
    kernels = [
        x.removesuffix("kernel") for x in paths if re.match(r"(blocks|groups)\..*kernel$", x)
    ]
    paths += (*(f"{x}{factor}" for x in kernels for factor in ("down", "up")),)
    paths += ("embeddings.word_projection",)
    roots = "|".join(dict.fromkeys(re.escape(path.split(".")[0]) for path in paths))
    return Layout(
        encoder=tuple(Row(path, path) for path in paths),
        heads={},
        any_head=rf"^(?!({roots})\.)",
        prefix="encoder.",
    )


def attribute_paths(model, without=(), prefix="", seen=None):
    """The paths of all variables below a model or a layer, in the order of its attributes.

    Args:
      model: object; attributes with `assign` and `shape` are variables, those with `weights` are
        layers, and lists and tuples may hold both.
      without: tuple of str, attributes to leave out; further down it is `encoder`, which a task of
        several has and shares.

    Returns:
      list of str, a shared variable once.
    """
    seen = set() if seen is None else seen
    attributes = enumerate(model) if isinstance(model, list | tuple) else vars(model).items()
    paths = []
    for name, value in attributes:
        if str(name).startswith("_") or name in without or id(value) in seen:
            continue
        if hasattr(value, "assign") and hasattr(value, "shape"):
            seen.add(id(value))
            paths.append(f"{prefix}{name}")
        elif hasattr(value, "weights") or isinstance(value, list | tuple):
            paths += attribute_paths(value, ("encoder",), f"{prefix}{name}.", seen)
    return paths
