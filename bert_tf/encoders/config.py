"""The fields that the configs of all families share."""

import dataclasses

from bert_tf.encoders.checks import OWN_SIZES, check_config, unknown_field
from bert_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
    """The sizes of an encoder, under the names of every bert_config.json; by default BERT base's.

    `hidden_act`: "gelu" is the exact form with the error function, "gelu_new" the tanh form that
    Google's code uses since February 2019; see `bert_tf.layers.ACTIVATIONS`.
    `layer_drop_rate`: how often training skips a block. Every family has it, though none was
    published so: it changes nothing but training, and no weight, name or file depends on it.
    `tie_word_embeddings`: whether a head that predicts words has their table as output matrix.
    `attention_head_size`: the width of a head where heads were taken out; None: all of them
    together are as wide as the model. `linear_rank`, `word_rank`: columns of the first of the two
    matrices that stand in the place of one, in each linear layer of a block and as words' table;
    None: it is one. No other package opens a model with any of the three.
    """

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 0
    classifier_dropout: float | None = None
    layer_drop_rate: float = 0.0
    tie_word_embeddings: bool = True
    attention_head_size: int | None = None
    linear_rank: int | None = None
    word_rank: int | None = None

    # Whether positions are counted over what is not `pad_token_id`, see `rows_from_padding`.
    counts_padding = False
    # Field -> what config.json calls it, where that is another name.
    names_in_files = {}
    # Field -> its least value, of those that may be less than 1.
    least = {}
    # Those of the last three that the family may have.
    own_sizes = ()
    # Fields that decide what a trained model answers, or how it is trained on, and that no shape in
    # a file tells: where a file does not say one, somebody has to hear what is taken.
    unseen = (
        *("hidden_act", "layer_norm_eps", "hidden_dropout_prob", "attention_probs_dropout_prob"),
        "initializer_range",
    )
    # Keys of files where null says something.
    nulls = ()

    def __new__(cls, *args, **values):
        """Refuses a field there is not in one line; Python would name no other."""
        for name in values:
            if problem := unknown_field(cls, name):
                raise InputError(problem)
        return super().__new__(cls)

    def __post_init__(self):
        check_config(self)

    @property
    def embedding_size(self):
        """int, the width of the embeddings; families with a narrower one have it as a field."""
        return self.hidden_size

    @property
    def width_of_heads(self):
        """str, the field that all attention heads together are as wide as."""
        return "hidden_size"

    @property
    def head_width(self):
        """int, the width of a head."""
        together = getattr(self, self.width_of_heads)
        return self.attention_head_size or together // self.num_attention_heads

    @property
    def has_own_sizes(self):
        """bool, whether it has one that no other package's config has."""
        return any(getattr(self, name) is not None for name in OWN_SIZES)

    @property
    def longest_row(self):
        """int, how many tokens a row may have; a table of positions may have rows for no token."""
        return self.max_position_embeddings

    @classmethod
    def from_dict(cls, values):
        """The config in a parsed config.json or bert_config.json; other keys are left aside.

        Raises:
          InputError: a value that no model of this family can have.
        """
        return cls(**cls.told(values))

    @classmethod
    def told(cls, values):
        """The fields that a parsed config.json says, under our names, dict; those it leaves to a
        rule of the family's among them.

        Raises:
          InputError: a value that no model of this family can have.
        """
        theirs = cls.names_in_files.items()
        values = {**values, **{name: values[their] for name, their in theirs if their in values}}
        known = {field.name for field in dataclasses.fields(cls)}
        known -= {*OWN_SIZES} - {*cls.own_sizes}
        # Which some files hold though it says nothing.
        if values.get("attention_head_size") == _usual_width(cls, values):
            known.discard("attention_head_size")
        return {name: value for name, value in values.items() if name in known}

    @classmethod
    def key_of(cls, name):
        """What config.json calls a field, str."""
        return cls.names_in_files.get(name, name)

    def to_dict(self):
        """The config as config.json holds it; `layer_drop_rate`, `tie_word_embeddings` and what no
        other package has only where they are not the usual ones."""
        values = dataclasses.asdict(self)
        usual = {"layer_drop_rate": 0.0, "tie_word_embeddings": True, **dict.fromkeys(OWN_SIZES)}
        for name in usual:
            if values[name] == usual[name]:
                del values[name]
        names = self.names_in_files
        values = {names.get(name, name): value for name, value in values.items()}
        return {"model_type": self.model_type, **values}


def _usual_width(config_class, values):
    """The width of a head that a parsed config tells otherwise; None where it tells none."""
    names = ("hidden_size", "num_attention_heads")
    width, heads = (values.get(name, getattr(config_class, name)) for name in names)
    whole = isinstance(width, int) and isinstance(heads, int) and heads > 0
    return width // heads if whole else None
