"""What a model that writes texts makes of a table, beside what was wanted."""

import importlib.util

from absl import logging

from bert_tf.tasks.text_metrics import text_metrics

# Texts that are written together.
ROWS_AT_ONCE = 32
_PACKAGES = ("sacrebleu", "rouge_score")


def written_figures(model, tokenizer, table):
    """BLEU, chrF and ROUGE of a table's targets.

    Args:
      model: TaskModel.
      tokenizer: Tokenizer.
      table: Table.
    Returns:
      dict, ready for JSON; empty of a model that writes nothing, of a table without targets, and,
      which one warning tells, where the packages are not installed.
    """
    if not hasattr(model, "generate") or "target" not in table.cells([0]):
        return {}
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        logging.warning("no BLEU, chrF and ROUGE: %s is not installed", " and ".join(missing))
        return {}
    written, wanted = [], []
    for start in range(0, len(table), ROWS_AT_ONCE):
        cells = table.cells(range(start, min(start + ROWS_AT_ONCE, len(table))))
        written += model.generate(list(cells["text"]), tokenizer)
        wanted += list(cells["target"])
    return text_metrics(written, wanted)
