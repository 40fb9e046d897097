"""Arguments of a task that are models, which a configuration names by their paths."""

from bert_tf.conversion.contents import opened
from bert_tf.conversion.files import TOKENIZER_FILES
from bert_tf.errors import ConfigError, InputError, shown
from bert_tf.loading import load_encoder, load_task
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


def _model(path, tokenizer):
    """The task model at a path where its head is one here, else the encoder."""
    with opened(path) as contents:
        if any((contents.folder / name).is_file() for name in TOKENIZER_FILES):
            own = Tokenizer.from_pretrained(str(contents.folder))
            if tokenizer is not None and own.vocabulary != tokenizer.vocabulary:
                raise InputError(f"{path}: its vocabulary is not that of model.path")
        return load_encoder(contents) if contents.task is None else load_task(contents)
