"""The short way to ask any model: a directory, texts, and a dict for each."""

import functools

from bert_tf.export.answer import answer_with
from bert_tf.export.opening import is_export, load_export
from bert_tf.export.zero_shot import ZeroShot
from bert_tf.loading import load_with_tokenizer
from bert_tf.tasks import languages
from bert_tf.tasks.multi_task import part_of


def pipeline(directory, segmenter=None):
    """Answers texts with a model directory or an export: the short way to ask any model.

    Args:
      directory: str.
      segmenter: str, of a model that reads words, such as a parser: what cuts texts without spaces
        into these; "jieba" cuts Chinese. None: words have spaces between them.
    Returns:
      Function of lists of texts, one for each column the model takes, such as the texts and their
      partners, giving a list of dicts in their order; see `Answer.records`. A model directory takes
      the optional columns of its task too, such as the `choices` of a cloze question, or the
      partners of texts for a classifier that another package saved. With `labels`, a list
      of str, it tells which of them fits each text (zero-shot classification), as far as the task
      can; `template`: what is said of a text, with {} for the label; `several`: any number of them
      may fit, which a model of entailment decides for each. `task`: which of several tasks is
      meant; None: the first.
    Raises:
      InputError: the directory holds no model that answers texts, or cannot be read.
      ConfigError: there is no such segmenter, or the model reads texts as they are.
    """
    if is_export(directory):
        answer = load_export(directory)
        return _asking(lambda count, task: answer.of(task), answer, segmenter)
    model, tokenizer = load_with_tokenizer(directory)
    first = answer_with(model, tokenizer)

    @functools.cache
    def answer_to(count, task):
        """The Answer to so many columns, the optional ones among them."""
        answer, part = first.of(task), part_of(model, task)
        said = part.data_settings
        unknown = () if said.get(languages.SETTING) else (languages.COLUMN,)
        names = [x for x, y in part.columns.items() if not y.target and x not in unknown]
        if not len(answer.columns) < count <= len(names):
            return answer
        places = {name: name for name in names[:count] if said.get(name) is None}
        part.data_settings = {**said, **places}
        return answer_with(part, tokenizer)

    return _asking(answer_to, first, segmenter)


def _asking(answer_to, first, segmenter):
    """What `pipeline` returns; `answer_to` as in `_ask`, `first` the Answer to no task's name."""
    if segmenter is None:
        return lambda *columns, **asked: _ask(answer_to, columns, **asked)
    if not first.tasks:  # of several tasks it is told when one is asked
        first.cut_by(segmenter)

    def cut(count, task):
        return answer_to(count, task).cut_by(segmenter)

    return lambda *columns, **asked: _ask(cut, columns, **asked)


def _ask(answer_to, columns, labels=None, template=None, several=False, task=None):
    """The records of some columns; `answer_to`: function of how many columns, and of which task, to
    an Answer."""
    if labels is None:
        return answer_to(len(columns), task).records(*columns)
    # Of pairs, if the model takes any: entailment is asked of a text and a label.
    return ZeroShot(answer_to(2, task), labels, template, several).records(*columns)
