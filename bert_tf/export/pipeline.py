"""Texts in, a list of dicts out: the short way to ask any model."""

from bert_tf.export.answer import load_answer

BATCH_ROWS = 32


class Pipeline:
    """What `pipeline` gives; one call answers any number of rows.

    Args:
      answer: Answer.
    """

    def __init__(self, answer):
        self.answer = answer

    def __call__(self, *columns):
        """Answers texts, in batches of like lengths.

        Args:
          *columns: lists of str, one for each column that the model takes, such as the texts and
            their partners.
        Returns:
          list of dicts in the order of the texts: `label` and `probabilities`, `score`, `masks`,
          ..., see the task's `record`.
        Raises:
          InputError: the columns are not those of the model, or a row cannot be answered.
        """
        columns = [list(column) for column in columns]
        sizes = [sum(len(str(column[row])) for column in columns) for row in range(len(columns[0]))]
        ranks = sorted(range(len(sizes)), key=sizes.__getitem__)
        found = [None] * len(ranks)
        for start in range(0, len(ranks), BATCH_ROWS):
            rows = ranks[start : start + BATCH_ROWS]
            records = self.answer.records(*([column[row] for row in rows] for column in columns))
            for row, record in zip(rows, records, strict=True):
                found[row] = record
        return found


def pipeline(directory):
    """Answers texts with a model directory or an export.

    Args:
      directory: str.
    Returns:
      Pipeline, a function of lists of texts.
    Raises:
      InputError: the directory holds no model that answers texts, or cannot be read.
    """
    return Pipeline(load_answer(directory))
