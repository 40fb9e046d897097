"""BERT (Devlin et al. 2019, arXiv 1810.04805)."""

import dataclasses

from bert_tf.encoders import parts
from bert_tf.encoders.config import EncoderConfig
from bert_tf.encoders.family import Family, Published


@dataclasses.dataclass(frozen=True)
class BertConfig(EncoderConfig):
    """The sizes of a BERT, see EncoderConfig; by default base's."""

    model_type = "bert"
    own_sizes = ("attention_head_size", "linear_rank", "word_rank")


def _size(layers, width, vocab_size=30522, heads=None, inner=None):
    return BertConfig(
        vocab_size=vocab_size,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads or width // 64,
        intermediate_size=inner or 4 * width,
    )


# Every BERT that Google published (google-research/bert, README.md), by its usual name, and models
# of others that are BERTs of other sizes, or trained in another way.
SIZES = {
    "bert-tiny": _size(2, 128),
    "bert-mini": _size(4, 256),
    "bert-small": _size(4, 512),
    "bert-medium": _size(8, 512),
    "bert-base-uncased": _size(12, 768),
    "bert-base-cased": _size(12, 768, 28996),
    "bert-base-chinese": _size(12, 768, 21128),
    "bert-base-multilingual-cased": _size(12, 768, 119547),
    "bert-base-multilingual-uncased": _size(12, 768, 105879),
    "bert-large-uncased": _size(24, 1024),
    "bert-large-cased": _size(24, 1024, 28996),
    "bert-large-uncased-whole-word-masking": _size(24, 1024),
    "bert-large-cased-whole-word-masking": _size(24, 1024, 28996),
    # The 24 compact models (Turc et al. 2019, arXiv 1908.08962).
    **{
        f"bert_uncased_L-{layers}_H-{width}_A-{width // 64}": _size(layers, width)
        for layers in (2, 4, 6, 8, 10, 12)
        for width in (128, 256, 512, 768)
    },
    # Jiao et al. 2020, arXiv 1909.10351.
    "TinyBERT_General_4L_312D": _size(4, 312, heads=12, inner=1200),
    "TinyBERT_General_6L_768D": _size(6, 768),
    # Wang et al. 2020, arXiv 2002.10957; half its layers, and over XLM-RoBERTa's vocabulary.
    "MiniLM-L12-H384-uncased": _size(12, 384, heads=12),
    "MiniLM-L6-H384-uncased": _size(6, 384, heads=12),
    "Multilingual-MiniLM-L12-H384": _size(12, 384, 250037, heads=12),
    # Cui et al. 2021, arXiv 1906.08101; those that are named for RoBERTa are BERTs too.
    "chinese-bert-wwm": _size(12, 768, 21128),
    "chinese-bert-wwm-ext": _size(12, 768, 21128),
    "chinese-roberta-wwm-ext": _size(12, 768, 21128),
    "chinese-roberta-wwm-ext-large": _size(24, 1024, 21128),
    "rbt3": _size(3, 768, 21128),
    "rbt4": _size(4, 768, 21128),
    "rbt6": _size(6, 768, 21128),
    "rbtl3": _size(3, 1024, 21128),
    # Cui et al. 2020, arXiv 2004.13922.
    "chinese-macbert-base": _size(12, 768, 21128),
    "chinese-macbert-large": _size(24, 1024, 21128),
}

BERT = Family(
    config=BertConfig,
    sizes=SIZES,
    published=lambda config: Published(),
    embeddings=parts.embeddings,
    blocks=parts.blocks,
    masked_lm_head=parts.masked_lm_head,
    # Which makes it one of the family `transformer`.
    decoder={"is_decoder": True, "add_cross_attention": True},
)
