"""From the cells of a table to the inputs and labels of a task: what a task says about its data."""

import functools
import typing
from collections.abc import Callable, Mapping

from bert_tf.errors import InputError
from bert_tf.outlines import Column as Column
from bert_tf.tasks.languages import SETTING, with_languages

# Axis of the tokens in the tensors that every tokenizer gives; a task adds its own.
TOKEN_AXES = {
    "input_ids": 1,
    "attention_mask": 1,
    "token_type_ids": 1,
    "position_ids": 1,
    "language_ids": 1,
    "offsets": 1,
    "owned": 1,
}


class Features(typing.NamedTuple):
    """A task's `features` for one tokenizer and one model's settings.

    Attributes:
      function: in a graph, dict of cells (column name -> tensor with one entry a row) ->
        (inputs, labels); inputs: dict of tensors [rows, ...]; labels: tensor, dict of tensors, or
        None where the cells hold none.
      token_axes: dict of tensor name -> the axis of its tokens, by which batches are cut to their
        longest row; a label tensor that is alone is called `labels`.
      max_length: int, tokens of the longest row.
      window_counts: function of cells -> int64 [rows], how many windows each row is cut into; None
        of a task that has none.
    """

    function: Callable
    token_axes: Mapping[str, int]
    max_length: int
    window_counts: Callable | None = None

    def __call__(self, cells):
        return self.function(cells)


def features_of(task, tokenizer, settings, padding="max_length"):
    """A task's `features` with all arguments but the cells.

    Args:
      task: a TaskModel class or instance.
      tokenizer: Tokenizer.
      settings: dict with `max_length` int and perhaps `special_tokens_in_text` bool; with `windows`
        int a row is as many texts at most; with `languages`, dict of name -> number, rows have the
        cell `language`.
      padding: "max_length" for tables, whose rows are cut to batches afterwards, or "longest".
    Returns:
      Features.
    """
    settings = {**settings, "padding": padding}
    given = dict(tokenizer=tokenizer, settings=settings)
    axes = {**TOKEN_AXES, **task.token_axes}
    return Features(
        with_languages(functools.partial(task.features, **given), settings.get(SETTING)),
        {name: axis + 1 for name, axis in axes.items()} if settings.get("windows") else axes,
        settings["max_length"],
        functools.partial(task.window_counts, **given) if task.windowed else None,
    )


def check_padding(tokenizer, config):
    """Refuses a tokenizer whose padding is another id than the model's, where that moves positions.

    Args:
      tokenizer: Tokenizer.
      config: a family's config.
    Raises:
      InputError: the family counts positions by that id, and the ids differ.
    """
    if config.counts_padding and tokenizer.pad_id != config.pad_token_id:
        raise InputError(
            f"pad_token_id: {config.pad_token_id}, and the tokenizer's padding has id "
            f"{tokenizer.pad_id}: a {config.model_type} counts positions by it; build the encoder "
            f"with pad_token_id={tokenizer.pad_id}"
        )


def check_token_types(task, tokenizer, settings, config):
    """Refuses rows whose second text has a token type that the model's table lacks.

    In a graph such a type counts as a vector of zeros, and nothing is said: so a row of empty texts
    goes through the task's `features` beforehand. Where both texts of a pair have type 0, as in
    RoBERTa's template, one row of the table will do.

    Args:
      task: a TaskModel class or instance.
      tokenizer, settings: as in `features_of`; an optional column is there if a setting names it.
      config: a family's config.
    Raises:
      InputError: the rows have more types than the model.
    """
    import tensorflow as tf

    empty = {"text": [""], "name": [""], "texts": [["", ""]]}
    cells = {
        name: tf.constant(empty[column.kind])
        for name, column in task.columns.items()
        if not column.target and (settings.get(name) is not None or not column.optional)
    }
    inputs, _ = task.features(cells, tokenizer, {**settings, "padding": "longest"})
    if "token_type_ids" not in inputs:
        return
    most = int(tf.reduce_max(inputs["token_type_ids"]))
    if config.type_vocab_size and most >= config.type_vocab_size:
        raise InputError(
            f"type_vocab_size: {config.type_vocab_size}, and the rows have the token types 0 to "
            f"{most}: the model was not made for pairs of texts"
        )


def tokenized(texts, text_pairs, tokenizer, settings, **options):
    """Texts as the inputs of an encoder, under the settings of a model.

    Args:
      texts: string [rows].
      text_pairs: string [rows] or None.
      tokenizer, settings: as in `features_of`, with `padding`.
      **options: further arguments of the tokenizer, such as `return_offsets`.
    Returns:
      dict of int32 tensors, see Tokenizer.
    """
    names = ("max_length", "padding", "special_tokens_in_text")
    return tokenizer(
        texts, text_pairs, **{name: settings[name] for name in names if name in settings}, **options
    )


def text_cut_at_half(task):
    """The text that may fill half a row at most and is cut there, since windows are of another one:
    the first of several of a windowed task; its column's name, or None."""
    texts = [name for name, x in task.columns.items() if x.kind == "text" and not x.target]
    return texts[0] if task.windowed and len(texts) > 1 else None


def are_cut_at_half(texts, tokenizer, settings):
    """Whether texts have more tokens than half of `max_length`; bool tensor [N] of string [N]."""
    import tensorflow as tf

    half = settings["max_length"] // 2  # and two special tokens
    tokens = tokenized(texts, None, tokenizer, {**settings, "max_length": half + 3})
    return tf.reduce_sum(tokens["attention_mask"], axis=1) > half + 2


def told_of_cut(name, count, cut, max_length):
    """What is said of `cut` texts among `count`; `name`: of their column."""
    return (
        f"max_length {max_length}: of {count} rows that were looked at {cut} have a {name} of more "
        f"than {max_length // 2} tokens, half of it, and are cut there"
    )


def window_settings(settings):
    """The arguments of Tokenizer.windows and .window_counts that a model's settings tell, dict.

    Windows that are told no `overlap` share a quarter of `max_length`.
    """
    length = settings["max_length"]
    return {
        "max_length": length,
        "overlap": settings.get("overlap", length // 4),
        "special_tokens_in_text": settings.get("special_tokens_in_text", False),
    }
