"""Vocabularies that other libraries train: byte-level BPE (`tokenizers`), SentencePiece's kinds."""

import io
import json
import pathlib

from bert_tf.errors import ConfigError, InputError

KINDS = ("bpe", "unigram", "sentencepiece_bpe")
_ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
_ALBERT = ["[CLS]", "[SEP]", "[MASK]"]


def train(texts, folder, kind, size, min_frequency=2, lowercase=False):
    """Train a vocabulary and write a folder that `Tokenizer.from_pretrained` reads.

    "bpe" is read as RoBERTa's tokenizer, SentencePiece's kinds as ALBERT's.

    Args:
      texts: iterable of str.
      folder: str or os.PathLike, a directory that is there.
      kind: one of KINDS.
      size: int, entries at most.
      min_frequency: int, how often a pair has to occur for BPE.
      lowercase: bool; of SentencePiece's kinds, lower-case and strip accents.
    Raises:
      ConfigError: there is no such kind, the library is missing, or `size` cannot be reached.
      InputError: there is no text.
    """
    if kind not in KINDS:
        raise ConfigError(f"kind: {kind!r}, wanted wordpiece or one of {', '.join(KINDS)}")
    folder, texts = pathlib.Path(folder), (text for text in texts if text.strip())
    try:
        if kind == "bpe":
            import tokenizers as library
        else:
            import sentencepiece as library
    except ImportError as error:
        raise ConfigError(f"kind: {kind} needs {error.name}: pip install bert_tf[vocab]") from None
    if kind == "bpe":
        if lowercase:
            raise ConfigError("lowercase: bytes have no case; wanted none with bpe")
        trained = library.ByteLevelBPETokenizer()
        trained.train_from_iterator(
            texts, size, min_frequency, special_tokens=_ROBERTA, show_progress=False
        )
        if not trained.get_vocab_size() > len(_ROBERTA) + 256:
            raise InputError("the texts hold no pair of bytes to learn a vocabulary from")
        trained.save_model(str(folder))
        config = {"tokenizer_class": "RobertaTokenizer"}
    else:
        content = io.BytesIO()
        try:
            library.SentencePieceTrainer.train(
                sentence_iterator=iter(texts),
                model_writer=content,
                vocab_size=size,
                model_type=kind.removeprefix("sentencepiece_"),
                hard_vocab_limit=False,
                minloglevel=2,
                pad_id=0,
                unk_id=1,
                bos_id=-1,
                eos_id=-1,
                control_symbols=_ALBERT,
            )
        except (RuntimeError, OSError) as error:
            raise ConfigError(f"size: {size}: sentencepiece: {str(error).strip()}") from None
        (folder / "spiece.model").write_bytes(content.getvalue())
        config = {"tokenizer_class": "AlbertTokenizer"}
        config |= {"do_lower_case": lowercase, "keep_accents": not lowercase}
    text = f"{json.dumps(config, indent=2)}\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")
