"""Dropout whose masks are a pure function of (seed, step, place).

A key is an integer tensor [2]: the first entry names the run's seed, the second the
step, the micro-batch, the replica and the place in the model, folded together one after the other.
Nothing is stored and nothing advances, so a restarted run, and a block that is computed
again in the backward pass, draw the same masks. No key means no dropout.
"""

import keras
from keras import ops

# The multiplier of Steele and Vigna's "Computationally easy, spectrally good
# multipliers" (2021), table 5, 32 bits; products stay below 2**63.
_MULTIPLIER = 0x915F77F5
_BITS = 31
_MODULUS = 2**_BITS - 1


class Key(keras.random.SeedGenerator):
    """Hands a key to `keras.random`, which takes a SeedGenerator but no tensor."""

    def __init__(self, key):
        self.key = key

    def next(self, ordered=True):
        # JAX's own keys are of this type alone.
        return ops.cast(self.key, "uint32") if keras.backend.backend() == "jax" else self.key


def new_key(seed, step):
    """The key of one training step.

    Args:
      seed: int or integer scalar, the seed of the run.
      step: int or integer scalar, the number of updates made so far.
    Returns:
      int64 [2] (int32 where the backend has no int64).
    """
    zero = ops.zeros((), "int64")
    return fold_in(ops.stack([zero + ops.cast(seed, "int64") % _MODULUS, zero]), step)


def key_for(training, key=None):
    """The key a call works under: none outside training, else the one given or a random one.

    The random one, for a call with training=True outside a training step, comes from Keras'
    global generator, which `keras.utils.set_random_seed` makes repeatable.
    """
    if not training:
        return None
    return keras.random.randint((2,), 0, _MODULUS, dtype="int64") if key is None else key


def fold_in(key, number):
    """Another key for each number (a step, a layer, a replica): key and number, mixed.

    Args:
      key: integer [2], or None.
      number: int or integer scalar, 0 or more.
    Returns:
      integer [2], or None if there was no key.
    """
    if key is None:
        return None
    if keras.backend.standardize_dtype(key.dtype) == "int32":
        return ops.stack([key[0], ops.cast(_mixed_in_32_bits(key[1], number), "int32")])
    mixed = (key[1] + ops.cast(number, key.dtype) + 1) % _MODULUS
    return ops.stack([key[0], (mixed * _MULTIPLIER + 1) % _MODULUS])


def _mixed_in_32_bits(word, number):
    """The second entry of `fold_in` where there are no integers of 64 bits, such as JAX's usual.

    The product modulo 2**31 - 1 is the sum of four products of halves, each below 2**31: there a
    factor of 2**n is a rotation by n of 31 bits.
    """

    def uint(x):
        return ops.cast(x, "uint32")

    def reduced(x):
        return ops.bitwise_and(x, uint(_MODULUS)) + ops.right_shift(x, uint(_BITS))

    def rotated(x, by):
        low = ops.bitwise_and(ops.left_shift(x, uint(by)), uint(_MODULUS))
        return low + ops.right_shift(x, uint(_BITS - by))

    mixed = reduced(uint(word) + uint(number) + uint(1))
    mixed = ops.where(mixed == uint(_MODULUS), uint(0), mixed)
    high, low = ops.right_shift(mixed, uint(16)), ops.bitwise_and(mixed, uint(0xFFFF))
    other, rest = divmod(_MULTIPLIER % _MODULUS, 2**15)
    total = reduced(high * uint(other) + rotated(high * uint(rest), 16))
    total = reduced(total + rotated(low * uint(other), 15))
    total = reduced(total + low * uint(rest))
    total = reduced(total + uint(1))
    return ops.where(total == uint(_MODULUS), uint(0), total)


def chance(rate, key):
    """True with probability `rate`, a bool scalar; the integer [2] key alone decides."""
    word = keras.random.randint((), -(2**31), 2**31 - 1, dtype="int32", seed=Key(key))
    return word < min(round(rate * 2**32), 2**32 - 1) - 2**31


def dropout(x, rate, key):
    """Sets a share `rate` of the entries to zero and scales up the others (Srivastava et al. 2014).

    Sixteen random bits decide an entry, so the share is exact to 1 / 65536.

    Args:
      x: float tensor.
      rate: float in [0, 1).
      key: integer [2]; None switches dropout off.
    Returns:
      A tensor like `x`.
    """
    if key is None or not rate:
        return x
    dropped = min(round(rate * 65536), 65535)
    size = ops.size(x)
    words = keras.random.randint(
        ((size + 1) // 2, 1), -(2**31), 2**31 - 1, dtype="int32", seed=Key(key)
    )
    bits = ops.reshape(ops.view(words, "uint16"), (-1,))[:size]
    keep = ops.cast(ops.reshape(bits, ops.shape(x)) >= dropped, x.dtype)
    return x * (keep * (65536.0 / (65536 - dropped)))
