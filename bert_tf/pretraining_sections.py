"""The sections of pretraining that fine-tuning has not, and the kinds of their values."""

import dataclasses

from bert_tf.compression_sections import TeacherSection
from bert_tf.errors import ConfigError
from bert_tf.sections import FILE_OR_SHARE, SHARE, WARMUP, DistributionSection, TrainSection
from bert_tf.settings import (
    FLAG,
    MAPPING,
    NOT_NEGATIVE,
    POSITIVE,
    WORD,
    Kind,
    is_number,
    one_of,
    optional,
    setting,
    whole,
)

_RATE = Kind("a share from 0 to below 1", lambda v: is_number(v) and 0 <= v < 1, float)
_PART = Kind("a share from 0 to 1", lambda v: is_number(v) and 0 <= v <= 1, float)
_LENGTH = Kind("a number from 1 to 100", lambda v: is_number(v) and 1 <= v <= 100, float)
_FACTORS = Kind(
    "a mapping of losses to numbers, 0 or more",
    lambda value: isinstance(value, dict) and all(map(NOT_NEGATIVE.accepts, value.values())),
    lambda value: {str(name): float(factor) for name, factor in value.items()},
)
_LABELS = Kind(
    "a mapping of columns of the records to {of: sentence, token or cloze, num_labels: 2 or more}",
    lambda value: (
        isinstance(value, dict)
        and all(
            isinstance(label, dict)
            and set(label) == {"of", "num_labels"}
            and label["of"] in ("sentence", "token", "cloze")
            and whole(2).accepts(label["num_labels"])
            for label in value.values()
        )
    ),
    dict,
)


@dataclasses.dataclass(frozen=True)
class StartSection:
    """What pretraining begins with: a checkpoint, or fresh weights of some size."""

    # one of: a model directory or checkpoint; a published size, such as bert-mini; a family
    path: str | None = setting(optional(WORD), None)
    size: str | None = setting(optional(WORD), None)
    family: str | None = setting(optional(WORD), None)
    changes: dict = setting(MAPPING, {})  # fields of the encoder's configuration to change
    generator: dict = setting(MAPPING, {})  # the same of the generator beside a discriminator
    options: dict = setting(MAPPING, {})  # of denoising: arguments of the task, such as its decoder
    tokenizer: str | None = setting(optional(WORD), None)  # a folder; null: that of model.path
    # Fresh weights whose first block looks at neighbours: worth much to runs of some minutes.
    positional_heads: bool = setting(FLAG, False)

    def __post_init__(self):
        """One beginning, and a tokenizer with fresh weights."""
        given = [x for x in ("path", "size", "family") if getattr(self, x) is not None]
        if len(given) != 1:
            shown = " and ".join(f"model.{key} {getattr(self, key)}" for key in given) or "none"
            raise ConfigError(f"wanted one of model.path, model.size, model.family, got {shown}")
        if self.path is None and self.tokenizer is None:
            raise ConfigError("model.tokenizer is None, wanted a folder: there is no model.path")
        if self.path is not None and self.positional_heads:
            raise ConfigError(
                f"model.positional_heads is for fresh weights, and model.path is {self.path}; "
                "wanted one of them"
            )


# What may be predicted of words.
WORDS = ("masked_lm", "replaced_tokens", "causal_lm", "blank_infilling", "skip_gram")
WORDS += ("bidirectional_lm", "denoising")
# Those that hide words, as `masking` says, and may be disturbed by noise.
HIDING = ("masked_lm", "replaced_tokens", "blank_infilling")


@dataclasses.dataclass(frozen=True)
class ObjectiveSection:
    """What is predicted."""

    # masked_lm: the masked words; replaced_tokens: which words a generator put in (ELECTRA), which
    # nothing else of this section stands beside; causal_lm: every next word, of families that read
    # from left to right; blank_infilling: masked spans, word by word (GLM); skip_gram: the words
    # near each word, of families of words alone (Word2Vec); bidirectional_lm: every next word
    # and every one before, each from its side (ELMo); denoising: a decoder writes the row that an
    # encoder reads with noise, as `denoising` says (BART)
    words: str = setting(one_of(*WORDS), "masked_lm")
    # null: what the records were made for; none: their labels are left aside
    sentences: str | None = setting(
        optional(one_of("next_sentence", "sentence_order", "sentence_order_3", "none")), None
    )
    # null: those that the records tell of; {}: none
    extra_labels: dict | None = setting(optional(_LABELS), None)
    loss_factors: dict = setting(_FACTORS, {})  # what each loss counts for, where it is not 1
    # Of bidirectional_lm: with how many words, drawn anew in each step, the right ones are compared
    # in training, for large vocabularies, frequent words first; null: with all
    sampled_words: int | None = setting(optional(whole(1)), None)
    # How far words' vectors are moved to where the loss is higher, to be right there too; null: not
    adversarial: float | None = setting(optional(POSITIVE), None)

    def __post_init__(self):
        """What an objective has no use for is not given."""
        if self.sampled_words is not None and self.words != "bidirectional_lm":
            raise ConfigError(
                f"objective.sampled_words is {self.sampled_words} and objective.words "
                f"{self.words}, wanted null: bidirectional_lm alone draws words"
            )


@dataclasses.dataclass(frozen=True)
class Masking:
    """How tokens are masked; see `pretraining_data.masking`.

    Source: Devlin et al. 2019 (arXiv 1810.04805), section 3.1; ALBERT and SpanBERT for the units.
    """

    # The share of a row's real tokens to predict; one at least
    probability: float = setting(SHARE, 0.15)
    max_predictions: int | None = setting(optional(whole(1)), None)  # a row; null: the share of it
    mask_share: float = setting(_PART, 0.8)  # become [MASK]
    random_share: float = setting(_PART, 0.1)  # become another word; the rest stays
    # word: all of its tokens or none; ngram: up to 3 words; span: up to 10 words that are all
    # replaced or all kept
    unit: str = setting(one_of("token", "word", "ngram", "span"), "token")

    def __post_init__(self):
        """The shares are parts of one whole."""
        if self.mask_share + self.random_share > 1 + 1e-9:
            raise ConfigError(
                f"masking.mask_share and masking.random_share are {self.mask_share} and "
                f"{self.random_share}, wanted at most 1 together"
            )


@dataclasses.dataclass(frozen=True)
class Neighbours:
    """How words and their neighbours are drawn; see `pretraining_data.skip_gram`. By default as
    word2vec.c draws them, but that a row's pairs share their noise words."""

    window: int = setting(whole(1), 5)  # the most words between, drawn anew for each word
    negatives: int = setting(whole(1), 5)  # noise words that count for each pair
    noise_words: int = setting(whole(1), 32)  # to draw for a row; they count for as many together
    # The share of all words from which on a word is left out at times; null: none is
    sampling: float | None = setting(optional(SHARE), 1e-3)


@dataclasses.dataclass(frozen=True)
class Denoising:
    """What is done to rows that are to be written clean; see `pretraining_data.denoising`.

    Source: Lewis et al. 2020 (arXiv 1910.13461), section 2.2; by default its text infilling alone.
    """

    infilling: float = setting(_RATE, 0.3)  # the share of the tokens in spans, each of them a mask
    span_length: float = setting(_LENGTH, 3.0)  # in tokens, the mean of a Poisson distribution
    masking: float = setting(_RATE, 0.0)  # how often another token becomes a mask
    deletion: float = setting(_RATE, 0.0)  # how often it is left out
    sentences: bool = setting(FLAG, False)  # whether their order is drawn; . ! ? end one

    def __post_init__(self):
        """There is some noise, and a token is masked or deleted, not both."""
        if self.masking + self.deletion > 1:
            raise ConfigError(
                f"denoising.masking and denoising.deletion are {self.masking} and {self.deletion}, "
                "wanted at most 1 together"
            )
        if not (self.infilling or self.masking or self.deletion or self.sentences):
            raise ConfigError("denoising: nothing is disturbed, wanted infilling or another of it")


@dataclasses.dataclass(frozen=True)
class Noise:
    """How often an ordinary token of the input is disturbed; see `pretraining_data.noise`."""

    insertion: float = setting(_RATE, 0.0)  # another one is put before it
    deletion: float = setting(_RATE, 0.0)
    replacement: float = setting(_RATE, 0.0)

    def __post_init__(self):
        """A token is deleted or replaced, not both."""
        if self.deletion + self.replacement > 1:
            raise ConfigError(
                f"noise.deletion and noise.replacement are {self.deletion} and {self.replacement}, "
                "wanted at most 1 together"
            )


@dataclasses.dataclass(frozen=True)
class PhaseSection:
    """A part of pretraining with records of its own. What is null is as in `train`."""

    records: str = setting(WORD)  # a folder or a glob
    validation: str | float = setting(FILE_OR_SHARE, 0.01)  # held out: records, or a share of them
    epochs: int | None = setting(optional(whole(1)), None)
    steps: int | None = setting(optional(whole(1)), None)
    batch_size: int | None = setting(optional(whole(1, 2**20)), None)
    accumulate: int | None = setting(optional(whole(1)), None)
    learning_rate: float | None = setting(optional(POSITIVE), None)
    warmup: float | None = setting(optional(WARMUP), None)
    packing: bool = setting(FLAG, False)  # several short examples in a row

    def settings(self, train):
        """The `train` section as it is in this phase."""
        given = {
            name: getattr(self, name)
            for name in ("epochs", "steps", "batch_size", "accumulate", "learning_rate", "warmup")
            if getattr(self, name) is not None
        }
        if "epochs" in given:
            given.setdefault("steps", None)
        return dataclasses.replace(train, **given)


def check_words(words, masking, noise, skip_gram, denoising, packed):
    """Refuses what an objective over words does not look at, or cannot have beside it.

    Args:
      words: str, one of WORDS.
      masking, noise, skip_gram, denoising: Masking, Noise, Neighbours, Denoising.
      packed: bool, whether any phase packs its rows.
    Raises:
      ConfigError: such a section or setting is given.
    """
    own = " by it: wanted denoising" if words == "denoising" else ""
    if words not in ("masked_lm", "replaced_tokens") and noise != Noise():
        raise ConfigError(f"noise is given and objective.words {words}, which has none{own}")
    if words not in HIDING and masking != Masking():
        raise ConfigError(f"masking is given and objective.words {words}, which hides nothing{own}")
    if words != "skip_gram" and skip_gram != Neighbours():
        raise ConfigError(f"skip_gram is given and objective.words {words}")
    if words != "denoising" and denoising != Denoising():
        raise ConfigError(f"denoising is given and objective.words {words}")
    changed = {"blank_infilling": "grow", "skip_gram": "lose words", "denoising": "are shortened"}
    if words in changed and packed:
        raise ConfigError(
            f"phases: packing is true and objective.words {words}, whose rows {changed[words]}"
        )


_PHASES = Kind("a list of phases, each with its records", lambda value: False)


@dataclasses.dataclass(frozen=True)
class PretrainConfig:
    """Every setting of `bert-tf pretrain`."""

    model: StartSection
    phases: tuple[PhaseSection, ...] = setting(_PHASES)
    objective: ObjectiveSection = ObjectiveSection()
    masking: Masking = Masking()
    noise: Noise = Noise()
    skip_gram: Neighbours = Neighbours()
    denoising: Denoising = Denoising()
    train: TrainSection = TrainSection()
    distribution: DistributionSection = DistributionSection()
    distillation: TeacherSection = TeacherSection()

    def __post_init__(self):
        """What two keys must agree on; `load` puts the file's name before the message."""
        words = self.objective.words
        teacher = self.distillation.teacher
        untaught = {"replaced_tokens": "a generator's words are not the teacher's"}
        untaught["denoising"] = "its decoder is taught by fine-tuning alone"
        if teacher is not None and words in untaught:
            raise ConfigError(
                f"distillation.teacher is {teacher} and objective.words {words}, wanted another: "
                f"{untaught[words]}"
            )
        if self.model.options and words != "denoising":
            raise ConfigError(
                f"model.options is {self.model.options} and objective.words {words}, wanted "
                "denoising with it"
            )
        replaced = words == "replaced_tokens"
        if self.model.generator and not replaced:
            raise ConfigError(
                f"model.generator is {self.model.generator} and objective.words "
                f"{words}, wanted replaced_tokens with it"
            )
        for key in ("sentences", "extra_labels", "adversarial"):
            value = getattr(self.objective, key)
            if words != "masked_lm" and value not in (None, "none", {}):
                raise ConfigError(
                    f"objective.{key} is {value} and objective.words {words}, "
                    "which has none beside it"
                )
        for key in ("insertion", "replacement"):
            rate = getattr(self.noise, key)
            if replaced and rate:
                raise ConfigError(
                    f"noise.{key} is {rate} and objective.words replaced_tokens, wanted 0 with it: "
                    "such tokens would count as original ones"
                )
        packed = any(phase.packing for phase in self.phases)
        hidden = self.masking, self.noise, self.skip_gram, self.denoising
        check_words(words, *hidden, packed)
        if self.train.class_weights is not None:
            raise ConfigError("train.class_weights is given, wanted null: it is for fine-tuning")
        own = [phase.steps is not None or phase.epochs is not None for phase in self.phases]
        if self.train.steps is not None and all(own):
            raise ConfigError(
                f"train.steps is {self.train.steps}, and every phase has steps or epochs of its "
                "own; wanted one of them: --set phases.1.steps=NUMBER changes a phase"
            )
        for number, phase in enumerate(self.phases, 1):
            train = phase.settings(self.train)
            if train.batch_size % train.accumulate:
                raise ConfigError(
                    f"phases.{number}: accumulate is {train.accumulate}, wanted a divisor of "
                    f"batch_size, {train.batch_size}"
                )
