"""How texts spell added tokens, and one regular expression that finds all of them."""

from absl import logging

from bert_tf.errors import InputError, shown
from bert_tf.text import unicode_tables as unicode

# A private-use character on both sides of a match, and what stands for the same in a text: texts
# lose both in normalization, and no token may hold them.
MARK, VOID = 0x10F100, 0x10F101
# The automaton of the regular expression has a state for each different beginning of a token, in
# bytes, and RE2's memory is enough for about so many.
MOST_BEGINNINGS, LONGEST = 8_000, 500


def spellings(tokens, normalizer, source):
    """Which spelling means which token, in raw and in normalized texts.

    Args:
      tokens: iterable of `added_tokens.AddedToken`.
      normalizer: `normalization.Normalizer`.
      source: str, the file that errors name.
    Returns:
      Two dicts of str -> AddedToken: those to look for in raw texts, and those with `normalized`.
    Raises:
      InputError: a token cannot be looked for.
    """
    raw, normalized = {}, {}
    for token in tokens:
        _check(token, normalizer, source)
        if not token.normalized:
            raw[token.content] = token
            continue
        spelling = normalizer.spell(token.content)
        # What normalization leaves nothing of is never found. Of two tokens that it makes one the
        # reference finds either, not the same in every run.
        known = normalized.setdefault(spelling, token) if spelling else token
        if known is not token:
            logging.warning(
                "%s: the added tokens %s and %s are the same to it, once normalized; the first "
                "stands for both",
                source,
                shown(known.content),
                shown(token.content),
            )
    _check_size(raw, source)
    _check_size(normalized, source)
    return raw, normalized


def regular_expression(spellings):
    """A regular expression that finds the leftmost spelling, and of those at one place the longest.

    Args:
      spellings: iterable of str.
    Returns:
      str, of RE2; "" when there are none.
    """
    # The first alternative that matches counts; neighbours that begin alike share their states.
    ordered = sorted(spellings, reverse=True)
    return "|".join("".join(rf"\x{{{ord(x):x}}}" for x in spelling) for spelling in ordered)


def _check(token, normalizer, source):
    """Raise InputError for a token that cannot be looked for."""
    reason = None
    if not {MARK, VOID}.isdisjoint(map(ord, token.content)):
        reason = f"holds U+{MARK:X} or U+{VOID:X}, which have a meaning of their own here"
    left = [ord(x) for x in token.content if normalizer.spell(x)]
    keeps_spaces = normalizer.keeps_spaces
    if (
        token.normalized
        and not keeps_spaces
        and not unicode.SPACES.isdisjoint(left[:1] + left[-1:])
    ):
        reason = "is normalized and has white space at an end, which cannot be looked for"
    if reason:
        raise InputError(f"{source}: the added token {shown(token.content)} {reason}")


def _check_size(spellings, source):
    """Raise InputError for tokens that are too many, or too long, for one regular expression."""
    beginnings = set()
    for spelling in map(str.encode, spellings):
        if len(spelling) > LONGEST:
            raise InputError(
                f"{source}: the added token {shown(spelling.decode())} has {len(spelling)} bytes, "
                f"at most {LONGEST} can be looked for"
            )
        beginnings.update(spelling[:end] for end in range(1, len(spelling) + 1))
        if len(beginnings) > MOST_BEGINNINGS:
            raise InputError(
                f"{source}: {len(spellings)} added tokens are too many to be looked for: they "
                f"begin in more than {MOST_BEGINNINGS} different ways"
            )
