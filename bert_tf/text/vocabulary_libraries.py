"""Vocabularies that other libraries train: byte-level BPE (`tokenizers`), SentencePiece's kinds."""

import dataclasses
import io
import itertools
import json
import pathlib
import unicodedata

from bert_tf.errors import ConfigError, InputError

KINDS = ("bpe", "unigram", "sentencepiece_bpe")
_ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
_ALBERT = ["[CLS]", "[SEP]", "[MASK]"]
_BYTES = len(_ROBERTA) + 256  # what every byte-level BPE begins with
# `tokenizers` takes memory for as many entries as it is told; text gives no more than this.
_MOST = 2**22
_LONGEST = 2**30  # bytes of a text; SentencePiece leaves out those over 4,192 if it is not told


def train(texts, folder, kind, size, min_frequency=2, lowercase=False, byte_fallback=False):
    """Train a vocabulary and write a folder that `Tokenizer.from_pretrained` reads.

    "bpe" is read as RoBERTa's tokenizer, SentencePiece's kinds as ALBERT's.

    Args:
      texts: iterable of str.
      folder: str or os.PathLike, a directory that is there.
      kind: one of KINDS.
      size: int, entries at most.
      min_frequency: int, how often a pair has to occur for BPE.
      lowercase: bool; of SentencePiece's kinds, lower-case and strip accents.
      byte_fallback: bool; of SentencePiece's kinds, 256 entries are bytes, in which characters
        that are no entry are told. The folder then has a tokenizer.json, with ALBERT's template.
    Raises:
      ConfigError: there is no such kind, the library is missing, or `size` cannot be reached.
      InputError: there is no text.
    """
    if kind not in KINDS:
        raise ConfigError(f"kind: {kind!r}, wanted wordpiece, word or one of {', '.join(KINDS)}")
    if not 1 <= size <= _MOST:
        raise ConfigError(f"size: {size}, wanted 1 to {_MOST}")
    folder, texts = pathlib.Path(folder), (text for text in texts if text.strip())
    try:
        if kind == "bpe":
            import tokenizers as library
        else:
            import sentencepiece as library
    except ImportError as error:
        raise ConfigError(f"kind: {kind} needs {error.name}: pip install bert_tf[vocab]") from None
    if kind == "bpe":
        if byte_fallback:
            raise ConfigError("byte_fallback: bytes are what bpe begins with; wanted none with it")
        if lowercase:
            raise ConfigError("lowercase: bytes have no case; wanted none with bpe")
        if size <= _BYTES:
            raise ConfigError(f"size: {size}, wanted more than the {_BYTES} entries it begins with")
        texts = _some(texts)
        trained = library.ByteLevelBPETokenizer()
        trained.train_from_iterator(
            texts, size, min_frequency, special_tokens=_ROBERTA, show_progress=False
        )
        if not trained.get_vocab_size() > _BYTES:
            raise InputError("the texts hold no pair of bytes to learn a vocabulary from")
        trained.save_model(str(folder))
        config = {"tokenizer_class": "RobertaTokenizer"}
    else:
        content, texts = io.BytesIO(), _some(texts)
        try:
            library.SentencePieceTrainer.train(
                sentence_iterator=map(_bare, texts) if lowercase else texts,
                max_sentence_length=_LONGEST,
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
                byte_fallback=byte_fallback,
            )
        except (RuntimeError, OSError) as error:
            if "required_chars" in str(error) or size <= len(_ALBERT) + 2:
                said = "too few for the special entries and the characters of the texts"
                raise ConfigError(f"size: {size}, {said}") from None
            raise ConfigError(f"size: {size}: sentencepiece: {str(error).strip()}") from None
        (folder / "spiece.model").write_bytes(content.getvalue())
        config = {"tokenizer_class": "AlbertTokenizer"}
        config |= {"do_lower_case": lowercase, "keep_accents": not lowercase}
    text = f"{json.dumps(config, indent=2)}\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")
    if byte_fallback:
        _fall_back_to_bytes(folder)


def _some(texts):
    """The texts again, an iterator; InputError where there is none."""
    texts = iter(texts)
    for first in texts:
        return itertools.chain([first], texts)
    raise InputError("the texts hold no word to learn a vocabulary from")


def _bare(text):
    """A text in lower case and without accents, as ALBERT's tokenizer then reads it."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(x for x in parts if not unicodedata.combining(x)).lower()


def _fall_back_to_bytes(folder):
    """Writes a trained SentencePiece model as a tokenizer.json that falls back to bytes, which
    ALBERT's own tokenizer does not."""
    from bert_tf.text.pipeline_files import read_pipeline, write

    albert, bare = (read_pipeline(str(folder), kind) for kind in ("AlbertTokenizer", "none"))
    decoder = [{"type": "ByteFallback"}, albert.steps["decoder"]]
    steps = {**albert.steps, "decoder": {"type": "Sequence", "decoders": decoder}}
    own = {name: getattr(bare, name) for name in ("model", "merges", "scores")}
    write(dataclasses.replace(albert, **own, steps=steps), folder)
    (folder / "spiece.model").unlink()
