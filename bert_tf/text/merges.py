"""Pieces of words: how a vocabulary cuts a word, and which neighbours occur most often together."""

import array
import collections
import heapq

PREFIX = "##"  # marks a piece that continues a word


def pieces_of(entry, ids, longest=100):
    """What a vocabulary cuts an entry or a word into, the longest piece first, as the tokenizer.

    Args:
      entry: str, with "##" if it continues a word.
      ids: dict of str -> int, the vocabulary.
      longest: int, no entry is longer.
    Returns:
      list of int; empty when it cannot be cut.
    """
    prefix = PREFIX if entry.startswith(PREFIX) else ""
    found, start, end = [], len(prefix), len(entry)
    while start < end:
        for stop in range(min(end, start + longest), start, -1):
            piece = ids.get(prefix + entry[start:stop])
            if piece is not None:
                break
        else:
            return []
        found.append(piece)
        prefix, start = PREFIX, stop
    return found


class Merges:
    """Words as runs of pieces, and how often every pair of neighbours occurs.

    An index tells in which words a pair occurs, and a heap which pair is the most frequent, so a
    merge costs what the words it changes cost. A pair that falls below `min_frequency` is
    forgotten: its count cannot rise again, but for a piece that is put together in a second way.

    Args:
      words: list of lists of int, changed in place.
      counts: list of int, how often each word occurs.
      vocabulary: tuple of str, the piece of each number.
      min_frequency: int; rarer pairs are never merged.
    """

    def __init__(self, words, counts, vocabulary, min_frequency):
        self.words, self._counts = words, counts
        self.pieces = list(vocabulary)
        self.ids = {piece: i for i, piece in enumerate(self.pieces)}
        self._min_frequency = min_frequency
        self._totals = collections.defaultdict(int)
        self._places = collections.defaultdict(lambda: array.array("i"))
        for number, word in enumerate(words):
            for pair in zip(word, word[1:], strict=False):
                self._totals[pair] += counts[number]
                self._places[pair].append(number)
        self._heap = [
            (-count, self._text(pair), pair)
            for pair, count in self._totals.items()
            if count >= min_frequency
        ]
        heapq.heapify(self._heap)

    def _text(self, pair):
        """The piece that a pair makes."""
        return self.pieces[pair[0]] + self.pieces[pair[1]][len(PREFIX) :]

    def best(self):
        """(count, pair, text) of the most frequent pair, the first by spelling among equals."""
        while self._heap:
            count, text, pair = self._heap[0]
            total = self._totals.get(pair, 0)
            if total == -count:
                return total, pair, text
            # It became rarer since it was put there.
            if total >= self._min_frequency:
                heapq.heapreplace(self._heap, (-total, text, pair))
            else:
                heapq.heappop(self._heap)
        return None

    def apply(self, pair, text):
        """Make a pair of neighbours one piece wherever it occurs."""
        piece = self.ids.setdefault(text, len(self.pieces))
        if piece == len(self.pieces):
            self.pieces.append(text)
        del self._totals[pair]
        changes = collections.defaultdict(int)
        for number in self._places.pop(pair):
            old = self.words[number]
            new = _joined(old, pair, piece)
            if len(new) == len(old):  # named twice, or changed since by another merge
                continue
            count = self._counts[number]
            for each in zip(old, old[1:], strict=False):
                changes[each] -= count
            for each in zip(new, new[1:], strict=False):
                changes[each] += count
                if piece in each:
                    self._places[each].append(number)
            self.words[number] = new
        changes.pop(pair, None)
        for each, change in changes.items():
            self._change(each, change)

    def _change(self, pair, change):
        total = self._totals.get(pair, 0) + change
        if total < self._min_frequency:
            self._totals.pop(pair, None)
            self._places.pop(pair, None)
        elif change:
            self._totals[pair] = total
            if change > 0:
                heapq.heappush(self._heap, (-total, self._text(pair), pair))


def _joined(word, pair, piece):
    """A word, list of int, with every occurrence of a pair replaced by one piece."""
    first, second = pair
    new, place, last = [], 0, len(word) - 1
    while place <= last:
        if word[place] == first and place < last and word[place + 1] == second:
            new.append(piece)
            place += 2
        else:
            new.append(word[place])
            place += 1
    return new
