"""Which task a run of pretraining trains, and what it takes over from an earlier one."""

from bert_tf.errors import InputError
from bert_tf.tasks.bidirectional_lm import BidirectionalLM
from bert_tf.tasks.blank_infilling import BlankInfilling
from bert_tf.tasks.causal_lm import CausalLM
from bert_tf.tasks.electra_pretraining import ElectraPretraining
from bert_tf.tasks.masked_lm import MaskedLM
from bert_tf.tasks.pretraining import Pretraining
from bert_tf.tasks.seq2seq import Seq2Seq
from bert_tf.tasks.skip_gram import SkipGram

# Objectives of tasks that have more than heads beside their encoder: name -> (task, its name).
WHOLE = {"denoising": (Seq2Seq, "seq2seq")}
# Tasks whose heads pretraining goes on with.
_PRETRAINED = (
    MaskedLM,
    BlankInfilling,
    Pretraining,
    ElectraPretraining,
    CausalLM,
    SkipGram,
    BidirectionalLM,
)
# The parts beside the encoder that a checkpoint may hold, as messages call them.
_PARTS = {
    "masked_lm_head": "head for masked words",
    "next_word_head": "head for next words",
    "context_head": "vectors of neighbours",
    "sentence_head": "head for sentences",
    "head": "head for replaced tokens",
    "generator": "generator",
}


def pretrains(name):
    """bool, whether files of a task, its class's name or None, hold heads to go on with."""
    return name in [kind.__name__ for kind in _PRETRAINED]


def task_for(words, encoder, source, sentences, labels, generator_sizes, sampled_words=None):
    """The task of an objective, with fresh heads.

    Args:
      words: str, a value of `objective.words`.
      encoder: the encoder to train.
      source: the task model of a checkpoint, or None.
      sentences: str, the objective over sentences, "none" for none.
      labels: dict of further labels, see Pretraining, or None.
      generator_sizes: function from the config of the discriminator, or of the generator of
        `source`, to that of the generator.
      sampled_words: int or None, see BidirectionalLM.
    Returns:
      A TaskModel.
    Raises:
      InputError: the encoder's family has no such objective.
    """
    if words == "bidirectional_lm":
        return BidirectionalLM(encoder, sampled_words)
    alone = {"causal_lm": CausalLM, "skip_gram": SkipGram}
    if words in alone:
        return alone[words](encoder)
    if words in ("masked_lm", "blank_infilling"):
        if sentences == "none" and not labels:
            return MaskedLM(encoder) if words == "masked_lm" else BlankInfilling(encoder)
        return Pretraining(encoder, sentences, labels)
    theirs = getattr(source, "generator", None)
    if not encoder.published.replaces_tokens:
        family = encoder.config.model_type
        raise InputError(f"the encoder of family {family} has no generator; wanted one that has")
    sizes = generator_sizes(encoder.config if theirs is None else theirs.encoder.config)
    return ElectraPretraining(encoder, MaskedLM(encoder.generator(sizes)))


def take_heads(model, source):
    """Gives a model the heads that the task model of a checkpoint has.

    Args:
      model: TaskModel.
      source: TaskModel or None.
    Returns:
      list of str, the heads that stay as they were initialized.
    """
    fresh = []
    for name, title in _PARTS.items():
        ours, theirs = getattr(model, name, None), getattr(source, name, None)
        if ours is None or not ours.weights:  # an output matrix that is that of the words
            continue
        same = theirs is not None and _shapes(ours) == _shapes(theirs)
        if name == "sentence_head" and same:
            same = model.sentence_objective == source.sentence_objective
        if same:
            for variable, value in zip(ours.weights, theirs.weights, strict=True):
                variable.assign(value)
        else:
            fresh.append(title)
    labels = getattr(model, "extra_labels", None) or {}
    # A cloze question is answered by the head for masked words.
    return fresh + [f"head for {name}" for name in labels if labels[name]["of"] != "cloze"]


def _shapes(part):
    return [tuple(variable.shape) for variable in part.weights]
