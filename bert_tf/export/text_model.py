"""A task model and its tokenizer as one TensorFlow program: strings in, named answers out."""

import tensorflow as tf

from bert_tf.errors import ConfigError, InputError, nearest, shown
from bert_tf.export.operations import STEPS
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

# Windows of long texts that go through a model together.
_ROWS_AT_ONCE = 32


class TextModel(tf.Module):
    """Holds the weights and the tokenizer, and no Keras object, so that a SavedModel has none.

    Args:
      model: TaskModel.
      tokenizer: Tokenizer.
      settings: dict, what `text_settings` gives.
      precision: str, a key of STEPS, of the products.
      **options: of the task's `answer`.

    Attributes:
      answer: tf.function, the signature `serving_default`. Inputs: the columns that `settings`
        names, `text` string [N], a list of texts string [N, C]. Outputs: as the task's `answer`.
        Without rows it gives outputs without rows.
      cut: tf.function of string [N], whether texts are cut at half a row; see
        `features.text_cut_at_half`. Of models that cut none absent.
    """

    def __init__(self, model, tokenizer, settings, precision="float32", **options):
        super().__init__(name="text_model")
        self.tokenizer = tokenizer
        self.answer = _signature(model, tokenizer, settings, precision, options)
        if text_cut_at_half(type(model)) is not None:
            whole = {**settings, "padding": "longest"}
            self.cut = tf.function(
                lambda texts: are_cut_at_half(texts, tokenizer, whole),
                input_signature=[SPECS["text"]],
                autograph=False,
            )
        # Not those that an answer does not read, or that are constants of the graph.
        read = {id(x) for x in self.answer.get_concrete_function().captured_inputs}
        weights = [variable.value for variable in model.weights]
        self.parameters = [weight for weight in weights if id(weight.handle) in read]


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
    length = max_length or model.data_settings.get("max_length") or min(512, positions)
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


def _signature(model, tokenizer, settings, precision, options):
    """The tf.function; what it closes over is not seen by tf.saved_model."""
    features = features_of(model, tokenizer, settings, padding="longest")
    names = list(settings["columns"])

    def fill(name):
        return next(iter(settings["languages"])) if name == languages.COLUMN else ""

    run = running(model, precision)

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
        with done_by(STEPS[precision]):
            answers = model.answer(outputs, inputs, cells, tokenizer, **options)
        return {name: value[:count] for name, value in answers.items()}

    signature = [
        tf.TensorSpec(spec.shape, spec.dtype, name)
        for name in names
        for spec in [SPECS[model.columns[name].kind]]
    ]
    return tf.function(answer, input_signature=signature, autograph=False)


def running(model, precision="float32"):
    """A model as a function of inputs, as an export runs it.

    Args:
      model: TaskModel.
      precision: str, a key of operations.STEPS.
    Returns:
      function of inputs, dict of tensors, to outputs.
    Raises:
      ConfigError: there is no such precision, or the model computes in another already.
    """
    if precision not in STEPS:
        raise ConfigError(f"precision is {shown(precision)}, wanted one of {', '.join(STEPS)}")
    if precision != "float32" and model.compute_dtype != "float32":
        raise ConfigError(f"precision: {precision}, and the model is in {model.compute_dtype}")
    few = tf.function(
        without_padding(model, STEPS[precision]), autograph=False, reduce_retracing=True
    )
    return in_parts(few) if model.windowed else by_length(few)


def without_padding(model, steps):
    """A model as a function of inputs, which does no work for padding where its encoder can.

    Args:
      model: TaskModel.
      steps: Steps.
    Returns:
      function of inputs, dict of tensors, to outputs.
    """

    def run(inputs):
        with done_by(steps):
            return model(model.encoder.without_padding(inputs), training=False)

    return run


def by_length(few):
    """A model as a function of any number of rows, which runs those of like lengths together.

    Attention takes the square of the longest row of a part, and not of all rows. A model whose
    outputs have an entry a token runs all rows at once.

    Args:
      few: tf.function of inputs, dict of tensors with one entry a row, to outputs.
    Returns:
      function of such inputs to outputs.
    """
    parts = in_parts(few, trimmed=True)

    def run(inputs):
        outputs = tf.nest.flatten(few.get_concrete_function(inputs).structured_outputs)
        if not all(x.shape[1:].is_fully_defined() for x in outputs):
            return few(inputs)
        order = tf.argsort(_lengths(inputs["attention_mask"]))
        outputs = parts({name: tf.gather(x, order) for name, x in inputs.items()})
        back = tf.math.invert_permutation(order)
        return tf.nest.map_structure(lambda x: tf.gather(x, back), outputs)

    return run


def in_parts(few, trimmed=False):
    """A model as a function of any number of rows, which runs them a few at a time.

    All windows of a long text, or all texts of a large request, may not fit into memory.

    Args:
      few: as in `by_length`.
      trimmed: bool, whether a part's rows end with the longest of them.
    Returns:
      function of such inputs to outputs.
    """

    def run(inputs):
        inputs = {name: x for name, x in inputs.items() if name != "rows"}

        def taken(begin):
            part = {name: x[begin : begin + _ROWS_AT_ONCE] for name, x in inputs.items()}
            if not trimmed:
                return part
            mask = part["attention_mask"]
            longest, axes = tf.reduce_max(_lengths(mask)), mask.shape.rank
            return {x: y[..., :longest] if y.shape.rank == axes else y for x, y in part.items()}

        outputs = few(taken(0))
        flat = tf.nest.flatten(outputs)

        def more(begin, *before):
            found = zip(before, tf.nest.flatten(few(taken(begin))), strict=True)
            return begin + _ROWS_AT_ONCE, *(tf.concat(both, axis=0) for both in found)

        count = tf.shape(inputs["input_ids"])[0]
        grown = [tf.TensorShape([None, *x.shape[1:]]) for x in flat]
        _, *flat = tf.while_loop(
            lambda begin, *_: begin < count,
            more,
            [tf.constant(_ROWS_AT_ONCE), *flat],
            shape_invariants=[tf.TensorShape([]), *grown],
            parallel_iterations=1,
        )
        return tf.nest.pack_sequence_as(outputs, flat)

    return run


def _lengths(mask):
    """The tokens of each row, or of its longest text or window: [N, ..., L] -> int32 [N]."""
    tokens = tf.reduce_sum(tf.cast(mask > 0, tf.int32), axis=-1)
    return tf.reduce_max(tokens, axis=list(range(1, tokens.shape.rank)))


def _one(texts, fill):
    """One row of a text, str, in the place of none; string [1] or [1, C or 1]."""
    shape = tf.shape(texts)
    return tf.fill(tf.concat([[1], tf.maximum(shape[1:], 1)], axis=0), fill)


def _plain(value):
    return list(value) if isinstance(value, list | tuple) else value
