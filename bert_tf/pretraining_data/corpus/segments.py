"""Examples out of documents: which runs of tokens make a row, and what its sentence label is.

Every run is contiguous in the flat ids of its block of documents, so an example is four numbers and
a label until its row is gathered. For every sentence it is worked out, all sentences at once, which
example would begin there and where the next one begins then; following these steps from the first
sentence picks the examples. Random numbers belong to the sentence where an example begins.
"""

import typing

import numpy as np

from bert_tf.data.order import random_bits
from bert_tf.errors import ConfigError
from bert_tf.pretraining_data.corpus.label_columns import NO_LABEL

# [CLS] A [SEP] B [SEP], and [CLS] A [SEP].
_SPECIAL_OF_PAIR, _SPECIAL_OF_ONE = 3, 2
# What random numbers are for: each purpose has bits of its own.
_TARGET, _SHORT, _SPLIT, _COIN, _MIDDLE, _DOCUMENT, _START, _CUT, _SHUFFLE = range(9)


class Segments(typing.NamedTuple):
    """Examples over the ids of a block.

    first, second: int64 [N, 2], begin and end of each row's segments in ids; where there is no
    second one it is empty. labels: int64 [N], the sentence label.
    """

    first: np.ndarray
    second: np.ndarray
    labels: np.ndarray


class Rng(typing.NamedTuple):
    """Random numbers that (seed, shard, block, copy) and a purpose alone decide.

    seed: int >= 0. shard, block, copy: int >= 0, below 2**64, 2**32 and 2**24.
    """

    seed: int
    shard: int
    block: int
    copy: int = 0

    def random_bits(self, count, purpose):
        """uint64 [count], all bits random."""
        place = (self.block << 32) + (self.copy << 8) + purpose
        return random_bits(count, self.seed, self.shard, place)

    def below(self, limits, purpose):
        """int64, like limits: a number from 0 to limit - 1 for each; limits below 2**32."""
        bits = self.random_bits(len(limits), purpose) >> np.uint64(32)
        return (bits * limits.astype(np.uint64) >> np.uint64(32)).astype(np.int64)

    def bernoulli(self, count, probability, purpose):
        """bool [count], each true with this probability."""
        return (self.random_bits(count, purpose) >> np.uint64(11)) * 2.0**-53 < probability


def sample(tokens, objective, max_length, rng, short_probability=0.1, apart=False):
    """Examples from a block of documents, in the order of the text.

    Args:
      tokens: Tokens.
      objective: "next_sentence" (label 0: B follows A, 1: B is from another document),
        "sentence_order" (0: B follows A, 1: A follows B), "sentence_order_3" (likewise, and 2: B is
        from another document) or "none" (rows filled with whole sentences of `separated` tokens,
        one segment).
      max_length: int >= 8, tokens a row, special ones included.
      rng: Rng.
      short_probability: float, the share of documents whose examples aim at a shorter row.
      apart: bool. Under "none" a row ends where its document ends (Liu et al. 2019, section 4.2,
        DOC-SENTENCES), and the tokens are not `separated`.
    Returns:
      Segments, no longer than fits.
    Raises:
      ConfigError: B has to come from another document, and there is none.
    """
    if objective == "none":
        return _full_rows(tokens, max_length - _SPECIAL_OF_ONE, apart)
    if objective != "sentence_order" and len(tokens.documents) < 3:
        raise ConfigError(
            f"sentence objective {objective!r} pairs texts from two documents, there is only one"
        )
    room = max_length - _SPECIAL_OF_PAIR
    targets = _targets(tokens, room, rng, short_probability)
    if objective == "next_sentence":
        segments = _next_sentences(tokens, targets, rng)
    else:
        segments = _sentence_orders(tokens, targets, rng, objective == "sentence_order_3")
    return _truncated(segments, room, rng)


def shuffled(segments, rng):
    """The same examples in an order that the rng alone decides."""
    bits = rng.random_bits(len(segments.labels), _SHUFFLE)
    ranks = np.argsort(bits, kind="stable")
    return Segments(*(part[ranks] for part in segments))


def labels_of(tokens, segments, labels):
    """What each example is labelled with: as its document is, NO_LABEL if it is of two.

    Args:
      tokens: Tokens.
      segments: Segments over them.
      labels: int [d, n], the labels of the documents, n numbers for each.
    Returns:
      int [N, n].
    """
    starts = tokens.sentences[tokens.documents[1:-1]]
    first, second = segments.first, segments.second
    document = np.searchsorted(starts, first[:, 0], "right")
    alone = second[:, 0] == second[:, 1]
    same = document == np.searchsorted(starts, second[:, 0], "right")
    return np.where((alone | same)[:, None], labels[document], NO_LABEL)


def _targets(tokens, room, rng, short_probability):
    """How many tokens the examples of each sentence's document aim at, int64 [n].

    Mostly as many as fit; sometimes fewer, as rows in use are seldom full.
    """
    sizes = np.diff(tokens.documents)
    short = rng.bernoulli(len(sizes), short_probability, _SHORT)
    drawn = 2 + rng.below(np.full(len(sizes), room - 1), _TARGET)
    return np.repeat(np.where(short, drawn, room), sizes)


class _Chunks(typing.NamedTuple):
    """Runs of sentences of one document, one for each sentence that it may begin with.

    begin, end: int64 [n], first sentence and the one behind the last. document: int64 [n].
    """

    begin: np.ndarray
    end: np.ndarray
    document: np.ndarray


def _chunks(tokens, targets):
    """From each sentence on, as many as reach the target, as far as the document goes."""
    count = len(tokens.sentences) - 1
    begin = np.arange(count)
    document = np.repeat(np.arange(len(tokens.documents) - 1), np.diff(tokens.documents))
    end = _reach(tokens.sentences, begin, targets, tokens.documents[document + 1])
    return _Chunks(begin, end, document)


def _reach(sentences, begin, wanted, limit):
    """The first end at which sentences from `begin` on hold the wanted tokens; one at least."""
    end = np.searchsorted(sentences, sentences[begin] + wanted, side="left")
    return np.minimum(np.maximum(end, begin + 1), limit)


def _walk(following):
    """The numbers met from 0 on by going from each to the one that follows it."""
    count, following, place, met = len(following), following.tolist(), 0, []
    while place < count:
        met.append(place)
        place = following[place]
    return np.array(met, np.int64)


def _next_sentences(tokens, targets, rng):
    """A, and what follows it or what stands somewhere else (Devlin et al. 2019, section 3.1).

    Source: google-research/bert, create_pretraining_data.py, create_instances_from_document. It
    tries ten times to hit another document; drawing among the others never fails.
    """
    chunks = _chunks(tokens, targets)
    sizes = chunks.end - chunks.begin
    split = chunks.begin + 1 + rng.below(np.maximum(sizes - 1, 1), _SPLIT)
    coins = rng.bernoulli(len(sizes), 0.5, _COIN)
    met, elsewhere = _walk_evenly(sizes == 1, coins, split, chunks.end)
    split = split[met]
    first = _between(tokens, met, split)
    wanted = targets[met] - (first[:, 1] - first[:, 0])
    other = _other_documents(tokens, chunks.document[met], wanted, rng)
    follows = _between(tokens, split, chunks.end[met])
    second = np.where(elsewhere[:, None], other, follows)
    return Segments(first, second, elsewhere.astype(np.int64))


def _walk_evenly(alone, coins, split, end):
    """Which sentences next-sentence examples begin with, and which of these get a random B.

    Nothing follows within a chunk of one sentence, so its B is random whatever the coin says. In
    Google's script that makes random ones the majority, 55 % in a corpus of news; here each such
    example takes back half a later coin, and both labels are equally frequent.

    Args:
      alone, coins: bool [n], for each sentence: a chunk of its own, and whether B is random.
      split, end: int64 [n], where the next example begins after a random B, for the sentences that
        it takes the place of go back, and after one that follows.
    Returns:
      int64 [N] and bool [N].
    """
    alone, coins, split, end = (values.tolist() for values in (alone, coins, split, end))
    place, surplus, met, elsewhere = 0, 0, [], []
    while place < len(alone):
        random = alone[place] or coins[place]
        if alone[place]:
            surplus += 1
        elif random and surplus > 0:
            random, surplus = False, surplus - 2
        met.append(place)
        elsewhere.append(random)
        place = split[place] if random else end[place]
    return np.array(met, np.int64), np.array(elsewhere, bool)


def _sentence_orders(tokens, targets, rng, unrelated):
    """Two halves of a text, in order, swapped or, three-way, the second from another text.

    A chunk of one sentence has no two: it is cut between two of its tokens. (ALBERT's script pairs
    it with another document and calls that swapped.)

    Source: Lan et al. 2020, section 3.1; three-way: Wang et al. 2020 (StructBERT), section 2.3.
    """
    chunks = _chunks(tokens, targets)
    sizes = chunks.end - chunks.begin
    split = chunks.begin + 1 + rng.below(np.maximum(sizes - 1, 1), _SPLIT)
    label = rng.below(np.full(len(sizes), 2 + unrelated), _COIN)
    met = _walk(np.where(label == 2, split, chunks.end))
    split, label = split[met], label[met]
    begin, end = tokens.sentences[met], tokens.sentences[chunks.end[met]]
    middle = begin + 1 + rng.below(np.maximum(end - begin - 1, 1), _MIDDLE)
    middle = np.where((sizes[met] == 1) & (label != 2), middle, tokens.sentences[split])
    first, second = np.stack([begin, middle], 1), np.stack([middle, end], 1)
    if unrelated:
        wanted = targets[met] - (middle - begin)
        other = _other_documents(tokens, chunks.document[met], wanted, rng)
        second = np.where((label == 2)[:, None], other, second)
    swap = (label == 1)[:, None]
    first, second = np.where(swap, second, first), np.where(swap, first, second)
    whole = (first[:, 1] > first[:, 0]) & (second[:, 1] > second[:, 0])  # not of one token alone
    return Segments(first[whole], second[whole], label[whole])


def _between(tokens, begin, end):
    """Sentences begin to end, int64 [N] each, as a range of tokens [N, 2]."""
    return np.stack([tokens.sentences[begin], tokens.sentences[end]], 1)


def _other_documents(tokens, document, wanted, rng):
    """As many tokens as wanted, from a random sentence of another document on: ranges [N, 2]."""
    count = len(tokens.documents) - 1
    other = rng.below(np.full(len(document), count - 1), _DOCUMENT)
    other += other >= document
    begin, end = tokens.documents[other], tokens.documents[other + 1]
    begin = begin + rng.below(end - begin, _START)
    return _between(tokens, begin, _reach(tokens.sentences, begin, wanted, end))


def _truncated(segments, room, rng):
    """Pairs cut to `room` tokens: one by one from the longer, a coin says from which end.

    Source: google-research/bert, create_pretraining_data.py, truncate_seq_pair; of two equally
    long ones it cuts the second.
    """
    first, second = segments.first, segments.second
    sizes = first[:, 1] - first[:, 0], second[:, 1] - second[:, 0]
    keep_second = np.minimum(sizes[1], np.maximum(room // 2, room - sizes[0]))
    keep_first = np.minimum(sizes[0], room - keep_second)
    removed = np.concatenate([sizes[0] - keep_first, sizes[1] - keep_second])
    ends = np.concatenate([[0], np.cumsum(removed)])
    bits = rng.random_bits(-(-int(ends[-1]) // 64), _CUT).astype("<u8")
    heads = np.concatenate([[0], np.cumsum(np.unpackbits(bits.view(np.uint8)), dtype=np.int64)])
    front = heads[ends[1:]] - heads[ends[:-1]]
    begin = np.concatenate([first[:, 0], second[:, 0]]) + front
    end = begin + np.concatenate([keep_first, keep_second])
    cut = np.stack([begin, end], 1)
    return Segments(cut[: len(first)], cut[len(first) :], segments.labels)


def _full_rows(tokens, room, apart):
    """As many whole sentences as fit, on into the next document unless a row is to stay within its
    own; only longer ones are cut."""
    sizes = np.diff(tokens.sentences)
    pieces = -(-sizes // room)
    within = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    begins = np.repeat(tokens.sentences[:-1], pieces) + within * room
    edges = np.append(begins, tokens.sentences[-1])
    following = np.searchsorted(edges, edges[:-1] + room, side="right") - 1
    ends = tokens.sentences[tokens.documents[1:]]
    if apart:
        places = np.searchsorted(edges, ends)
        document = np.searchsorted(ends, edges[:-1], "right")
        following = np.minimum(following, places[document])
    met = _walk(following)
    # A row has separators of its own at both ends.
    separators = ends[:0] if apart else ends - 1
    begin, end = edges[met], edges[following[met]]
    begin, end = begin + np.isin(begin, separators), end - np.isin(end - 1, separators)
    first = np.stack([begin, end], 1)[end > begin]
    return Segments(first, np.zeros_like(first), np.zeros(len(first), np.int64))
