"""ALBERT (Lan et al. 2020, arXiv 1909.11942): BERT with shared blocks and narrow embeddings."""

import dataclasses

from bert_tf.encoders import parts
from bert_tf.encoders.checks import check_groups
from bert_tf.encoders.config import EncoderConfig
from bert_tf.encoders.family import Family, Published
from bert_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class AlbertConfig(EncoderConfig):
    """The sizes of an ALBERT, under the names of every albert_config.json; by default xxlarge's.

    `num_hidden_groups`: how many sets of weights the layers share, in runs of equal length.
    `inner_group_num`: the blocks in a set, which a layer runs one after the other.
    `classifier_dropout` is `classifier_dropout_prob` in files.
    """

    vocab_size: int = 30000
    hidden_size: int = 4096
    num_attention_heads: int = 64
    intermediate_size: int = 16384
    hidden_act: str = "gelu_new"
    hidden_dropout_prob: float = 0.0
    attention_probs_dropout_prob: float = 0.0
    classifier_dropout: float = 0.1
    embedding_size: int = 128
    num_hidden_groups: int = 1
    inner_group_num: int = 1

    model_type = "albert"
    own_sizes = ("attention_head_size", "linear_rank")

    def __post_init__(self):
        super().__post_init__()
        if self.classifier_dropout is None:
            raise InputError("classifier_dropout: None, wanted a share from 0 to below 1")
        check_groups(self)

    @classmethod
    def told(cls, values):
        """As EncoderConfig's."""
        if "classifier_dropout_prob" in values:
            values = values | {"classifier_dropout": values["classifier_dropout_prob"]}
        return super().told(values)

    def to_dict(self):
        """As EncoderConfig's."""
        values = super().to_dict()
        values["classifier_dropout_prob"] = values.pop("classifier_dropout")
        return values


def _size(layers, width, version):
    # Version 1 was trained with dropout, but for xxlarge, and with the exact GELU in Hugging Face's
    # files; version 2 without dropout and with the tanh form.
    dropout = 0.1 if version == 1 and width < 4096 else 0.0
    return AlbertConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=16 if width == 2048 else width // 64,
        intermediate_size=4 * width,
        hidden_act="gelu" if version == 1 else "gelu_new",
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )


_PUBLISHED = (
    ("base", 12, 768),
    ("large", 24, 1024),
    ("xlarge", 24, 2048),
    ("xxlarge", 12, 4096),
)
# Every ALBERT that Google published (google-research/albert, README.md), the Chinese ones last: of
# words as BERT's, with other activation, and wide ones that began with smaller weights.
SIZES = {
    f"albert-{name}-v{version}": _size(layers, width, version)
    for version in (1, 2)
    for name, layers, width in _PUBLISHED
} | {
    f"albert-{name}-zh": dataclasses.replace(
        _size(layers, width, 2),
        vocab_size=21128,
        num_attention_heads=min(width // 64, 16),
        hidden_act="relu",
        initializer_range={2048: 0.014, 4096: 0.01}.get(width, 0.02),
    )
    for name, layers, width in _PUBLISHED
}

ALBERT = Family(
    config=AlbertConfig,
    sizes=SIZES,
    # Its second objective in pretraining (section 3.1).
    published=lambda config: Published(sentence_objective="sentence_order"),
    embeddings=parts.embeddings,
    # There even where the two widths are equal, as in transformers' `AlbertTransformer`.
    embeddings_projection=parts.embeddings_projection,
    blocks=parts.shared_blocks,
    groups=parts.groups_of,
    masked_lm_head=parts.masked_lm_head,
)
