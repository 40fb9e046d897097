"""Spellings by their letters, from one root or several; in the graph."""

import numpy as np
import tensorflow as tf

from bert_tf.text.characters import CodePointTable
from bert_tf.text.key_tables import KeyTable
from bert_tf.text.tracked import Tracked


class Trie(Tracked):
    """Nodes that letters lead to.

    Args:
      spellings: list of (int, str, int): the root, a number from 0, the spelling and its id. Of
        equal spellings the last counts.
      roots: int, how many there are.

    Attributes:
      letters: int, one more than different letters.
    """

    def __init__(self, spellings, roots=1):
        super().__init__()
        found = sorted({letter for _, spelling, _ in spellings for letter in spelling})
        numbers = {letter: i for i, letter in enumerate(found, 1)}
        self.letters = len(numbers) + 1
        table = np.zeros(0x110000, np.int32)
        for letter, number in numbers.items():
            table[ord(letter)] = number
        self.number = CodePointTable(table)  # of a code point, 0 of one that no spelling has
        edges, of_node = {}, [-1] * roots
        for node, spelling, id in spellings:
            for letter in spelling:
                node = edges.setdefault((node, numbers[letter]), len(of_node))
                if node == len(of_node):
                    of_node.append(-1)
            if node >= roots:
                of_node[node] = id
        keys = np.array([node * self.letters + number for node, number in edges], np.int64)
        self._edges = KeyTable(keys, np.array(list(edges.values()), np.int32))
        with tf.device("CPU"):
            self._of_node = tf.constant(of_node, tf.int32)

    def step(self, node, number):
        """int32 next nodes of nodes and numbers of letters int32 [S], and bool: there is one."""
        key = tf.cast(node, tf.int64) * self.letters + tf.cast(number, tf.int64)
        edge, known = self._edges(key)
        return tf.gather(self._edges.columns[0], edge), known

    def ids(self, node):
        """int32, the ids of what ends at nodes, -1 where nothing does."""
        return tf.gather(self._of_node, node)
