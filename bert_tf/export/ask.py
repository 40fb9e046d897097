"""The short way to ask any model: a directory, texts, and a dict for each."""

from bert_tf.export.answer import answer_with, is_export, load_export
from bert_tf.export.zero_shot import ZeroShot
from bert_tf.loading import load_with_tokenizer


def pipeline(directory):
    """Answers texts with a model directory or an export: the short way to ask any model.

    Args:
      directory: str.
    Returns:
      Function of lists of texts, one for each column the model takes, such as the texts and their
      partners, giving a list of dicts in their order; see `Answer.records`. With `labels`, a list
      of str, it tells which of them fits each text (zero-shot classification), as far as the task
      can; `template`: what is said of a text, with {} for the label; `several`: any number of them
      may fit, which a model of entailment decides for each.
    Raises:
      InputError: the directory holds no model that answers texts, or cannot be read.
    """
    model = tokenizer = None
    if is_export(directory):
        answer = load_export(directory)
    else:
        model, tokenizer = load_with_tokenizer(directory)
        answer = answer_with(model, tokenizer)

    def ask(*columns, labels=None, template=None, several=False):
        if labels is None:
            return answer.records(*columns)
        asked = answer if model is None else _of_pairs(model, tokenizer, answer)
        return ZeroShot(asked, labels, template, several).records(*columns)

    return ask


def _of_pairs(model, tokenizer, answer):
    """The Answer of a classifier for pairs, where its directory does not say that it takes them, as
    those that another package saved do not; any other as it is."""
    unsaid = "label_names" in model.arguments and "text_pair" in model.columns
    if not unsaid or len(answer.columns) > 1:
        return answer
    model.data_settings = {**model.data_settings, "text_pair": "text_pair"}
    return answer_with(model, tokenizer)
