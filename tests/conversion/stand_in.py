"""A BERT-shaped tree of plain objects: what the engine needs of a model, without Keras."""

from types import SimpleNamespace

import numpy as np

V, P, T, D, M, LAYERS, K = 11, 7, 2, 4, 6, 2, 3


class Variable:
    """A variable that remembers whether it was assigned."""

    def __init__(self, path, *shape):
        self.path, self.shape, self.assigned = path, shape, False
        self.value = np.zeros(shape, "float32")

    def assign(self, array):
        assert array.shape == self.shape
        self.value, self.assigned = np.array(array), True

    def numpy(self):
        return self.value


class Node(SimpleNamespace):
    """A layer or a model: what has `weights`."""

    @property
    def weights(self):
        return variables(self)


def linear(path, rows, columns):
    kernel, bias = Variable(f"{path}.kernel", rows, columns), Variable(f"{path}.bias", columns)
    return Node(kernel=kernel, bias=bias)


def norm(path):
    return Node(gamma=Variable(f"{path}.gamma", D), beta=Variable(f"{path}.beta", D))


def variables(node):
    """Every variable below a node, in order."""
    if isinstance(node, Variable):
        return [node]
    children = node if isinstance(node, list) else vars(node).values()
    parts = [child for child in children if isinstance(child, Variable | Node | list)]
    return [variable for part in parts for variable in variables(part)]


def block():
    return Node(
        attention=Node(qkv=linear("qkv", D, 3 * D), projection=linear("projection", D, D)),
        attention_norm=norm("attention_norm"),
        feed_forward=Node(expand=linear("expand", D, M), contract=linear("contract", M, D)),
        feed_forward_norm=norm("feed_forward_norm"),
    )


def encoder(pooler=True):
    """An encoder with `weights`, all zeros."""
    made = Node(
        embeddings=Node(
            word_embeddings=Variable("word_embeddings", V, D),
            position_embeddings=Variable("position_embeddings", P, D),
            token_type_embeddings=Variable("token_type_embeddings", T, D),
            norm=norm("norm"),
        ),
        blocks=[block() for _ in range(LAYERS)],
    )
    if pooler:
        made.pooler = Node(dense=linear("pooler", D, D))
    return made


def classifier():
    head = Node(projection=linear("head", D, K), hidden=[])
    return Node(encoder=encoder(), head=head, companions=())


def pretraining():
    made = Node(
        encoder=encoder(),
        masked_lm_head=Node(
            dense=linear("dense", D, D), norm=norm("norm"), output_bias=Variable("output_bias", V)
        ),
        sentence_head=Node(projection=linear("sentence", D, 2)),
        companions=(),
    )
    return made


def randomize(model, seed=0):
    """Give every variable numbers of its own."""
    numbers = np.random.default_rng(seed)
    for variable in model.weights:
        variable.value = numbers.standard_normal(variable.shape).astype("float32")
    return model
