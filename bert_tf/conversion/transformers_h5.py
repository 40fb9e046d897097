"""tf_model.h5, the weights of transformers 4's TensorFlow classes, under PyTorch's names.

Those classes were written beside PyTorch's, and their variables are called as its tensors are: the
path `bert/encoder/layer_._0/output/dense/kernel:0` is `bert.encoder.layer.0.output.dense.weight`.
So a family's table for Hugging Face reads them too, and only the rules stand here. Source:
transformers 4.57 `modeling_tf_pytorch_utils.py`.
"""

import re

import numpy as np

from bert_tf.conversion.hdf5_file import read_hdf5
from bert_tf.conversion.table import StoredTensor
from bert_tf.errors import InputError, shown_name

# The last word of a variable's name -> of PyTorch's.
WORDS = {"kernel": "weight", "gamma": "weight", "embeddings": "weight", "beta": "bias"}
# A name -> the one that was read in its place, where both are there: ALBERT's masked-LM head makes
# two biases and adds the second.
UNREAD = {"predictions.bias": "predictions.decoder.bias"}
# The output matrix of MobileBERT's head, a variable of its own there, and the table that PyTorch's
# is tied to.
OWN_MATRIX = ("cls.predictions.decoder.weight", "mobilebert.embeddings.word_embeddings.weight")


def with_own_matrix(config, tensors):
    """A config and tensors that say of MobileBERT's head what the file does.

    Args:
      config: dict.
      tensors: dict of PyTorch's name to StoredTensor, of a tf_model.h5.
    Returns:
      (dict, dict): where the head has another matrix than the words', `tie_word_embeddings` is
      false, and the bias that is added bears the name that an untied one has in PyTorch.
    """
    matrix, words = (tensors.get(name) for name in OWN_MATRIX)
    if matrix is None or words is None or matrix.shape != words.shape:
        return config, tensors
    if np.array_equal(matrix.read(), words.read()):
        return config, tensors
    bias = tensors.get("cls.predictions.bias")
    added = {} if bias is None else {"cls.predictions.decoder.bias": bias}
    return config | {"tie_word_embeddings": False}, tensors | added


def read_tf_h5(path):
    """Describe the variables of a tf_model.h5, or of one of its shards.

    A shared variable stands in the file once for each layer that has it; the copies must be equal.

    Args:
      path: str or Path.

    Returns:
      dict of PyTorch's name to StoredTensor, laid out as PyTorch has it.

    Raises:
      InputError: the file is damaged, as in `read_hdf5`; or copies of a variable differ.
    """
    stored, attributes = read_hdf5(path)
    # A whole file keeps each layer in a group, and in it the names with the model's before them.
    levels = 2 if "layer_names" in attributes else 0
    tensors = {}
    for place, tensor in stored.items():
        name = torch_name(place, levels)
        laid_out = _laid_out(tensor, place)
        tensors[name] = _equal(tensors[name], laid_out, name) if name in tensors else laid_out
    for name in [name for name, read in UNREAD.items() if read in tensors]:
        tensors.pop(name, None)
    return tensors


def torch_name(place, levels=1):
    """What PyTorch calls a variable of transformers' TensorFlow classes.

    Args:
      place: str, its name, such as `tf_bert_model/bert/pooler/dense/kernel:0`.
      levels: int, how many words before the first slashes to drop: the model's is one.
    Returns:
      str.
    """
    parts = re.sub(r":\d+$", "", place).split("/")
    # A layer list's item is one word, `layer_._0`; of `mlm___cls` the second part is the name.
    parts = [part.split("___")[-1].replace("_._", ".") for part in parts[levels:] or parts[-1:]]
    return ".".join([*parts[:-1], WORDS.get(parts[-1], parts[-1])])


def _laid_out(tensor, place):
    """A variable laid out as PyTorch's tensor: kernels are [out, in], biases have one axis."""
    kind, shape = re.sub(r":\d+$", "", place).split("/")[-1], tensor.shape
    if kind == "kernel" and len(shape) == 2:
        return tensor._replace(shape=shape[::-1], read=lambda: tensor.read().T)
    if kind == "bias" and len(shape) == 2 and shape[0] == 1:  # GPT-2's
        return tensor._replace(shape=shape[1:], read=lambda: tensor.read()[0])
    return tensor


def _equal(first, copy, name):
    """One StoredTensor of two that have to be the same."""

    def read():
        array = first.read()
        if copy.shape != first.shape or not np.array_equal(array, copy.read()):
            raise InputError(f"{first.file}: {shown_name(name)} is there twice, with other numbers")
        return array

    return StoredTensor(first.file, first.shape, first.dtype, read)
