"""BERT-of-Theseus: a teacher whose layers are replaced by the student's, more and more of them."""

import keras
from keras import ops

from bert_tf.errors import InputError
from bert_tf.layers import fold_in
from bert_tf.layers.dropout import Key

# Of a block's key; the block itself folds 0 to 5 into it.
_PLACE = 7


class Replacing:
    """Which layers stand in a student while it learns (Xu et al. 2020, arXiv 2002.02925, eq. 3 to
    6): each layer of its own with a chance that rises evenly to 1, else those of the teacher that
    it is to do the work of. Outside training it is the student alone.

    The paper freezes embeddings and head while layers are replaced; here they are the student's,
    and learn.

    Args:
      student, teacher: Encoders of one width, the teacher's layers a multiple of the student's.
      start: float from 0 to 1, the chance at first.
      steps: int, the update from which on it is 1.
    Raises:
      InputError: they do not fit.
    """

    def __init__(self, student, teacher, start, steps):
        both = (student, teacher)
        for field in ("hidden_size", "num_attention_heads"):
            own, theirs = (getattr(encoder.config, field) for encoder in both)
            if own != theirs:
                raise InputError(
                    f"replacing: {field} of the student is {own}, of the teacher {theirs}; wanted "
                    "the same"
                )
        kinds = [{(type(x), type(getattr(x, "attention", None))) for x in y.blocks} for y in both]
        if kinds[0] != kinds[1]:
            own, theirs = (encoder.config.model_type for encoder in both)
            raise InputError(
                f"replacing: the layers of the teacher, a {theirs}, are of another make than those "
                f"of the student, a {own}"
            )
        depth = len(student.blocks)
        if not depth or len(teacher.blocks) % depth:
            raise InputError(
                f"replacing: {depth} layers of the student and {len(teacher.blocks)} of the "
                "teacher do not go together evenly"
            )
        self.start, self.steps = start, steps
        each = len(teacher.blocks) // depth
        self.groups = [
            (block, teacher.blocks[place * each : (place + 1) * each])
            for place, block in enumerate(student.blocks)
        ]

    def chance(self, step):
        """How likely a layer is the student's, at an update: a float32 scalar."""
        share = ops.cast(step, "float32") / max(1, self.steps)
        return ops.minimum(self.start + (1.0 - self.start) * share, 1.0)

    def blocks(self, step):
        """What an encoder runs in the place of its blocks, a list of functions called as these."""
        chance = self.chance(step)
        return [_OneOf(own, theirs, chance) for own, theirs in self.groups]


class _OneOf:
    """A block, or the blocks that it is to do the work of."""

    def __init__(self, own, theirs, chance):
        self.own, self.theirs, self.chance = own, theirs, chance
        self.skip = own.skip

    def __call__(self, x, context, key):
        drawn = keras.random.uniform((), seed=Key(fold_in(key, _PLACE)))
        return ops.cond(
            drawn < self.chance,
            lambda: self.own(x, context=context, key=key),
            lambda: self._old(x, context),
        )

    def _old(self, x, context):
        for block in self.theirs:
            x, probs = block(x, context=context, key=None)
        return x, probs
