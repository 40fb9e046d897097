"""Tokenizers that other homes keep under names of their own, as the files they are known by here.

TF-Hub's SavedModels hold the vocabulary among their assets and its case in a variable; KerasHub's
presets hold it in assets/tokenizer and its case in a tokenizer.json that is no one else's; OpenAI's
GPT-2 has encoder.json and vocab.bpe; Google's ALBERTs 30k-clean.model or vocab_chinese.txt, some in
assets; a file of word vectors has its words in it.
"""

import contextlib
import json
import shutil
import tempfile
from pathlib import Path

from bert_tf.conversion import openai, word2vec
from bert_tf.conversion.files import TOKENIZER_FILES, read_json
from bert_tf.conversion.model_garden import SAVED_MODEL, is_lowercase

ASSETS = Path("assets") / "tokenizer"
# Names in a preset of KerasHub -> the names everyone else has.
NAMES = {
    "vocabulary.txt": "vocab.txt",
    "vocabulary.json": "vocab.json",
    "merges.txt": "merges.txt",
}
# Names in the downloads of Google's ALBERTs -> the others', and what a file then has to say.
OF_ALBERT = {
    "30k-clean.model": ("spiece.model", {"tokenizer_class": "AlbertTokenizer"}),
    "vocab_chinese.txt": ("vocab.txt", {}),
}
SENTENCE_PIECE = "vocabulary.spm"
SENTENCE_PIECE_NAMES = ("spiece.model", "sentencepiece.bpe.model", "spm.model")
# model_type -> KerasHub's tokenizer and the name of its SentencePiece model elsewhere.
TOKENIZERS = {
    "bert": ("bert.bert_tokenizer", "BertTokenizer", None),
    "albert": ("albert.albert_tokenizer", "AlbertTokenizer", "spiece.model"),
    "electra": ("electra.electra_tokenizer", "ElectraTokenizer", None),
    "roberta": ("roberta.roberta_tokenizer", "RobertaTokenizer", None),
    "xlm-roberta": (
        "xlm_roberta.xlm_roberta_tokenizer",
        "XLMRobertaTokenizer",
        "sentencepiece.bpe.model",
    ),
    "distilbert": ("distil_bert.distil_bert_tokenizer", "DistilBertTokenizer", None),
    "deberta-v2": ("deberta_v3.deberta_v3_tokenizer", "DebertaV3Tokenizer", "spm.model"),
    "gpt2": ("gpt2.gpt2_tokenizer", "GPT2Tokenizer", None),
}


@contextlib.contextmanager
def tokenizer_folder(place):
    """A folder with the tokenizer of a SavedModel or a preset, for as long as it is open.

    Args:
      place: Path.
    Yields:
      Path; None where the tokenizer's files, if there are any, lie as everyone has them.
    Raises:
      InputError: the files are damaged.
    """
    hub = place.is_dir() and (place / SAVED_MODEL).is_file()
    texts = list((place / "assets").glob("*.txt")) if hub else []
    beside = place if place.is_dir() else place.parent
    renamed = all((beside / name).is_file() for name in openai.TOKENIZER_FILES)
    vectors, of_albert = word2vec.vectors_at(place), _of_albert(beside)
    if not (len(texts) == 1 or (place / ASSETS).is_dir() or renamed or vectors or of_albert):
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="bert_tf-") as name:
        folder, more = Path(name), {}
        if vectors:
            lowercase = word2vec.write_vocabulary(vectors, folder)
        elif len(texts) == 1:
            shutil.copyfile(texts[0], folder / "vocab.txt")
            lowercase = is_lowercase(place)
        elif renamed:
            lowercase = None
            for theirs, ours in openai.TOKENIZER_FILES.items():
                shutil.copyfile(beside / theirs, folder / ours)
        elif of_albert:
            lowercase, (ours, more) = None, OF_ALBERT[of_albert.name]
            shutil.copyfile(of_albert, folder / ours)
        else:
            lowercase = _from_preset(place, folder)
        if lowercase is not None:
            more = {"do_lower_case": lowercase}
        if more:
            (folder / "tokenizer_config.json").write_text(json.dumps(more))
        yield folder


def _of_albert(folder):
    """The Path of the vocabulary of a Google ALBERT; None where a tokenizer has a usual name."""
    if any((folder / name).is_file() for name in TOKENIZER_FILES):
        return None
    places = [folder / below / name for name in OF_ALBERT for below in ("", "assets")]
    return next((path for path in places if path.is_file()), None)


def _from_preset(place, folder):
    """Copy the files of a preset's tokenizer; bool or None, whether it says it is lowercase."""
    for theirs, ours in NAMES.items():
        if (place / ASSETS / theirs).is_file():
            shutil.copyfile(place / ASSETS / theirs, folder / ours)
    file = place / "tokenizer.json"
    stored = read_json(file) if file.is_file() else {}
    if (place / ASSETS / SENTENCE_PIECE).is_file():
        names = {kind: name for _, kind, name in TOKENIZERS.values() if name}
        name = names.get(str(stored.get("class_name")), SENTENCE_PIECE_NAMES[0])
        shutil.copyfile(place / ASSETS / SENTENCE_PIECE, folder / name)
    config = stored.get("config")
    lowercase = config.get("lowercase") if isinstance(config, dict) else None
    return lowercase if isinstance(lowercase, bool) else None


def write_preset_tokenizer(source, directory, model_type, lowercase):
    """Write the tokenizer of a folder as a preset of KerasHub has it.

    Args:
      source: Path, the folder with vocab.txt, vocab.json and merges.txt, or a SentencePiece model.
      directory: Path of the preset.
      model_type: str.
      lowercase: bool, for a vocab.txt.
    Returns:
      bool, whether there was one that KerasHub has a class for.
    """
    names = {ours: theirs for theirs, ours in NAMES.items()}
    names |= dict.fromkeys(SENTENCE_PIECE_NAMES, SENTENCE_PIECE)
    there = [name for name in names if (source / name).is_file()]
    if not there or model_type not in TOKENIZERS:
        return False
    (directory / ASSETS).mkdir(parents=True)
    for name in there:
        shutil.copyfile(source / name, directory / ASSETS / names[name])
    module, kind, _ = TOKENIZERS[model_type]
    config = {"name": module.split(".")[1], "trainable": True, "config_file": "tokenizer.json"}
    if "vocab.txt" in there:
        # Accents go with case, as in every published model.
        config |= {"vocabulary": None, "lowercase": lowercase, "strip_accents": lowercase}
    whole = {
        "module": f"keras_hub.src.models.{module}",
        "class_name": kind,
        "config": config,
        "registered_name": f"keras_hub>{kind}",
    }
    (directory / "tokenizer.json").write_text(json.dumps(whole, indent=4) + "\n", "utf-8")
    return True
