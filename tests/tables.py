"""Tables of texts and labels, as most tests want them, and the features of a text classifier."""

from bert_tf import data
from bert_tf.tasks import SequenceClassifier
from bert_tf.tasks.features import features_of

KINDS = {"text": "text", "text_pair": "text", "label": "label"}


def read_table(path, text="text", text_pair=None, label="label", **options):
    """A Table of texts, perhaps of pairs and with labels; options as `data.read_table`."""
    places = {"text": text, "text_pair": text_pair, "label": label}
    return data.read_table(path, places, KINDS, **options)


def text_features(tokenizer, max_length, padding="max_length"):
    """The features of a text classifier."""
    return features_of(SequenceClassifier, tokenizer, {"max_length": max_length}, padding)
