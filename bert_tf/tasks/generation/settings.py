"""How a text is continued: what may be asked, and what is refused."""

import dataclasses

from bert_tf.errors import InputError, nearest, shown


@dataclasses.dataclass(frozen=True)
class Generation:
    """How words are chosen, one after the other; by default the likeliest one each time.

    The names are those of transformers' GenerationConfig, and so is what they do.

    Attributes:
      max_new_tokens: int, how long a text may grow.
      do_sample: bool, whether words are drawn rather than the likeliest taken.
      temperature: float, by which the logits are divided before a word is drawn.
      top_k: int, a word is one of the k likeliest; None: any.
      top_p: float, a word is one of the likeliest that together have this probability (Holtzman et
        al. 2020, section 3.1); None: any.
      repetition_penalty: float, by which the score of a word that stood there before is divided, or
        multiplied where it is negative (Keskar et al. 2019, section 4.1).
      num_beams: int, how many continuations are kept side by side; 1: no beam search.
      length_penalty: float, a finished text's log-probability is divided by its length to the power
        of this.
      early_stopping: bool, whether the search ends as soon as there are `num_beams` finished texts;
        False: when it is unlikely that a better one comes; "never": when none can come.
      stop: tuple of str; a text ends before the first of these.
      seed: int, of the draws; the word drawn is a function of it, of the step and of the row.
    """

    max_new_tokens: int = 64
    do_sample: bool = False
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float = 1.0
    num_beams: int = 1
    length_penalty: float = 1.0
    early_stopping: bool | str = False
    stop: tuple = ()
    seed: int = 0

    def __post_init__(self):
        most = {"max_new_tokens": 2**31 - 1, "num_beams": 1024, "top_k": 2**31 - 1}
        for name, high in {**most, "seed": 2**63 - 1}.items():
            value, low = getattr(self, name), int(name != "seed")
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not (whole and low <= value <= high) and (name, value) != ("top_k", None):
                wanted = f"a whole number from {low} to {high}"
                raise InputError(f"{name}: {shown(value)}, wanted {wanted}")
        for name in ("temperature", "repetition_penalty", "top_p", "length_penalty"):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            low, high = {"top_p": (0, 1), "length_penalty": (-100, 100)}.get(name, (0, 1e6))
            inside = number and (low < value <= high)
            if not inside and (name, value) != ("top_p", None):
                raise InputError(f"{name}: {shown(value)}, wanted above {low}, at most {high:g}")
        if not isinstance(self.do_sample, bool):
            raise InputError(f"do_sample: {shown(self.do_sample)}, wanted true or false")
        if self.early_stopping not in (True, False, "never"):
            said = shown(self.early_stopping)
            raise InputError(f"early_stopping: {said}, wanted true, false or never")
        listed = isinstance(self.stop, list | tuple)
        if not listed or not all(isinstance(text, str) and text for text in self.stop):
            raise InputError(f"stop: {shown(self.stop)}, wanted a list of texts")
        object.__setattr__(self, "stop", tuple(self.stop))
        if self.do_sample and self.num_beams > 1:
            raise InputError("do_sample: true, wanted false: beams keep the likeliest words")
        drawn = {"temperature": 1.0, "top_k": None, "top_p": None}
        for name, usual in drawn.items():
            if getattr(self, name) != usual and not self.do_sample:
                raise InputError(f"{name}: {getattr(self, name)}, and do_sample is false")


# The names of the attributes, tuple of str.
SETTINGS = tuple(field.name for field in dataclasses.fields(Generation))


def generation_of(values):
    """Generation of a dict of its attributes.

    Raises:
      InputError: there is no such attribute, or it cannot have the value.
    """
    for name in values:
        if name not in SETTINGS:
            near = nearest(name, SETTINGS)
            hint = f" (nearest: {near})" if near else f"; there are {', '.join(SETTINGS)}"
            raise InputError(f"generation: no setting {name!r}{hint}")
    return Generation(**values)
