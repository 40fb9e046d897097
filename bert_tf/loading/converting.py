"""A checkpoint rewritten in another format."""

import dataclasses

from absl import logging

from bert_tf.atomic import new_directory
from bert_tf.conversion import save_google
from bert_tf.conversion.contents import opened
from bert_tf.conversion.files import copy_tokenizer_files
from bert_tf.conversion.formats import WRITTEN, require_written
from bert_tf.conversion.keras_hub.heads import save_head, why_not
from bert_tf.conversion.keras_hub.writing import save_keras_hub
from bert_tf.conversion.saving import is_ours
from bert_tf.conversion.sentence_transformers import TASK
from bert_tf.conversion.tokenizer_assets import write_preset_tokenizer
from bert_tf.conversion.vocabulary_size import vocabulary_entries
from bert_tf.conversion.word2vec_file import BINARY_FILE, TEXT_FILE, write_word_vectors
from bert_tf.errors import ConfigError, InputError
from bert_tf.loading.comparing import difference, difference_of_words, whole_model
from bert_tf.loading.encoders import refuse_size_name, whole_encoder
from bert_tf.loading.report import found, tokenizer
from bert_tf.loading.tasks import kinds, task_of_files

FORMATS = WRITTEN
# Formats of word vectors -> the file in the target.
VECTORS = {"word2vec": TEXT_FILE, "word2vec_binary": BINARY_FILE}


def convert(source, target, format, compare=False, task=None):
    """Rewrite a checkpoint in another format, head and tokenizer files included.

    Args:
      source: str, any checkpoint that `load_encoder` and `load_task` read.
      target: str, the directory to make; it must not exist yet or be empty. It appears when it is
        complete.
      format: one of FORMATS. "sentence_transformers" takes a sentence encoder, or an encoder alone,
        whose vectors it then means; of a sentence encoder the others hold the encoder.
        "keras_hub" holds a classifier of texts or a language model, of others the encoder alone,
        and one warning names what is not expressed.
        "word2vec" and "word2vec_binary" are the vectors of an encoder that has nothing else, in
        vectors.txt and vectors.bin, without those of special tokens.
      compare: bool, whether what was written is read again and its outputs are compared with the
        source's: those of the task, where its head was written, or of the encoder; of word vectors
        the vectors, word by word.
      task: str, of a model of several tasks the one to write alone; None: all there is.

    Returns:
      list of (str, str): what was found, a name and what there is to say of it: family, size, head,
      tensors matched, what is left with the reason, the tokenizer's files that were written, and
      the largest difference of outputs.

    Raises:
      ConfigError: there is no such format, or no such task.
      InputError: the source cannot be read whole, the format cannot express it, or the target is in
        use.
    """
    require_written(format)
    refuse_size_name(source)
    with new_directory(target) as folder, opened(source) as contents:
        whole = _to_convert(contents, format)
        model = whole if task is None else _alone(whole, task)
        alone = _write(model, contents, folder, format)
        said = [*found(contents, whole, model, alone), tokenizer(contents.folder, folder, format)]
        if compare and format in VECTORS:
            said.append(difference_of_words(*_vectors(contents, model), folder / VECTORS[format]))
    return said + ([difference(model, target)] if compare and format not in VECTORS else [])


def _alone(whole, task):
    """The model of one task among several; raises ConfigError where there is none such."""
    from bert_tf.tasks.multi_task import part_of

    if getattr(whole, "parts", None) is None:
        raise ConfigError(f"task: {task!r}, and the source holds a {type(whole).__name__} alone")
    return part_of(whole, task)


def _write(model, contents, folder, format):
    """Write a model of open files, and its tokenizer, to a new folder.

    Returns:
      str, why its encoder was written alone; None: it was not.
    """
    if format == "keras_hub":
        return _write_preset(contents, model, folder)
    if format in VECTORS:
        words, vectors = _vectors(contents, model)
        file = folder / VECTORS[format]
        write_word_vectors(file, words, vectors, binary=file.name == BINARY_FILE)
        return None
    _carry_tokenizer(contents.folder, folder, format)
    if format == "google":
        save_google(model, folder)
        return None
    model.save_pretrained(str(folder))
    for name in getattr(model, "companions", ()):
        if getattr(model, name) is not None:
            copy_tokenizer_files(contents.folder, folder / name)
    return None


def _write_preset(contents, model, folder):
    """A preset of KerasHub: the encoder, its tokenizer and head if KerasHub has that kind; returns
    as `_write`."""
    encoder = getattr(model, "encoder", model)
    backbone, name = save_keras_hub(encoder, folder), encoder.config.model_type
    lowercase = False
    if (contents.folder / "vocab.txt").is_file():
        from bert_tf.text.vocabulary_files import read_wordpiece

        lowercase = read_wordpiece(contents.folder).lowercase
    if not write_preset_tokenizer(contents.folder, folder, name, lowercase):
        logging.warning("%s: no tokenizer that KerasHub's %s has", contents.folder, name)
    if model is encoder:
        return None
    if why := why_not(model, name):
        logging.warning("%s: %s", contents.folder, why)
        return why
    save_head(model, name, folder, backbone)
    return None


def _vectors(contents, model):
    """Words without the special ones, in the order of the vocabulary, and their vectors."""
    from bert_tf.text import Tokenizer

    encoder = getattr(model, "encoder", model)
    if encoder.family.context_head is None:
        family = encoder.config.model_type
        raise InputError(
            f"{contents.weights_file}: a {family} is more than vectors of words, which is all that "
            "the format holds"
        )
    pieces = Tokenizer.from_pretrained(str(contents.folder)).pieces
    special = pieces.settings.special_tokens
    rows = {word: i for word, i in pieces.ids.items() if word and word not in special}
    return list(rows), encoder.embeddings.word_embeddings.numpy()[list(rows.values())]


def _to_convert(contents, format):
    """The model of open files that a format is to hold."""
    if format != "sentence_transformers":
        return whole_encoder(contents) if contents.modules else whole_model(contents)
    if contents.task not in (None, TASK):
        raise InputError(
            f"{contents.config_file}: a {contents.task}, wanted a {TASK} or an encoder alone"
        )
    model = task_of_files(contents) if contents.task else kinds()[TASK](whole_encoder(contents))
    if is_ours(model.encoder):
        raise InputError(f"{contents.config_file}: sentence-transformers has no such encoder")
    return model


def _carry_tokenizer(source, target, format):
    """Copy a tokenizer's files, or write what the format has in their place."""
    file, lines, entries = vocabulary_entries(source)
    line_by_line = file is not None and file.name == "vocab.txt" and lines == entries
    if format == "google" and file is not None and not line_by_line:
        # Google's ids are the lines of vocab.txt, those of added tokens too.
        from bert_tf.text.vocabulary_files import read_wordpiece, write_wordpiece

        settings = read_wordpiece(source)
        whole = len(settings.vocabulary)
        write_wordpiece(dataclasses.replace(settings, base_size=whole), target)
        return
    copied = copy_tokenizer_files(source, target)
    if format != "google" and "vocab.txt" in copied and "tokenizer_config.json" not in copied:
        # A bare vocab.txt: let the files say whether it is cased.
        from bert_tf.text import Tokenizer

        Tokenizer.from_pretrained(str(target)).save_pretrained(str(target))
