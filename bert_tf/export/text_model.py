"""A task model and its tokenizer as one TensorFlow program: strings in, named answers out."""

import tensorflow as tf

from bert_tf.errors import ConfigError, InputError, nearest, shown
from bert_tf.export.execution import running
from bert_tf.export.operations import Weights
from bert_tf.layers import done_by
from bert_tf.tasks import TASKS, TaskModel, languages
from bert_tf.tasks.features import (
    are_cut_at_half,
    check_padding,
    check_token_types,
    features_of,
    text_cut_at_half,
)

# Kind of a column -> its tensor in a signature.
SPECS = {
    **dict.fromkeys(("text", "name"), tf.TensorSpec([None], tf.string)),
    "texts": tf.TensorSpec([None, None], tf.string),
}


# The signature that is asked where none is named.
DEFAULT = "serving_default"


class TextModel(tf.Module):
    """Holds the weights and the tokenizer, and no Keras object, so that a SavedModel has none.

    Args:
      model: TaskModel.
      tokenizer: Tokenizer.
      settings: dict, what `text_settings` gives.
      weights: operations.Weights; None: those of the model, as they are when it answers.
      **options: of the task's `answer`.

    Attributes:
      answer: tf.function, the signature `serving_default`. Inputs: the columns that `settings`
        names, `text` string [N], a list of texts string [N, C]. Outputs: as the task's `answer`.
        Without rows it gives outputs without rows.
      cut: tf.function of string [N], whether texts are cut at half a row; see
        `features.text_cut_at_half`. Of models that cut none absent.
    """

    def __init__(self, model, tokenizer, settings, weights=None, **options):
        super().__init__(name="text_model")
        self.tokenizer = tokenizer
        weights = weights or Weights()
        self.answer = _signature(model, tokenizer, settings, weights, options)
        if text_cut_at_half(type(model)) is not None:
            whole = {**settings, "padding": "longest"}
            self.cut = tf.function(
                lambda texts: are_cut_at_half(texts, tokenizer, whole),
                input_signature=[SPECS["text"]],
                autograph=False,
            )
        # Not those that an answer does not read, or that are constants of the graph.
        read = {id(x) for x in self.answer.get_concrete_function().captured_inputs}
        known = [variable.value for variable in model.weights] + weights.variables
        self.parameters = [variable for variable in known if id(variable.handle) in read]


def text_settings(model, tokenizer, max_length=None):
    """The settings of a program that answers texts, once it is clear that the model can.

    Args:
      model: TaskModel. Which optional columns it takes, its `data_settings` say.
      tokenizer: Tokenizer, the one it was trained with.
      max_length: int, see `row_length`.
    Returns:
      dict, ready for JSON: `task`, the name in TASKS; `columns`, name -> its place in the training
      file, of the inputs; `max_length`; `special_tokens_in_text`; `windows` and `overlap` of a
      windowed task; `languages`, name -> number, of a model that is told them; `words`, what they
      are to a model that reads words; `text` and `text_pair`; the label arguments the task has;
      `thresholds` where the model has such.
    Raises:
      InputError: no text can be put to the model's task, the tokenizer has more entries than the
        model has rows, `max_length` exceeds the positions, or pairs have a token type too many.
    """
    if not isinstance(model, TaskModel):
        raise InputError(f"{type(model).__name__}: wanted a task model such as load_task gives")
    if model.parts is not None:
        raise InputError(f"{type(model).__name__}: has several tasks, wanted one of its parts")
    if model.no_answer is not None:
        raise InputError(f"{type(model).__name__} {model.no_answer}")
    tokenizer.require_rows(model.encoder.config.vocab_size, tokenizer.pieces.settings.source)
    check_padding(tokenizer, model.encoder.config)
    saved = model.data_settings
    inputs = {name: column for name, column in model.columns.items() if not column.target}
    columns = {
        name: name if saved.get(name) is None else saved[name]
        for name, column in inputs.items()
        if saved.get(name) is not None or not column.optional
    }
    if languages.COLUMN in columns:
        languages.check_languages(saved.get("languages"), model.encoder.config)
    in_windows = model.windowed or saved.get("windows")
    length, labels = row_length(model, max_length), ("problem_type", "label_names")
    check_token_types(model, tokenizer, {**saved, "max_length": length}, model.encoder.config)
    return {
        "task": _task_name(model),
        "columns": columns,
        "max_length": length,
        "special_tokens_in_text": bool(saved.get("special_tokens_in_text", False)),
        **({"words": "separated by spaces"} if model.reads_words else {}),
        **({"windows": saved["windows"]} if saved.get("windows") else {}),
        **({"languages": saved["languages"]} if languages.COLUMN in columns else {}),
        **({"overlap": saved.get("overlap", length // 4)} if in_windows else {}),
        "text": columns.get("text"),
        "text_pair": columns.get("text_pair"),
        **{name: _plain(getattr(model, name)) for name in labels if name in model.arguments},
        **({"thresholds": _plain(model.thresholds)} if getattr(model, "thresholds", None) else {}),
    }


def _task_name(model):
    """The name in TASKS of a model's class or, of a user's own, of the nearest that it extends."""
    return next(name for x in type(model).__mro__ for name, kind in TASKS.items() if kind is x)


def answering_task(settings):
    """The TaskModel class that an export's settings name.

    Raises:
      InputError: there is no such task here.
    """
    name = settings.get("task", "sequence_classification")  # what 0.1 exported names none
    if not isinstance(name, str) or name not in TASKS:
        raise InputError(f"task is {shown(name)}, wanted one of {', '.join(TASKS)}")
    return TASKS[name]


def row_length(model, max_length=None):
    """How many tokens a row of text may have.

    Args:
      model: a task model.
      max_length: int, or None for what the model was trained with.
    Returns:
      int.
    Raises:
      InputError: the model has fewer positions than that, or no text would fit.
    """
    positions = model.encoder.config.longest_row
    given = (max_length, model.data_settings.get("max_length"))
    length = next((x for x in given if x is not None), min(512, positions))
    if not isinstance(length, int) or not 3 <= length <= positions:
        raise InputError(f"max_length: {length!r}, wanted 3 to {positions}, the model's positions")
    return length


def answer_options(model, options):
    """The options of an answer that are given, checked.

    Args:
      model: TaskModel.
      options: dict of name -> value, None where it is not given.
    Raises:
      ConfigError: the task has no such option.
    """
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in model.answer_options:
            near = nearest(name, model.answer_options)
            hint = f" (nearest: {near})" if near else ""
            raise ConfigError(f"{name}: {type(model).__name__} has no such option{hint}")
    return given


def _signature(model, tokenizer, settings, weights, options):
    """The tf.function; what it closes over is not seen by tf.saved_model."""
    features = features_of(model, tokenizer, settings, padding="longest")
    names = list(settings["columns"])

    def fill(name):
        return next(iter(settings["languages"])) if name == languages.COLUMN else ""

    run, steps = running(model, weights), weights.steps()

    def answer(*texts):
        count = tf.shape(texts[0])[0]
        for name, column in zip(names[1:], texts[1:], strict=True):
            said = f"{name} and {names[0]} have different numbers of rows"
            tf.debugging.assert_equal(tf.shape(column)[0], count, said)
        # Rows without a token are nothing a model can run on: one is put in, and taken out again.
        cells = {
            name: tf.cond(count > 0, lambda x=x: x, lambda x=x, name=name: _one(x, fill(name)))
            for name, x in zip(names, texts, strict=True)
        }
        inputs, _ = features(cells)
        outputs = run(inputs)
        with done_by(steps):
            answers = model.answer(outputs, inputs, cells, tokenizer, **options)
        return {name: value[:count] for name, value in answers.items()}

    signature = [
        tf.TensorSpec(spec.shape, spec.dtype, name)
        for name in names
        for spec in [SPECS[model.columns[name].kind]]
    ]
    return tf.function(answer, input_signature=signature, autograph=False)


def _one(texts, fill):
    """One row of a text, str, in the place of none; string [1] or [1, C or 1]."""
    shape = tf.shape(texts)
    return tf.fill(tf.concat([[1], tf.maximum(shape[1:], 1)], axis=0), fill)


def _plain(value):
    return list(value) if isinstance(value, list | tuple) else value
