"""DistilBERT (Sanh et al. 2019, arXiv 1910.01108): half of BERT's layers, no types, no pooler."""

import dataclasses
import functools

from bert_tf.encoders import parts
from bert_tf.encoders.checks import check_shares
from bert_tf.encoders.config import EncoderConfig
from bert_tf.encoders.family import Family, Published
from bert_tf.errors import InputError, shown
from bert_tf.layers import FixedPositionEmbeddings, HeadLayer

# Fields of every config that no DistilBERT has -> what its code has in their place.
_NOT_THERE = {"type_vocab_size": 0, "layer_norm_eps": 1e-12, "classifier_dropout": None}


@dataclasses.dataclass(frozen=True)
class DistilBertConfig(EncoderConfig):
    """The sizes of a DistilBERT, by default base's; files have other names for most of them.

    `sinusoidal_pos_embds`: whether the table of positions begins as sines and cosines, and is not
    trained.
    `seq_classif_dropout`, `qa_dropout`: of the heads for sentences and choices, and for spans;
    that for tokens has `hidden_dropout_prob`.
    There are no token types and no `classifier_dropout`, and the norms' epsilon is 1e-12.
    """

    num_hidden_layers: int = 6
    type_vocab_size: int = 0
    sinusoidal_pos_embds: bool = False
    seq_classif_dropout: float = 0.2
    qa_dropout: float = 0.1

    model_type = "distilbert"
    own_sizes = ("attention_head_size", "linear_rank", "word_rank")
    unseen = (
        *(name for name in EncoderConfig.unseen if name not in _NOT_THERE),
        *("seq_classif_dropout", "qa_dropout"),
    )
    names_in_files = {
        "hidden_size": "dim",
        "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads",
        "intermediate_size": "hidden_dim",
        "hidden_act": "activation",
        "hidden_dropout_prob": "dropout",
        "attention_probs_dropout_prob": "attention_dropout",
    }

    def __post_init__(self):
        super().__post_init__()
        for name, wanted in _NOT_THERE.items():
            if getattr(self, name) != wanted:
                value = shown(getattr(self, name))
                raise InputError(f"{name}: {value}, every DistilBERT has {wanted!r}")
        check_shares(self, "seq_classif_dropout", "qa_dropout")

    @classmethod
    def told(cls, values):
        """As EncoderConfig's; what DistilBERT's code does not read is left aside."""
        return super().told({n: x for n, x in values.items() if n not in _NOT_THERE})

    def to_dict(self):
        """As EncoderConfig's."""
        return {name: x for name, x in super().to_dict().items() if name not in _NOT_THERE}


# huggingface/transformers, examples/research_projects/distillation/README.md.
SIZES = {
    f"distilbert-base-{name}": DistilBertConfig(vocab_size=rows)
    for name, rows in (
        ("uncased", 30522),
        ("cased", 28996),
        ("multilingual-cased", 119547),
    )
}


def _published(config):
    """The heads of transformers' classes."""
    return Published(
        has_pooler=False,
        pooling="cls",
        head_layers=(HeadLayer(config.hidden_size, "relu", dropout_rate=0.0),),
        head_dropout=config.seq_classif_dropout,
        span_dropout=config.qa_dropout,
        sentence_objective=None,
    )


def _embeddings(config, dtype):
    if config.sinusoidal_pos_embds and config.word_rank is None:
        return parts.embeddings(config, dtype, kind=FixedPositionEmbeddings)
    return parts.embeddings(config, dtype)


DISTILBERT = Family(
    config=DistilBertConfig,
    sizes=SIZES,
    published=_published,
    embeddings=_embeddings,
    blocks=parts.blocks,
    masked_lm_head=functools.partial(parts.masked_lm_head, idle_bias=False),
)
