"""Which words stand near a word, and which do not."""

from keras import ops

from bert_tf.layers import fold_in, key_for
from bert_tf.tasks.task_model import TaskModel

# e to the -30: beyond, word2vec.c does not look either (MAX_EXP, which is 6).
_LEAST = 9.4e-14


class SkipGram(TaskModel):
    """Skip-gram with negative sampling (Mikolov et al. 2013, arXiv 1310.4546, eq. 4).

    A word's vector and those of its neighbours are drawn together, that of noise words is pushed
    away. The paper draws some noise words for each pair; here a row's pairs share a few more, which
    each count for less, so that all is products of matrices (Ji et al. 2016, arXiv 1604.04661, of
    the pairs in a window). The mean of the loss is the same. A noise word that happens to be the
    neighbour is left out there, and is not here.

    Args:
      encoder: an encoder of a family of words alone, such as Word2Vec.

    Labels: dict of `window_sizes` int [B, L], how far a word's neighbours stand at most, 0 for
    filling; and `noise_weights` float [B, K], what each of the row's `noise_ids` counts for a pair.
    """

    loss_names = ("skip_gram",)
    no_answer = (
        "tells which words stand together, which answers no text; SentenceEncoder reads them"
    )

    def __init__(self, encoder, **kwargs):
        super().__init__(encoder.without_pooler(), **kwargs)
        self.context_head = encoder.context_head()
        self.build()

    def call(self, inputs, training=False, key=None):
        """How well words and neighbours go together, before a sigmoid.

        Args:
          inputs: dict of int32 [B, L], see the encoder; `noise_ids` int32 [B, K].
          training: bool, with dropout.
          key: integer [2], the dropout key of this step, or None.
        Returns:
          dict: `pair_scores` float32 [B, L, L], a word of the row with each of it; `noise_scores`
          float32 [B, L, K], with each noise word.
        """
        key = key_for(training, key)
        encoded = self.encoder(inputs, training=key is not None, key=fold_in(key, 0))
        words_BLD = encoded["sequence_output"]
        return {
            "pair_scores": self._scores(words_BLD, inputs["input_ids"]),
            "noise_scores": self._scores(words_BLD, inputs["noise_ids"]),
        }

    def _scores(self, words_BLD, ids_BK):
        others_BKD = self.context_head(ids_BK)
        return ops.cast(ops.matmul(words_BLD, ops.transpose(others_BKD, (0, 2, 1))), "float32")

    def loss_weights(self, labels, sample_weight=None):
        return {"skip_gram": ops.sum(_pairs(labels, sample_weight))}

    def loss_terms(self, outputs, labels, sample_weight=None):
        """-log of the sigmoids of eq. 4, a sum over pairs."""
        pairs_BLL = _pairs(labels, sample_weight)
        noise_BK = ops.cast(labels["noise_weights"], "float32")
        near = ops.sum(_surprise(outputs["pair_scores"]) * pairs_BLL)
        far_BL = ops.matmul(_surprise(-outputs["noise_scores"]), noise_BK[:, :, None])[:, :, 0]
        far = ops.sum(far_BL * ops.sum(pairs_BLL, axis=2))
        return {"skip_gram": (near + far, ops.sum(pairs_BLL))}


def _surprise(scores):
    """-log of the sigmoid of scores, 30 at most."""
    return -ops.log(ops.maximum(ops.sigmoid(scores), _LEAST))


def _pairs(labels, sample_weight):
    """What each pair of a word and another one of its row counts for, float32 [B, L, L]."""
    sizes_BL = ops.cast(labels["window_sizes"], "int32")
    places_L = ops.arange(ops.shape(sizes_BL)[1], dtype="int32")
    apart_LL = ops.abs(places_L[:, None] - places_L[None, :])
    near_BLL = (apart_LL > 0) & (apart_LL <= sizes_BL[:, :, None]) & (sizes_BL > 0)[:, None, :]
    pairs_BLL = ops.cast(near_BLL, "float32")
    if sample_weight is None:
        return pairs_BLL
    return pairs_BLL * ops.cast(sample_weight, "float32")[:, None, None]
