"""How far what goes on inside a student is from its teacher's, a number for each row of tokens.

Each class is one loss. It is made of both encoders and its settings, holds what has to be learned
beside the student, such as a projection to the teacher's width, and `compare`s what goes on in
both: dicts of `encoder`; `inputs`, what it was given; `hidden_states` and `attentions`, as it gave
them. X are the rows of the encoders.
"""

import keras
from keras import ops

from bert_tf.compression.loss_settings import layer_map
from bert_tf.encoders.watching import has_heads, queries_keys_values
from bert_tf.errors import InputError
from bert_tf.layers import LOWEST, Linear, truncated_normal
from bert_tf.tasks.embedding_losses import unit_length
from bert_tf.tasks.losses import mean_there


class Match(keras.layers.Layer):
    """What the losses share.

    Args:
      student, teacher: Encoders.
      settings: dict of the loss, see `loss_settings`.
    """

    def __init__(self, student, teacher, settings):
        super().__init__(dtype="float32")
        self.settings, self.depths = settings, (len(student.blocks), len(teacher.blocks))
        for encoder, whose in ((student, "student"), (teacher, "teacher")):
            if self.of_heads and not has_heads(encoder):
                raise InputError(
                    f"losses.{self.of_heads}: the {whose} is a {encoder.config.model_type}, whose "
                    "layers have no queries, keys and values of heads"
                )
        self.prepare(student.config, teacher.config)
        self.built = True

    def prepare(self, student, teacher):
        """Looks whether two configs fit each other, and makes what is to be learned."""
        raise NotImplementedError

    @property
    def of_heads(self):
        """The loss, str, where it compares queries, keys and values; None: it does not."""
        return None

    def mapped(self, name, first=1, last=None):
        """The layers that are compared, dict of int -> int."""
        return layer_map(name, self.settings["layers"], *self.depths, first, last)

    def require_same(self, name, field, student, teacher):
        """Raises InputError where a field of both configs differs, or is 0."""
        own, theirs = getattr(student, field), getattr(teacher, field)
        if own != theirs or not own:
            raise InputError(
                f"losses.{name}: {field} of the student is {own}, of the teacher {theirs}; wanted "
                "the same, and not 0"
            )


class HiddenStates(Match):
    """The mean squared difference of hidden states, the student's projected to the teacher's width
    where it is another, a sum over layers (Jiao et al. 2020, TinyBERT, arXiv 1909.10351, eq. 8 and
    9). Layer 0 are the embeddings.
    """

    def prepare(self, student, teacher):
        """A projection of the embeddings and one of all other layers, as the paper has them."""
        self.layers_of = self.mapped("hidden", 0)
        self.projections = []
        if student.hidden_size != teacher.hidden_size:
            for _ in range(2):
                initial = truncated_normal(student.initializer_range)
                self.projections.append(Linear(teacher.hidden_size, initial, dtype="float32"))
                self.projections[-1].build((None, student.hidden_size))

    def compare(self, student, teacher, mask_XL):
        """float32 [X]."""
        losses = 0.0
        for own, theirs in self.layers_of.items():
            state = ops.cast(student["hidden_states"][own], "float32")
            wanted = ops.cast(teacher["hidden_states"][theirs], "float32")
            if self.projections:
                flat = ops.reshape(state, (-1, state.shape[-1]))
                projected = self.projections[min(own, 1)](flat)
                state = ops.reshape(projected, ops.shape(wanted))
            each_XL = ops.mean(ops.square(state - wanted), axis=-1)
            losses = losses + mean_there(each_XL, mask_XL)
        return losses


class Attentions(Match):
    """The mean squared difference of attention maps, a sum over layers: of the scores before the
    softmax, or of probabilities (Jiao et al. 2020, eq. 7, which takes the scores). Both sides have
    as many heads. Pairs with padding are left out.
    """

    @property
    def of_heads(self):
        return "attentions" if self.settings["of"] == "scores" else None

    def prepare(self, student, teacher):
        """Looks whether there are as many heads."""
        self.layers_of = self.mapped("attentions")
        self.require_same("attentions", "num_attention_heads", student, teacher)

    def compare(self, student, teacher, mask_XL):
        """float32 [X]."""
        pairs_XLL = mask_XL[:, :, None] & mask_XL[:, None]
        losses = 0.0
        for own, theirs in self.layers_of.items():
            maps = self._map(student, own), self._map(teacher, theirs)
            each_XLL = ops.mean(ops.square(maps[0] - maps[1]), axis=1)
            losses = losses + mean_there(each_XLL, pairs_XLL)
        return losses

    def _map(self, seen, layer):
        """float32 [X, N, L, L]."""
        if self.settings["of"] == "probabilities":
            return ops.cast(seen["attentions"][layer - 1], "float32")
        query, key, _ = queries_keys_values(
            seen["encoder"], seen["inputs"], seen["hidden_states"], layer
        )
        return products(query, key)


class Relations(Match):
    """The divergence of self-attention relations of one layer (Wang et al. 2020, MiniLM, arXiv
    2002.10957, eq. 5 to 9; 2021, MiniLMv2, arXiv 2012.15828, eq. 6 to 8).

    A relation is the softmax of the scaled products of the queries, keys or values of all heads cut
    into `heads` anew, so that widths and heads may differ. Version 1 has the pairs query-key and
    value-value and the model's own heads, the last layer on both sides.
    """

    of_heads = "relations"

    def prepare(self, student, teacher):
        """Looks whether both widths can be cut into the heads."""
        heads = self.settings["heads"]
        if heads is None:
            self.require_same("relations", "num_attention_heads", student, teacher)
            heads = student.num_attention_heads
        for config, whose in ((student, "student"), (teacher, "teacher")):
            if config.hidden_size % heads:
                raise InputError(
                    f"losses.relations: heads {heads}, wanted a divisor of the {whose}'s width, "
                    f"{config.hidden_size}"
                )
        self.heads = heads
        names = ("layer", "teacher_layer")
        for name, depth in zip(names, self.depths, strict=True):
            if not 1 <= (self.settings[name] or depth) <= depth:
                raise InputError(
                    f"losses.relations: {name} {self.settings[name]}, wanted 1 to {depth}"
                )
        self.layers_of = [
            self.settings[name] or depth for name, depth in zip(names, self.depths, strict=True)
        ]

    def compare(self, student, teacher, mask_XL):
        """float32 [X], the sum over the pairs."""
        sides = [
            self._sides(seen, layer)
            for seen, layer in zip((student, teacher), self.layers_of, strict=True)
        ]
        losses = 0.0
        for pair in self.settings["pairs"]:
            one, other = pair.split("-")
            own, wanted = (self._logs(x[one], x[other], mask_XL) for x in sides)
            each_XNL = ops.sum(ops.exp(wanted) * (wanted - own), axis=-1)
            losses = losses + mean_there(ops.mean(each_XNL, axis=1), mask_XL)
        return losses

    def _sides(self, seen, layer):
        """Queries, keys and values, each float32 [X, A, L, D / A]."""
        parts = queries_keys_values(seen["encoder"], seen["inputs"], seen["hidden_states"], layer)
        return {
            name: self._cut(part)
            for name, part in zip(("query", "key", "value"), parts, strict=True)
        }

    def _cut(self, part_XNLH):
        shape = ops.shape(part_XNLH)
        width = part_XNLH.shape[1] * part_XNLH.shape[-1]
        part_XLNH = ops.transpose(ops.cast(part_XNLH, "float32"), (0, 2, 1, 3))
        cut = ops.reshape(part_XLNH, (shape[0], shape[2], self.heads, width // self.heads))
        return ops.transpose(cut, (0, 2, 1, 3))

    def _logs(self, one, other, mask_XL):
        allowed = ops.cast(mask_XL[:, None, None], "float32")
        return ops.log_softmax(products(one, other) + (1 - allowed) * LOWEST)


class LastStates(Match):
    """1 - the cosine of both sides' last hidden states, token by token (Sanh et al. 2019,
    DistilBERT, arXiv 1910.01108, section 3)."""

    def prepare(self, student, teacher):
        """Looks whether both are as wide."""
        self.require_same("cosine", "hidden_size", student, teacher)

    def compare(self, student, teacher, mask_XL):
        """float32 [X]."""
        own, wanted = (ops.cast(x["hidden_states"][-1], "float32") for x in (student, teacher))
        return mean_there(1 - ops.sum(unit_length(own) * unit_length(wanted), axis=-1), mask_XL)


class FirstStates(Match):
    """The squared distance of the first token's states at length 1, the mean over layers (Sun et
    al. 2019, patient distillation, arXiv 1908.09355, eq. 6). The last layer, which the answers are
    made of, is left out where no map is given."""

    def prepare(self, student, teacher):
        """Looks whether both are as wide."""
        self.layers_of = self.mapped("patient", last=self.depths[0] - 1)
        self.require_same("patient", "hidden_size", student, teacher)

    def compare(self, student, teacher, mask_XL):
        """float32 [X]."""
        losses = [
            ops.sum(ops.square(self._first(student, own) - self._first(teacher, theirs)), axis=-1)
            for own, theirs in self.layers_of.items()
        ]
        return sum(losses) / len(losses)

    @staticmethod
    def _first(seen, layer):
        return unit_length(ops.cast(seen["hidden_states"][layer][:, 0], "float32"))


# Loss -> its class; the others are about answers.
MATCHES = {
    "hidden": HiddenStates,
    "attentions": Attentions,
    "relations": Relations,
    "cosine": LastStates,
    "patient": FirstStates,
}


def products(one, other):
    """Scaled products of vectors [..., L, H], [..., L, L]."""
    one, other = ops.cast(one, "float32"), ops.cast(other, "float32")
    return ops.matmul(one, ops.swapaxes(other, -1, -2)) * one.shape[-1] ** -0.5
