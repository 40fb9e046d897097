"""What a family says about its files: its names in each format, its classes for tasks."""

import re
from collections.abc import Mapping
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
      twins: task name -> twins as in Table.
      unused: task name -> regex of the names that published files of a task hold besides, for
        another task; whoever reads the files tells of it.
    """

    encoder: tuple[Row, ...]
    heads: Mapping[str, tuple[Row, ...]]
    any_head: str
    prefix: str = ""
    old_names: tuple[tuple[str, str], ...] = ()
    ignorable: tuple[tuple[str, str], ...] = ()
    twins: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
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
            rows + self.heads[task],
            self.old_names + prefixed,
            self.ignorable + unused,
            self.twins.get(task, ()),
        )

    def encoder_names(self, part, letter="", numbers=()):
        """The names of one part of an encoder (`pooler`, `blocks`), the layer numbers filled in.

        Returns:
          list of str, without the prefix.
        """
        rows = [row for row in self.encoder if row.ours.startswith(part + ".")]
        if letter:
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
      settled: config key -> the only value this family has here; another one would load wrongly.
      expressible: config key of ours -> the only value foreign formats can mean; a model with
        another one is saved in our own.
      google_sign: str, regex of a variable of Google's that no other family has, whose configs do
        not say which family they are of; "" for the family that has none.
      google_defaults: config key -> what Google's code takes where their config is silent.
      google_head_width: int, the width of each attention head, where Google's checkpoints come
        without a config and the shapes tell all else; None where they never do.
    """

    encoder_class: str
    classes: Mapping[str, str]
    pooled: tuple[str, ...]
    layouts: Mapping[str, Layout]
    sizes: Mapping[str, tuple[str, int | str]]
    settled: Mapping[str, object] = field(default_factory=dict)
    expressible: Mapping[str, object] = field(default_factory=dict)
    google_sign: str = ""
    google_defaults: Mapping[str, object] = field(default_factory=dict)
    google_head_width: int | None = None


def own_layout(published, extra, encoder_extra=()):
    """Our own format: every tensor bears its attribute path.

    Args:
      published: Layout of any foreign format, for the paths.
      extra: task name -> tuple of attribute paths that no foreign format can express.
      encoder_extra: tuple of such paths in an encoder.

    Returns:
      Layout.
    """
    paths = {task: [row.ours for row in rows] for task, rows in published.heads.items()}
    heads = {task: (*named, *extra.get(task, ())) for task, named in paths.items()}
    roots = dict.fromkeys(path.split(".")[0] for named in heads.values() for path in named)
    return Layout(
        encoder=tuple(
            Row(path, path) for path in (*(row.ours for row in published.encoder), *encoder_extra)
        ),
        heads={task: tuple(Row(path, path) for path in named) for task, named in heads.items()},
        any_head=rf"^({'|'.join(roots)})\.",
        prefix="encoder.",
    )
