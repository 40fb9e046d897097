"""ALBERT (Lan et al. 2020, arXiv 1909.11942): BERT with shared blocks and narrow embeddings."""

import dataclasses

from bert_tf.encoders.bert import BertConfig, BertEncoder
from bert_tf.errors import InputError
from bert_tf.layers import EncoderBlock


@dataclasses.dataclass(frozen=True)
class AlbertConfig(BertConfig):
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
    # There even where the two widths are equal, as in transformers' `AlbertTransformer`.
    projects_embeddings = True

    def __post_init__(self):
        super().__post_init__()
        if self.classifier_dropout is None:
            raise InputError("classifier_dropout: None, wanted a share from 0 to below 1")
        if self.num_hidden_groups > self.num_hidden_layers:
            raise InputError(
                f"num_hidden_groups: {self.num_hidden_groups}, wanted "
                f"num_hidden_layers: {self.num_hidden_layers} or fewer"
            )

    @classmethod
    def from_dict(cls, values):
        """As BertConfig's."""
        if "classifier_dropout_prob" in values:
            values = values | {"classifier_dropout": values["classifier_dropout_prob"]}
        return super().from_dict(values)

    def to_dict(self):
        """As BertConfig's."""
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


# Every English ALBERT that Google published (google-research/albert, README.md).
SIZES = {
    f"albert-{name}-v{version}": _size(layers, width, version)
    for version in (1, 2)
    for name, layers, width in (
        ("base", 12, 768),
        ("large", 24, 1024),
        ("xlarge", 24, 2048),
        ("xxlarge", 12, 4096),
    )
}


class AlbertEncoder(BertEncoder):
    """BERT's encoder, whose layers are run with the weights of a few.

    Its `blocks` name each layer's block in the order they are run, the same one many times over.

    Args: as BertEncoder.
    """

    # Its second objective in pretraining (section 3.1).
    published_sentence_objective = "sentence_order"

    def _new_blocks(self):
        config, policy = self.config, self.dtype_policy
        layers, count = config.num_hidden_layers, config.num_hidden_groups
        groups = [
            [EncoderBlock.of(config, dtype=policy) for _ in range(config.inner_group_num)]
            for _ in range(count)
        ]
        return [block for layer in range(layers) for block in groups[layer * count // layers]]

    @property
    def groups(self):
        """The blocks as files name them, each once: list of groups, a group a list of blocks."""
        layers, count = self.config.num_hidden_layers, self.config.num_hidden_groups
        inner = self.config.inner_group_num
        # Rounded up: the first layer that `_new_blocks` gives to the group.
        starts = [-(-group * layers // count) * inner for group in range(count)]
        return [self.blocks[start : start + inner] for start in starts]
