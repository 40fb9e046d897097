"""Saving: what a model is called in a format, and the files that say so."""

from bert_tf.conversion import decoder_alone, encoder_decoder
from bert_tf.conversion.albert import ALBERT
from bert_tf.conversion.bert import BERT
from bert_tf.conversion.deberta import DEBERTA_V2
from bert_tf.conversion.distilbert import DISTILBERT
from bert_tf.conversion.electra import ELECTRA
from bert_tf.conversion.elmo import ELMO
from bert_tf.conversion.google import write_google
from bert_tf.conversion.gpt2 import GPT2
from bert_tf.conversion.huggingface import write_huggingface
from bert_tf.conversion.lstm import LSTM
from bert_tf.conversion.mobilebert import MOBILEBERT
from bert_tf.conversion.modernbert import MODERNBERT
from bert_tf.conversion.roberta import ROBERTA, XLM_ROBERTA
from bert_tf.conversion.sentence_transformers import OF_MODULES, TASK, module_files
from bert_tf.conversion.table import find, read_out
from bert_tf.conversion.word2vec import WORD2VEC
from bert_tf.errors import InputError

# model_type in config.json -> Family. A new family is one file and one line here.
FAMILIES = {
    "bert": BERT,
    "albert": ALBERT,
    "electra": ELECTRA,
    "roberta": ROBERTA,
    "xlm-roberta": XLM_ROBERTA,
    "distilbert": DISTILBERT,
    "mobilebert": MOBILEBERT,
    "gpt2": GPT2,
    "modernbert": MODERNBERT,
    "deberta-v2": DEBERTA_V2,
    "lstm": LSTM,
    "word2vec": WORD2VEC,
    "elmo": ELMO,
}

# A family that no foreign format can express; its tensors are named as those of the family that
# its config names in `parts_of`.
TRANSFORMER = "transformer"

OWN = "bert_tf"  # model_type of what no foreign format can express; our key in config.json
# Arguments of a task that stand in config.json under the names transformers gives them.
LABEL_ARGUMENTS = ("num_labels", "label_names", "problem_type")


def save_encoder(encoder, directory, tokenizer=None):
    """Write an encoder as Hugging Face lays it out.

    One of a family that transformers lacks is written under `model_type: bert_tf`, as in
    `save_task`.

    Args:
      encoder: an encoder of any family.
      directory: str or Path, made when absent. Files of an earlier model there are replaced.
      tokenizer: Tokenizer to save beside it, or None.

    Raises:
      InputError: the disk is full or the place cannot be written; what was there before still is.
    """
    config, *held = _encoder_files(encoder, "huggingface")
    write_huggingface(directory, config, read_out(*held), tokenizer)


def save_task(model, directory, tokenizer=None):
    """Write a task model as Hugging Face lays it out, head, labels and data settings included.

    A model with options no transformers class has, or of a task that it lacks, is written under
    `model_type: bert_tf`, its tensors under our attribute paths: `bert_tf.load_task` reads it back,
    transformers refuses it. A sentence encoder is written as sentence-transformers has it.

    Args:
      model: a task model; its `arguments` and `data_settings` are kept.
      directory: str or Path, made when absent. Files of an earlier model there are replaced.
      tokenizer: Tokenizer to save beside it, or None.

    Raises:
      InputError: the family has no such task, or the disk is full or the place cannot be written.
    """
    config, holder, table, beside = files_of_task(model, tokenizer)
    if tokenizer is not None and config.get("pad_token_id", 0) is None and "id2label" in config:
        # transformers finds the last token of a row by it, and takes no two rows without.
        config["pad_token_id"] = tokenizer.pad_id
    write_huggingface(directory, config, read_out(holder, table), tokenizer, beside)


def files_of_task(model, tokenizer=None):
    """What `save_task` writes, before any number is read.

    Returns:
      dict, the content of config.json; what holds the variables, the task model or its encoder;
      Table, their names; and dict as `beside` of `write_huggingface`, or None.
    """
    beside = module_files(model) if _has_modules(model) else None
    found = _encoder_decoder_files(model, tokenizer) or _decoder_files(model)
    return *(found or _task_files(model, "huggingface")), beside


def save_google(model, directory):
    """Write an encoder or a task model as Google does: bert_config.json and bert_model.ckpt.*, or
    the name of another family in the place of `bert`.

    Args:
      model: an encoder or a task model.
      directory: Path, an existing directory that nobody reads yet.

    Raises:
      InputError: Google's format cannot express the model.
    """
    encoder = getattr(model, "encoder", model)
    name = encoder.config.model_type
    if name == TRANSFORMER or "google" not in _family(encoder).layouts:
        raise InputError(f"{directory}: Google's format has no encoder of the family {name}")
    refuse_own_sizes(encoder, directory, "Google")
    config, *held = (_encoder_files if encoder is model else _task_files)(model, "google")
    if config["model_type"] == OWN:
        options = ", ".join(_own_options(model))
        own = f" with its own {options}" if options else ""
        raise InputError(f"{directory}: Google's format has no {type(model).__name__}{own}")
    if config.get("layer_norm_eps", 1e-12) != 1e-12:
        raise InputError(
            f"{directory}: layer_norm_eps: {config['layer_norm_eps']}, Google's code has 1e-12 only"
        )
    width = encoder.config.hidden_size
    if find(encoder, "embeddings_projection") and encoder.config.embedding_size == width:
        raise InputError(
            f"{directory}: embedding_size: {width}, as hidden_size: Google's code then has no "
            "projection of the embeddings, and this model has one"
        )
    write_google(directory, config, read_out(*held), config["model_type"])


def refuse_own_sizes(encoder, directory, format):
    """Raises InputError where an encoder has a size that no other package's config has.

    Args:
      encoder: an encoder.
      directory: Path, for the message.
      format: str, whose format it is, for the message.
    """
    for key in encoder.config.own_sizes:
        value = getattr(encoder.config, key)
        if value is not None:
            raise InputError(
                f"{directory}: {key}: {value}, wanted none: {format}'s format has no such size"
            )


def _encoder_files(encoder, format):
    """(config, the encoder, Table) of an encoder alone; in our own format when it has to be."""
    config, family = encoder.config.to_dict(), _family(encoder)
    name = config["model_type"]
    if is_ours(encoder):
        format = OWN
        config |= {"model_type": OWN, "architectures": [f"{OWN}.{family.encoder_class}"]}
        config[OWN] = {"family": name}
    else:
        config = {"architectures": [family.encoder_class], **config}
    return config, encoder, family.layouts[format].encoder_table()


def _encoder_decoder_files(model, tokenizer):
    """(config, the model, Table) of a task with a decoder as transformers has both in one; None
    where it is another task, or cannot be expressed so."""
    task, family = encoder_decoder.TASK, _family(model.encoder)
    if task not in [kind.__name__ for kind in type(model).__mro__] or is_ours(model.encoder):
        return None
    config = {"architectures": [family.encoder_class], **model.encoder.config.to_dict()}
    config = encoder_decoder.config_of(model, config, tokenizer)
    if config is None:
        return None
    kind = config["decoder"]["model_type"]
    layout = encoder_decoder.layout(family, FAMILIES[kind], kind)
    config[OWN] = {name: x for name, x in _ours(model).items() if name != "decoder"}
    if type(model).__name__ != task:
        config[OWN]["class"] = type(model).__name__
    return config, model, layout.task_table(task)


def _decoder_files(model):
    """(config, the model, Table) of a BERT that tells the next word; None where it is another
    model."""
    config = decoder_alone.written_config(model)
    if config is None:
        return None
    config |= {OWN: _ours(model)} if _ours(model) else {}
    if type(model).__name__ != decoder_alone.TASK:
        config.setdefault(OWN, {})["class"] = type(model).__name__
    family = decoder_alone.family_of_class(FAMILIES[decoder_alone.MODEL_TYPE])
    return config, model, family.layouts["huggingface"].task_table(decoder_alone.TASK)


def _ours(model):
    """What config.json keeps of a task besides what transformers knows, dict."""
    return dict(model.data_settings or {}) | {
        argument: getattr(model, argument)
        for argument in model.arguments
        if argument not in LABEL_ARGUMENTS and getattr(model, argument) is not None
    }


def _task_files(model, format):
    """(config, what holds the variables, Table) of a task; in our own format when the one asked for
    cannot express it."""
    config, ours = model.encoder.config.to_dict(), _ours(model)
    name, task = config["model_type"], type(model).__name__
    family, published = _family(model.encoder), _published_task(model)
    if _has_modules(model):
        if format != "huggingface":
            raise InputError(f"{task}: Google's format has no such task; it has the encoder alone")
        ours = {key: value for key, value in ours.items() if key not in OF_MODULES}
        config |= {"architectures": [family.encoder_class], OWN: ours}
        return config, model.encoder, family.layouts[format].encoder_table()
    if is_ours(model.encoder) or published is None or _own_options(model):
        layout = family.layouts[OWN]
        ours |= {"family": name, "task": published or task}
        config |= {"model_type": OWN, "architectures": [f"{OWN}.{published or task}"]}
        table = layout.own_task_table(model)
    else:
        layout = family.layouts[format]
        if published in family.pooled and find(model, "encoder.pooler") is None:
            raise InputError(
                f"{task}: its encoder has no pooler, which {family.classes[published]} reads"
            )
        if published not in layout.heads:
            raise InputError(f"{family.classes[published]}: Google's format has no such head")
        config |= {"architectures": [family.classes[published]]}
        table = layout.task_table(published)
    if published not in (None, task):
        ours["class"] = task  # whose files are those of the published one
    if "label_names" in model.arguments:
        config |= _label_entries(model)
    for companion in model.companions:
        if getattr(model, companion) is not None:
            # Google's checkpoints hold no sizes of it but those in the shapes.
            ours[companion] = getattr(model, companion).encoder.config.to_dict()
    if ours:
        config[OWN] = ours
    return config, model, table


def is_ours(encoder):
    """bool, whether an encoder is of a family that no other package's files can express."""
    config = encoder.config
    published = config.model_type != TRANSFORMER and _family(encoder).is_published
    return not published or config.has_own_sizes


def _family(encoder):
    """The Family that says how an encoder's tensors are named."""
    config = encoder.config
    return FAMILIES[config.parts_of if config.model_type == TRANSFORMER else config.model_type]


def _published_task(model):
    """The task in the layouts: the model's class, or the one that a user's own class extends; None
    where no file format of the family has it."""
    known = _family(model.encoder).classes
    return next((kind.__name__ for kind in type(model).__mro__ if kind.__name__ in known), None)


def _has_modules(model):
    """Whether a model is one that sentence-transformers' files can express."""
    pooled = any(kind.__name__ == TASK for kind in type(model).__mro__)
    return pooled and not is_ours(model.encoder)


def _own_options(model):
    """The arguments of a task model that foreign formats cannot express, by name."""
    return [name for name in model.arguments if not model.argument_is_published(name)]


def _label_entries(model):
    names = list(model.label_names or [f"LABEL_{number}" for number in range(model.num_labels)])
    return {
        "id2label": {str(number): name for number, name in enumerate(names)},
        "label2id": {name: number for number, name in enumerate(names)},
        "problem_type": getattr(model, "problem_type", None),
    }
