"""Word2Vec's names in our own format; and the files of word vectors, read as such a model.

No other package has the family; what they read are the vectors, see word2vec_file.py.
"""

import json
import re

import numpy as np

from bert_tf.conversion import word2vec_file
from bert_tf.conversion.family import Family, Layout, own_layout
from bert_tf.conversion.table import Row, StoredTensor

_WORDS = "embeddings.word_embeddings"
# What texts are marked and filled up with; word vectors come without.
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

WORD2VEC = Family(
    encoder_class="Word2VecModel",
    classes={},
    pooled=(),
    layouts={"bert_tf": own_layout(Layout((Row(_WORDS, _WORDS),), {}, ""))},
    sizes={"vocab_size": (_WORDS, 0), "hidden_size": (_WORDS, 1)},
)

vectors_at = word2vec_file.find


def read_vectors_at(place):
    """A file of word vectors as a model in our own format: the special tokens that it lacks stand
    before its words, their vectors zeros.

    Args:
      place: Path, the file or its folder.
    Returns:
      (dict, the config; dict of name to StoredTensor; Path of the file).
    Raises:
      InputError: as `read_word_vectors`.
    """
    file = vectors_at(place)
    words, vectors = word2vec_file.read_word_vectors(file)
    vectors = np.concatenate([np.zeros((len(_missing(words)), vectors.shape[1]), "f4"), vectors])
    config = {
        "model_type": "bert_tf",
        "bert_tf": {"family": "word2vec"},
        "vocab_size": vectors.shape[0],
        "hidden_size": vectors.shape[1],
    }
    tensor = StoredTensor(str(file), vectors.shape, "float32", lambda: vectors)
    return config, {_WORDS: tensor}, file


def write_vocabulary(file, folder):
    """Write the words of a file of word vectors as vocab.txt and tokenizer_config.json. A word that
    no line can hold has an empty one.

    Args:
      file, folder: Path.
    """
    words = word2vec_file.words_of(file)
    words = [*_missing(words), *words]
    lines = ["" if word != word.rstrip() or re.search(r"[\n\r]", word) else word for word in words]
    (folder / "vocab.txt").write_bytes("".join(f"{line}\n" for line in lines).encode())
    # As they are spelled: with capitals if any word has one, and with accents.
    ordinary = set(words) - set(_SPECIAL)
    config = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": not any(word != word.lower() for word in ordinary),
        "strip_accents": False,
    }
    (folder / "tokenizer_config.json").write_text(f"{json.dumps(config, indent=2)}\n", "utf-8")


def _missing(words):
    held = set(words)
    return [token for token in _SPECIAL if token not in held]
