"""The best dependency tree under the scores of its arcs, in `keras.ops`, for a whole batch.

Node 0 is the root, nodes 1 to W are words, and nodes from W + 1 on are cycles that were contracted.
`n` stands for nodes, M = 2 (W + 1) of them at most; a table [B, M, M] has the dependent on axis 1.
"""

from keras import ops

_NONE = -1e9
# Taken from every arc of the root: the best tree then has as few of them as can be, which is one.
_ROOT_PENALTY = 1e5


def best_tree(scores, words):
    """The heads of the words in the spanning tree with the highest sum of scores.

    The algorithm of Chu and Liu (1965) and Edmonds (1967), as told by McDonald et al. (2005,
    "Non-projective dependency parsing using spanning tree algorithms", figure 3): every node takes
    its best head; a cycle among them becomes one node, and so on until there is none; then the
    cycles are opened, the last one first. One word is under the root, as in Universal Dependencies.

    Args:
      scores: float32 [B, W, W + 1], each word's score for each head; head 0 is the root, head w the
        w-th word, counted from 1. Differences up to 1e4 are told apart from "never".
      words: int [B], how many of the words there are.
    Returns:
      int32 [B, W], the head of each word; 0 also for what is no word.
    """
    table, alive = _first_table(scores, words)
    size = ops.shape(table)[1]
    zeros = ops.zeros(ops.shape(alive), "int32")
    own = zeros + ops.arange(size, dtype="int32")[None]
    dependents = own[:, :, None] + ops.zeros(ops.shape(table), "int32")
    heads = own[:, None, :] + ops.zeros(ops.shape(table), "int32")
    inside = own[:, :, None] == own[:, None, :]
    state = (table, dependents, heads, alive, zeros, zeros, zeros, inside)
    made = ops.shape(scores)[1] + 1
    *state, made = ops.while_loop(
        lambda *x: ops.any(_on_cycles(_best(x[0], x[3])[0])), _contract, (*state, made)
    )
    table, dependents, heads, alive, entered, from_head, parent, inside = state
    best, _ = _best(table, alive)
    entered = ops.where(alive, _at(dependents, best), entered)
    from_head = ops.where(alive, _at(heads, best), from_head)
    _, _, from_head = ops.while_loop(
        lambda node, *_: node > ops.shape(scores)[1],
        lambda node, entered, from_head: _open(node, entered, from_head, parent, inside),
        (made - 1, entered, from_head),
    )
    there = ops.arange(ops.shape(scores)[1])[None] < words[:, None]
    return ops.where(there, from_head[:, 1 : ops.shape(scores)[1] + 1], 0)


def _first_table(scores, words):
    """The scores as a table of M nodes [B, M, M], and which nodes there are, bool [B, M]."""
    count = ops.shape(scores)[1]
    scores = scores - ops.cast(ops.arange(count + 1) == 0, "float32")[None, None] * _ROOT_PENALTY
    places = ops.arange(count + 1)
    alive = places[None] <= words[:, None]
    itself = ops.arange(1, count + 1)[:, None] == places[None]
    possible = alive[:, 1:, None] & alive[:, None, :] & ~itself[None]
    table = ops.where(possible, scores, _NONE)
    table = ops.pad(table, ((0, 0), (1, count + 1), (0, count + 1)), constant_values=_NONE)
    return table, ops.pad(alive, ((0, 0), (0, count + 1)), constant_values=False)


def _best(table, alive):
    """The best head of each node, int32 [B, M], and its score; the root is its own, and the head
    of nodes that are gone."""
    best = ops.cast(ops.argmax(table, axis=2), "int32")
    word = alive & (ops.arange(ops.shape(table)[1])[None] > 0)
    return ops.where(word, best, 0), ops.max(table, axis=2)


def _at(table, nodes):
    """Of a table [B, M, M] each node's entry for a head, [B, M]."""
    return ops.take_along_axis(table, nodes[:, :, None], axis=2)[:, :, 0]


def _on_cycles(best):
    """Which nodes come back to themselves by their heads, bool [B, M]; the root does not count."""
    jump = _repeated(lambda jump: (ops.take_along_axis(jump, jump, axis=1),), best)[0]
    reached = ops.any(jump[:, :, None] == ops.arange(ops.shape(best)[1])[None, None], axis=1)
    return reached & (ops.arange(ops.shape(best)[1])[None] > 0)


def _repeated(function, *state):
    """The state after 11 calls: of something that doubles 2 ** 11 steps, more than there are nodes.

    A loop, for it is traced in a fraction of the time that its body eleven times over would take.
    """
    return ops.fori_loop(0, 11, lambda _, now: function(*now), state)


def _first_cycle(best):
    """The nodes of one cycle a row, bool [B, M]; none where there is no cycle."""
    on_cycle = _on_cycles(best)
    numbers = ops.zeros_like(best) + ops.arange(ops.shape(best)[1], dtype="int32")[None]

    def further(jump, least):
        least = ops.minimum(least, ops.take_along_axis(least, jump, axis=1))
        return ops.take_along_axis(jump, jump, axis=1), least

    _, least = _repeated(further, best, numbers)
    names = ops.where(on_cycle, least, ops.shape(best)[1])
    return on_cycle & (names == ops.min(names, axis=1, keepdims=True))


def _contract(table, dependents, heads, alive, entered, from_head, parent, inside, made):
    """One cycle of each row that has one becomes the node `made`."""
    best, score = _best(table, alive)
    cycle = _first_cycle(best)
    found = ops.any(cycle, axis=1)
    new = (ops.arange(ops.shape(alive)[1]) == made)[None] & found[:, None]
    entered = ops.where(cycle, _at(dependents, best), entered)
    from_head = ops.where(cycle, _at(heads, best), from_head)
    parent = ops.where(cycle, made, parent)
    # Into the cycle: at the member that gives up least. Out of it: from the best member.
    into = ops.where(cycle[:, :, None], table - score[:, :, None], _NONE)
    out_of = ops.where(cycle[:, None, :], table, _NONE)
    member_in = ops.argmax(into, axis=1, keepdims=True)
    member_out = ops.argmax(out_of, axis=2, keepdims=True)
    outside = alive & ~cycle

    def replaced(old, of_in, of_out, nothing):
        row = ops.take_along_axis(of_in, member_in, axis=1)
        column = ops.take_along_axis(of_out, member_out, axis=2)
        row = ops.where(outside[:, None, :], row, nothing)
        column = ops.where(outside[:, :, None], column, nothing)
        gone = cycle[:, :, None] | cycle[:, None, :]
        old = ops.where(gone, nothing, old)
        return ops.where(new[:, :, None], row, ops.where(new[:, None, :], column, old))

    into = ops.maximum(into, _NONE)
    table = replaced(table, into, out_of, ops.cast(_NONE, "float32"))
    dependents = replaced(dependents, dependents, dependents, 0)
    heads = replaced(heads, heads, heads, 0)
    within = ops.any(inside & cycle[:, :, None], axis=1)
    inside = ops.where(new[:, :, None], within[:, None, :], inside)
    state = (table, dependents, heads, outside | new, entered, from_head, parent, inside)
    return (*state, made + 1)


def _open(node, entered, from_head, parent, inside):
    """The arc into a contracted node is that of the member which holds its dependent."""
    dependent, head = entered[:, node][:, None], from_head[:, node][:, None]
    holds = ops.take_along_axis(inside, dependent[:, :, None], axis=2)[:, :, 0]
    member = (parent == node) & holds
    entered = ops.where(member, dependent, entered)
    return node - 1, entered, ops.where(member, head, from_head)
