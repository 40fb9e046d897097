"""The language of each row, whose vector an encoder adds to its tokens (Lample & Conneau 2019).

A table tells it by name, in the optional column `language`; the setting `languages` of a model says
which of the encoder's vectors each name has.
"""

from bert_tf.conversion.data_settings import check_languages as check_numbers
from bert_tf.errors import InputError, shown
from bert_tf.outlines import LANGUAGE as COLUMN

SETTING = "languages"


def check_languages(languages, config):
    """Refuses names or numbers of languages that a model cannot have.

    Args:
      languages: dict of name -> number.
      config: a family's config.
    Raises:
      InputError: it is no such dict, or the model has no such vectors.
    """
    check_numbers(languages, SETTING)
    rows = getattr(config, "num_languages", None)
    if not rows:
        raise InputError(
            f"{SETTING}: {shown(languages)}, and the model has no vectors of languages, which "
            "num_languages of its config would tell"
        )
    for name, number in languages.items():
        if number >= rows:
            raise InputError(f"{SETTING}.{name}: {number}, the model has languages 0 to {rows - 1}")


def check_language(name, languages):
    """Raises InputError for the name of a language, str, that has no number."""
    if name not in languages:
        raise InputError(f"{COLUMN} {shown(name)}, wanted {' or '.join(languages)}")


def with_languages(features, languages):
    """A task's features with the number of its language at every token.

    Args:
      features: function of cells, in TensorFlow -> (inputs, labels); inputs has `input_ids`, int32
        [N, ..., L], or of windows [W, L] and `rows` [W], the row that each is of.
      languages: dict of name -> number.
    Returns:
      the same, with `language_ids` of the shape of `input_ids` where there is a cell `language`,
      string [N]; in the graph another name is an error.
    """

    def function(cells):
        inputs, labels = features(cells)
        if COLUMN not in cells:
            return inputs, labels
        return {**inputs, "language_ids": _ids(cells[COLUMN], languages, inputs)}, labels

    return function


def _ids(names_N, languages, inputs):
    import tensorflow as tf

    if not languages:
        raise InputError(f"{COLUMN}: given, and the model was told no {SETTING}")
    same_NK = names_N[:, None] == tf.constant(list(languages))
    wanted = f"{COLUMN}: wanted {' or '.join(languages)}"
    known = tf.debugging.assert_equal(tf.reduce_any(same_NK, axis=1), True, wanted)
    with tf.control_dependencies([] if known is None else [known]):
        places_N = tf.argmax(tf.cast(same_NK, tf.int32), axis=1)
    numbers_N = tf.gather(tf.constant(list(languages.values()), tf.int32), places_N)
    if "rows" in inputs:
        numbers_N = tf.gather(numbers_N, inputs["rows"])
    ids = inputs["input_ids"]
    return tf.zeros_like(ids) + tf.reshape(numbers_N, [-1, *[1] * (ids.shape.rank - 1)])
