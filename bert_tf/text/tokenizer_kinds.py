"""Which kind of tokenizer a directory holds, as transformers 5 finds it out.

Source: transformers 5.24, models/auto/tokenization_auto.py: `AutoTokenizer.from_pretrained`.
"""

import os

from bert_tf.text.json_entries import read_json
from bert_tf.text.pipeline_files import KINDS
from bert_tf.text.sentencepiece_kinds import MODEL_FILES, OF_ALBERT

FILE = "TokenizersBackend"
# The tokenizer of a model type where no file names one; "always": whatever class its files name.
_TABLE = """
albert       AlbertTokenizer
deberta-v2   DebertaV2Tokenizer
gpt2         GPT2Tokenizer
modernbert   TokenizersBackend always
roberta      RobertaTokenizer
t5           T5Tokenizer
xlm-roberta  XLMRobertaTokenizer
"""
_OF_MODEL = {line.split()[0]: line.split()[1] for line in _TABLE.split("\n") if line}
_MISNAMED = {line.split()[0] for line in _TABLE.split("\n") if line.endswith("always")}
_GENERIC = (FILE, "PreTrainedTokenizer", "PreTrainedTokenizerFast", "PythonBackend")


def kind_of(path):
    """The class of transformers that a tokenizer is read as.

    Args:
      path: str or os.PathLike, a directory, or a file of it.
    Returns:
      str, one of `pipeline_files.KINDS` or FILE: the tokenizer is what tokenizer.json says; None
      for WordPiece, and where nothing tells.
    Raises:
      InputError: a file cannot be read.
    """
    path = os.fspath(path)
    if not os.path.isdir(path):
        return None
    config = read_json(os.path.join(path, "tokenizer_config.json"))
    model = read_json(os.path.join(path, "config.json"))
    named = config.get("tokenizer_class", str) or model.get("tokenizer_class", str)
    kind = model.get("model_type", str)
    of_model = _OF_MODEL.get(kind)
    if named is None:
        found = of_model
    elif named.removesuffix("Fast") == of_model or kind in _MISNAMED:
        found = of_model
    else:
        found = FILE if named in _GENERIC else named.removesuffix("Fast")
    if found in KINDS and not (named is None and _is_chinese_albert(path, found)):
        return found
    if found not in (None, FILE):  # of WordPiece, or of an ALBERT whose class nothing names
        return None
    whole = read_json(os.path.join(path, "tokenizer.json"))
    if whole:
        return FILE if whole.inner("model").get("type", str) in ("BPE", "Unigram") else None
    there = {name for name in os.listdir(path) if os.path.isfile(os.path.join(path, name))}
    if not there & {"vocab.txt", *MODEL_FILES} and any(
        os.path.isfile(os.path.join(path, name)) for name in OF_ALBERT
    ):
        return "AlbertTokenizer"
    if "vocab.txt" in there:
        return None
    if "vocab.json" in there:
        return "GPT2Tokenizer"
    return FILE if there & set(MODEL_FILES) else None


def _is_chinese_albert(path, found):
    """Whether a vocab.txt lies where an ALBERT would have a SentencePiece model."""
    names = ("tokenizer.json", *MODEL_FILES, *OF_ALBERT)
    others = any(os.path.isfile(os.path.join(path, name)) for name in names)
    there = os.path.isfile(os.path.join(path, "vocab.txt"))
    return found == "AlbertTokenizer" and there and not others
