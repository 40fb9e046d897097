"""What a block is told besides its tokens."""

import dataclasses

from keras import ops

from bert_tf.layers.masks import as_bias
from bert_tf.layers.real_tokens import RealTokens


@dataclasses.dataclass(frozen=True, eq=False)
class Context:
    """What attention and blocks need to know of the tokens x [X, D], X = B * F.

    It is no tuple: Keras would look inside, refuse numbers beside tensors, and cast the bias to low
    precision. Layers take it by keyword, for Keras takes tensors alone by position.

    Attributes:
      batch: int or integer scalar, B.
      length: int or integer scalar, F, the positions of x in each of the B rows.
      mask: bool, broadcastable to [B, N, F, T], True may attend; None: all may.
      bias: float, broadcastable to [B, N, F, T], added to the scores in float32; None: nothing.
      cache: what an attention keeps of earlier positions, such as their keys and values, each
        [B, N, T, H]; None: there are none.
      positions: what the family's attention is told of positions besides, such as `Rotary`; it is
        made once a forward pass, and has no gradient. None: nothing.
      vectors: float [R, D], what blocks read besides x and what has a gradient, such as the vectors
        of distances; None: there are none.
      memory: float [B, S, D], what an encoder gave, to be attended to besides; None: nothing.
      memory_mask: int [B, S], 0 where that is padding.
      wants_probs: bool, whether anybody reads the probabilities; attention whose work is less than
        all pairs gives none otherwise.
      first_only: bool, whether only the first position of each row goes on: all are keys, the
        first alone is a query. Then F of mask and bias is 1.
      real: RealTokens; x is then [R, D], those tokens alone. None: x has the padding too.
    """

    batch: object
    length: object
    mask: object = None
    bias: object = None
    cache: object = None
    positions: object = None
    vectors: object = None
    memory: object = None
    memory_mask: object = None
    wants_probs: bool = True
    first_only: bool = False
    real: object = None

    def without_padding(self, places, groups):
        """This context for the tokens that are no padding.

        A token of a row sees itself at least, so that the mask is a bias, made once for all blocks.

        Args:
          places: int32 [R], see `real_places`.
          groups: int [B, L], the encoder's `attention_mask`.
        """
        real, bias = RealTokens.of(places, groups), as_bias(self.mask)
        return dataclasses.replace(self, mask=None, bias=bias, real=real)

    def for_first(self):
        """This context for a block of whose output only each row's first position is read."""
        mask, bias = (None if x is None else x[:, :, :1] for x in (self.mask, self.bias))
        return dataclasses.replace(self, mask=mask, bias=bias, first_only=True)

    def going_on(self, x):
        """Of x [B * F, D] the positions that go on: all of them, or the first of each row."""
        if not self.first_only:
            return x
        if self.real is not None:
            return self.real.firsts(x)
        return ops.reshape(x, (self.batch, self.length, x.shape[-1]))[:, 0]
