"""Print the literals of `bert_tf/text/unicode_tables.py`, measured from two libraries.

    python tests/text/make_unicode_tables.py

The reference (`tokenizers`) froze its Unicode categories years ago and the matcher
(`tensorflow_text`) carries newer ones; asking both about every code point is surer than guessing
their versions. Last run with tokenizers 0.23.3, tensorflow-text 2.21.1, Python 3.11.7 (Unicode
14.0). `test_unicode_tables.py` repeats the questions where `tokenizers` is installed.
"""

import textwrap
import unicodedata

from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

WORD_CATEGORIES = "Lu Ll Lt Lm Lo Nl Mn Mc Me Nd Pc".split()
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def normalizer(**only):
    """A reference normalizer with every step off but those named."""
    steps = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**steps, **only}).normalize_str


def reference_sets():
    """The classes of code points that the reference's normalizer and pre-tokenizer tell apart."""
    clean, chinese = normalizer(clean_text=True), normalizer(handle_chinese_chars=True)
    strip, lower = normalizer(strip_accents=True), normalizer(lowercase=True)
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    sets = {
        "REMOVED": [c for c in CODE_POINTS if clean(chr(c)) == ""],
        "SPACES": [c for c in CODE_POINTS if clean(chr(c)) == " "],
        "CHINESE": [c for c in CODE_POINTS if chinese(chr(c)) != chr(c)],
        "MARKS": [c for c in CODE_POINTS if strip(chr(c)) == ""],
        "PUNCTUATION": [c for c in CODE_POINTS if len(split(f"a{chr(c)}b")) == 3],
    }
    lowered = {c: lower(chr(c)) for c in CODE_POINTS if lower(chr(c)) != chr(c).lower()}
    marks = set(sets["MARKS"])
    whole = [
        c
        for c in CODE_POINTS
        if strip(chr(c))
        != "".join(x for x in unicodedata.normalize("NFD", chr(c)) if ord(x) not in marks)
    ]
    return sets, lowered, whole


def beside_added_tokens():
    """What an added token with `single_word` may not follow, and what one with `lstrip` takes in.

    Returns:
      Two sets of code points.
    """
    word, space = (Tokenizer(models.WordPiece({"u": 0}, unk_token="u")) for _ in range(2))
    word.add_tokens([AddedToken("Q", single_word=True, normalized=False)])
    space.add_tokens([AddedToken("Q", lstrip=True, normalized=False)])
    return (
        {c for c in CODE_POINTS if 1 not in word.encode(f"{chr(c)}Q").ids},
        {c for c in CODE_POINTS if space.encode(f"{chr(c)}Q").offsets[-1][0] == 0},
    )


def matcher_splits():
    """The code points at which tensorflow_text's matcher cuts a word in three."""
    import tensorflow as tf
    import tensorflow_text as tft

    matcher = tft.FastWordpieceTokenizer(["[UNK]", "a", "b"], token_out_type=tf.int32)
    rows = matcher.tokenize(tf.constant([f"a{chr(c)}b" for c in CODE_POINTS])).to_list()
    return {c for c, row in zip(CODE_POINTS, rows, strict=True) if row == [1, 0, 2]}


def ranges(code_points):
    """Sorted code points as `first-last` words in hexadecimal, the notation of the tables."""
    runs = []
    for c in sorted(code_points):
        if runs and runs[-1][1] == c - 1:
            runs[-1][1] = c
        else:
            runs.append([c, c])
    return " ".join(f"{a:x}" if a == b else f"{a:x}-{b:x}" for a, b in runs)


def main():
    sets, lowered, whole = reference_sets()
    splits = matcher_splits()
    wanted = set(sets["PUNCTUATION"]) | set(sets["CHINESE"])
    gone = set(sets["REMOVED"]) | set(sets["SPACES"])
    sets["MATCHER_ONLY"] = splits - wanted - gone
    sets["REFERENCE_ONLY"] = wanted - splits - gone
    words, sets["WHITE_SPACE"] = beside_added_tokens()
    known = {c for c in words if unicodedata.category(chr(c)) in WORD_CATEGORIES}
    sets["OTHER_WORD"] = words - known
    for name, members in sets.items():
        body = "\n".join(textwrap.wrap(ranges(members), 96, break_on_hyphens=False))
        print(f'{name} = """\n{body}\n"""')
    print("LATE_LOWER =", " ".join(f"{c:x}:{ord(s):x}" for c, s in lowered.items()))
    print("NEVER_DECOMPOSED =", ranges(whole))


if __name__ == "__main__":
    main()
