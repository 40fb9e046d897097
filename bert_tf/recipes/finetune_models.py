"""Arguments of a task that are models, and models of a task all of which is gone on with."""

from bert_tf.conversion.contents import opened
from bert_tf.conversion.files import TOKENIZER_FILES
from bert_tf.errors import ConfigError, InputError, shown
from bert_tf.loading import load_encoder, load_task
from bert_tf.loading.cutting import copy_head
from bert_tf.text import Tokenizer


def arguments_with_models(task, arguments, tokenizer):
    """The arguments of a task, `{path: DIR}` replaced by the model there.

    Args:
      task: TaskModel class, with `from_models`.
      arguments: dict of a configuration.
      tokenizer: Tokenizer that all of its models read by; None: nobody looks.
    Returns:
      dict.
    Raises:
      ConfigError: there is another key beside `path`.
      InputError: the model cannot be read, or its vocabulary is another one.
    """
    found = dict(arguments)
    for name in task.from_models:
        given = found.get(name)
        if not isinstance(given, dict) or "path" not in given:
            continue
        if len(given) > 1 or not isinstance(given["path"], str):
            raise ConfigError(f"model.options.{name}: {shown(given)}, wanted path: DIR alone")
        found[name] = _model(given["path"], tokenizer)
    return found


def whole_model(contents, task, options):
    """The task model in files, if training goes on with more of it than its encoder: a decoder.

    Args:
      contents: Contents of the files.
      task: TaskModel class.
      options: dict of the arguments that a configuration gives the task.
    Returns:
      TaskModel; None where the files hold another task, the task has no such part, or the options
      tell of another one.
    """
    keeps = contents.task == task.__name__ and keeps_parts(task, options)
    return load_task(contents) if keeps else None


def keeps_parts(task, options):
    """bool, whether models of a task have such a part, which the options do not tell anew."""
    return bool(task.from_models) and not {*task.from_models} & {*options}


def arguments_of(model):
    """The arguments that a model of a task was made with, dict; {} of None."""
    return {} if model is None else {name: getattr(model, name) for name in model.arguments}


def go_on(model, source, path):
    """Gives a task model what the one at a path has besides its encoder, which it has already.

    Raises:
      InputError: the options made another model of it.
    """
    if not copy_head(source, model):
        parts = " and ".join(source.from_models)
        raise InputError(f"{path}: its {parts} does not fit model.options")


def _model(path, tokenizer):
    """The task model at a path where its head is one here, else the encoder."""
    with opened(path) as contents:
        if any((contents.folder / name).is_file() for name in TOKENIZER_FILES):
            own = Tokenizer.from_pretrained(str(contents.folder))
            if tokenizer is not None and own.vocabulary != tokenizer.vocabulary:
                raise InputError(f"{path}: its vocabulary is not that of model.path")
        return load_encoder(contents) if contents.task is None else load_task(contents)
