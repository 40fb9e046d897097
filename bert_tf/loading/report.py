"""What a conversion found and what became of it, as lines for people."""

import numpy as np

from bert_tf import encoders
from bert_tf.conversion.files import TOKENIZER_FILES
from bert_tf.conversion.leftovers import account
from bert_tf.conversion.sentence_transformers import modules_of
from bert_tf.conversion.table import canonical_names, expand, listed
from bert_tf.conversion.tokenizer_assets import NAMES, SENTENCE_PIECE
from bert_tf.conversion.word2vec_file import BINARY_FILE, TEXT_FILE

SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "embedding_size",
    "max_position_embeddings",
)
TRAINING = "state of training"


def found(contents, model, written=None, alone=None):
    """What the files held.

    Args:
      contents: Contents the model was made of.
      model: an encoder or a task model.
      written: the part of it that was written, if not all.
      alone: str, why that part's encoder was written alone; None: it was not.
    Returns:
      list of (str, str): family, size, head, tensors, and those left with the reason.
    """
    encoder = getattr(model, "encoder", model)
    config, task = encoder.config, model is not encoder
    count = sum(int(np.prod(weight.shape)) for weight in encoder.weights)
    names, left = _tensors(contents, model)
    left |= {TRAINING: list(contents.aside)} if contents.aside else {}
    whole = len(names) + sum(map(len, left.values()))
    unwritten = _unwritten(contents, model, written, alone)
    left |= unwritten
    matched = len({*names} - {name for each in unwritten.values() for name in each})
    lines = [
        ("family", config.model_type),
        (
            "size",
            f"{config.num_hidden_layers} layers of {config.hidden_size}, "
            f"{config.num_attention_heads} heads, vocabulary {config.vocab_size}, "
            f"{count:,} parameters{_usual_name(config)}",
        ),
        ("head", type(model).__name__ if task else "none, an encoder alone"),
        ("tensors", f"{matched} of {whole} matched"),
    ]
    lines += [("left", f"{listed(each)}: {reason}") for reason, each in left.items()]
    if contents.modules and not task:
        modules = [name for name, _ in modules_of(contents.modules) if name != "Transformer"]
        why = "the format has no modules, sentence_transformers has"
        lines.append(("left", f"{', '.join(modules)}: {why}"))
    return lines


def _unwritten(contents, model, written, alone):
    """Tensors that the model was made of and that were not written, dict of reason to names."""
    if model is getattr(model, "encoder", model):
        return {}
    parts, one = getattr(model, "parts", None) or {}, written
    if alone is not None:
        return {alone: _names_beside(contents, model)}
    others = [name for name, part in parts.items() if part is not one]
    if one is None or one is model or not others:
        return {}
    places = [f"models.{list(parts).index(name)}." for name in others]
    names = [x for x in _names_beside(contents, model) if x.startswith(tuple(places))]
    return {f"of {', '.join(others)}, which were not asked for": names} if names else {}


def _names_beside(contents, model):
    """The names in the files of what a task has beside its encoder."""
    table = _table(contents, model)
    rows = [row for row in expand(table.rows, model) if not row.ours.startswith("encoder.")]
    there = canonical_names(table, contents.tensors, contents.weights_file)
    return [name for row in rows for name in row.names if name in there]


def tokenizer(source, target, format):
    """What became of a tokenizer's files.

    Args:
      source: Path, where they were, under the names that everyone has for them.
      target: Path, what was written.
      format: str.
    Returns:
      (str, str), the line that says it.
    """
    files = [str(path.relative_to(target)) for path in sorted(target.rglob("*")) if path.is_file()]
    usual = (*TOKENIZER_FILES, *NAMES, SENTENCE_PIECE)
    written = [name for name in files if name.split("/")[-1] in usual]
    there = [name for name in TOKENIZER_FILES if (source / name).is_file()]
    if written:
        return "tokenizer", ", ".join(written)
    if (target / TEXT_FILE).is_file() or (target / BINARY_FILE).is_file():
        return "tokenizer", "none, the words stand before their vectors"
    if there:
        return "tokenizer", f"none; {', '.join(there)} have no place in {format}"
    return "tokenizer", "none, the source has no file of one"


def _usual_name(config):
    """The name of the published size that a config has, if it has one's."""
    sizes = [getattr(config, name, None) for name in SIZES]
    names = [
        name
        for name, other in encoders.SIZES.items()
        if other.model_type == config.model_type
        and [getattr(other, field, None) for field in SIZES] == sizes
    ]
    return f", as {names[0]}" if names else ""


def _tensors(contents, model):
    """The names of the files' tensors that are the model's; reason -> names of the others."""
    if contents.modules or (contents.fullest_task is None and not contents.is_own):
        model = getattr(model, "encoder", model)  # the files hold no more
    table = _table(contents, model)
    return account(table, model, contents.tensors, contents.weights_file)


def _table(contents, model):
    """The Table of a model of files."""
    layout, task = contents.layout, contents.fullest_task
    if getattr(model, "encoder", model) is model:
        return layout.encoder_table()
    return layout.own_task_table(model) if contents.is_own else layout.task_table(task)
