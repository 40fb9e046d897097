"""The Unicode facts of the reference tokenizer, and where the fast matcher has other ones.

The reference (`tokenizers` 0.23.3) froze its general categories and decompositions at Unicode 8 to
9, its case mappings are those of Unicode 17, and the matcher (`tensorflow_text` 2.21.1) splits
words by a newer ICU. Ids are equal on every line only when all three are known exactly, so the sets
stand here as they were measured, code point by code point, by `tests/text/make_unicode_tables.py`.
Notation: `first-last` in hexadecimal.
"""

import functools
import unicodedata


def code_points(ranges):
    """The frozenset of code points that words such as `7f-9f ad` name."""
    pairs = [[int(end, 16) for end in word.split("-")] for word in ranges.split()]
    return frozenset(c for pair in pairs for c in range(pair[0], pair[-1] + 1))


# Control, format and private-use characters and U+FFFD, which the reference deletes.
REMOVED = code_points("""
0-8 b-c e-1f 7f-9f ad 600-605 61c 6dd 70f 180e 200b-200f 202a-202e 2060-2064 2066-206f e000-f8ff
feff fff9-fffb fffd 110bd 1bca0-1bca3 1d173-1d17a e0001 e0020-e007f f0000-ffffd 100000-10fffd
""")

# What the reference turns into one space.
SPACES = code_points("""
9-a d 20 a0 1680 2000-200a 2028-2029 202f 205f 3000
""")

# Ideographs that the reference sets apart as words of one character.
CHINESE = code_points("""
3400-4dbf 4e00-9fff f900-faff 20000-2a6df 2a700-2b81f 2b920-2ceaf 2f800-2fa1f
""")

# Combining marks that `strip_accents` deletes, and characters that decompose into nothing else.
MARKS = code_points("""
300-36f 483-487 591-5bd 5bf 5c1-5c2 5c4-5c5 5c7 610-61a 64b-65f 670 6d6-6dc 6df-6e4 6e7-6e8
6ea-6ed 711 730-74a 7a6-7b0 7eb-7f3 816-819 81b-823 825-827 829-82d 859-85b 8e3-902 93a 93c
941-948 94d 951-957 962-963 981 9bc 9c1-9c4 9cd 9e2-9e3 a01-a02 a3c a41-a42 a47-a48 a4b-a4d a51
a70-a71 a75 a81-a82 abc ac1-ac5 ac7-ac8 acd ae2-ae3 b01 b3c b3f b41-b44 b4d b56 b62-b63 b82 bc0
bcd c00 c3e-c40 c46-c48 c4a-c4d c55-c56 c62-c63 c81 cbc cbf cc6 ccc-ccd ce2-ce3 d01 d41-d44 d4d
d62-d63 dca dd2-dd4 dd6 e31 e34-e3a e47-e4e eb1 eb4-eb9 ebb-ebc ec8-ecd f18-f19 f35 f37 f39
f71-f7e f80-f84 f86-f87 f8d-f97 f99-fbc fc6 102d-1030 1032-1037 1039-103a 103d-103e 1058-1059
105e-1060 1071-1074 1082 1085-1086 108d 109d 135d-135f 1712-1714 1732-1734 1752-1753 1772-1773
17b4-17b5 17b7-17bd 17c6 17c9-17d3 17dd 180b-180d 18a9 1920-1922 1927-1928 1932 1939-193b
1a17-1a18 1a1b 1a56 1a58-1a5e 1a60 1a62 1a65-1a6c 1a73-1a7c 1a7f 1ab0-1abd 1b00-1b03 1b34
1b36-1b3a 1b3c 1b42 1b6b-1b73 1b80-1b81 1ba2-1ba5 1ba8-1ba9 1bab-1bad 1be6 1be8-1be9 1bed
1bef-1bf1 1c2c-1c33 1c36-1c37 1cd0-1cd2 1cd4-1ce0 1ce2-1ce8 1ced 1cf4 1cf8-1cf9 1dc0-1df5
1dfc-1dff 20d0-20dc 20e1 20e5-20f0 2cef-2cf1 2d7f 2de0-2dff 302a-302d 3099-309a a66f a674-a67d
a69e-a69f a6f0-a6f1 a802 a806 a80b a825-a826 a8c4 a8e0-a8f1 a926-a92d a947-a951 a980-a982 a9b3
a9b6-a9b9 a9bc a9e5 aa29-aa2e aa31-aa32 aa35-aa36 aa43 aa4c aa7c aab0 aab2-aab4 aab7-aab8
aabe-aabf aac1 aaec-aaed aaf6 abe5 abe8 abed fb1e fe00-fe0f fe20-fe2f 101fd 102e0 10376-1037a
10a01-10a03 10a05-10a06 10a0c-10a0f 10a38-10a3a 10a3f 10ae5-10ae6 11001 11038-11046 1107f-11081
110b3-110b6 110b9-110ba 11100-11102 11127-1112b 1112d-11134 11173 11180-11181 111b6-111be
111ca-111cc 1122f-11231 11234 11236-11237 112df 112e3-112ea 11300-11301 1133c 11340 11366-1136c
11370-11374 114b3-114b8 114ba 114bf-114c0 114c2-114c3 115b2-115b5 115bc-115bd 115bf-115c0
115dc-115dd 11633-1163a 1163d 1163f-11640 116ab 116ad 116b0-116b5 116b7 1171d-1171f 11722-11725
11727-1172b 16af0-16af4 16b30-16b36 16f8f-16f92 1bc9d-1bc9e 1d167-1d169 1d17b-1d182 1d185-1d18b
1d1aa-1d1ad 1d242-1d244 1da00-1da36 1da3b-1da6c 1da75 1da84 1da9b-1da9f 1daa1-1daaf 1e8d0-1e8d6
e0100-e01ef
""")

# What the reference's pre-tokenizer makes a word of its own.
PUNCTUATION = code_points("""
21-2f 3a-40 5b-60 7b-7e a1 a7 ab b6-b7 bb bf 37e 387 55a-55f 589-58a 5be 5c0 5c3 5c6 5f3-5f4
609-60a 60c-60d 61b 61e-61f 66a-66d 6d4 700-70d 7f7-7f9 830-83e 85e 964-965 970 af0 df4 e4f
e5a-e5b f04-f12 f14 f3a-f3d f85 fd0-fd4 fd9-fda 104a-104f 10fb 1360-1368 1400 166d-166e
169b-169c 16eb-16ed 1735-1736 17d4-17d6 17d8-17da 1800-180a 1944-1945 1a1e-1a1f 1aa0-1aa6
1aa8-1aad 1b5a-1b60 1bfc-1bff 1c3b-1c3f 1c7e-1c7f 1cc0-1cc7 1cd3 2010-2027 2030-2043 2045-2051
2053-205e 207d-207e 208d-208e 2308-230b 2329-232a 2768-2775 27c5-27c6 27e6-27ef 2983-2998
29d8-29db 29fc-29fd 2cf9-2cfc 2cfe-2cff 2d70 2e00-2e2e 2e30-2e42 3001-3003 3008-3011 3014-301f
3030 303d 30a0 30fb a4fe-a4ff a60d-a60f a673 a67e a6f2-a6f7 a874-a877 a8ce-a8cf a8f8-a8fa a8fc
a92e-a92f a95f a9c1-a9cd a9de-a9df aa5c-aa5f aade-aadf aaf0-aaf1 abeb fd3e-fd3f fe10-fe19
fe30-fe52 fe54-fe61 fe63 fe68 fe6a-fe6b ff01-ff03 ff05-ff0a ff0c-ff0f ff1a-ff1b ff1f-ff20
ff3b-ff3d ff3f ff5b ff5d ff5f-ff65 10100-10102 1039f 103d0 1056f 10857 1091f 1093f 10a50-10a58
10a7f 10af0-10af6 10b39-10b3f 10b99-10b9c 11047-1104d 110bb-110bc 110be-110c1 11140-11143
11174-11175 111c5-111c9 111cd 111db 111dd-111df 11238-1123d 112a9 114c6 115c1-115d7 11641-11643
1173c-1173e 12470-12474 16a6e-16a6f 16af5 16b37-16b3b 16b44 1bc9f 1da87-1da8b
""")

# The matcher splits words at these, the reference does not.
MATCHER_ONLY = code_points("""
61d 9fd a76 c77 c84 1b4e-1b4f 1b7d-1b7f 2e43-2e4f 2e52-2e5d 10d6e 10ead 10f55-10f59 10f86-10f89
113d4-113d5 113d7-113d8 1144b-1144f 1145a-1145b 1145d 11660-1166c 116b9 1183b 11944-11946 119e2
11a3f-11a46 11a9a-11a9c 11a9e-11aa2 11b00-11b09 11be1 11c41-11c45 11c70-11c71 11ef7-11ef8
11f43-11f4f 11fff 12ff1-12ff2 16d6d-16d6f 16e97-16e9a 16fe2 1e5ff 1e95e-1e95f 2b820-2b91f
""")

# The reference splits words at these, the matcher does not.
REFERENCE_ONLY = code_points("""
166d 111c9
""")

# White space of Unicode, which `lstrip` and `rstrip` of added tokens take in.
WHITE_SPACE = code_points("9-d 20 85 a0 1680 2000-200a 2028-2029 202f 205f 3000")

# What no added token with `single_word` may touch: these categories of the regular expression \w,
# the joiners and the letters in circles and boxes; and members younger than Unicode 14.
_WORD_CATEGORIES = frozenset("Lu Ll Lt Lm Lo Nl Mn Mc Me Nd Pc".split())
_OTHER_WORD = code_points("""
200c-200d 24b6-24e9 1f130-1f149 1f150-1f169 1f170-1f189
897 cf3 ece 1c89-1c8a a7cb-a7cd a7da-a7dc 105c0-105f3 10d40-10d65 10d69-10d6d 10d6f-10d85
10ec2-10ec4 10efc-10eff 1123f-11241 11380-11389 1138b 1138e 11390-113b5 113b7-113c0 113c2 113c5
113c7-113ca 113cc-113d3 113e1-113e2 116d0-116e3 11bc0-11be0 11bf0-11bf9 11f00-11f10 11f12-11f3a
11f3e-11f42 11f50-11f5a 1342f 13440-13455 13460-143fa 16100-16139 16d40-16d6c 16d70-16d79 18cff
1b132 1b155 1ccf0-1ccf9 1df25-1df2a 1e030-1e06d 1e08f 1e4d0-1e4f9 1e5d0-1e5fa 2b739 2ebf0-2ee5d
31350-323af
""")

# Letters and numbers between Unicode 14, which the oldest Python we run on knows, and 16.
LATE_LETTERS = code_points("""
1c89-1c8a a7cb-a7cd a7da-a7dc 105c0-105f3 10d4a-10d65 10d6f-10d85 10ec2-10ec4 1123f-11240
11380-11389 1138b 1138e 11390-113b5 113b7 113d1 113d3 11bc0-11be0 11f02 11f04-11f10 11f12-11f33
1342f 13441-13446 13460-143fa 16100-1611d 16d40-16d6c 18cff 1b132 1b155 1df25-1df2a 1e030-1e06d
1e4d0-1e4eb 1e5d0-1e5ed 1e5f0 2b739 2ebf0-2ee5d 31350-323af
""")
LATE_NUMBERS = code_points("""
10d40-10d49 116d0-116e3 11bf0-11bf9 11f50-11f59 16130-16139 16d70-16d79 1ccf0-1ccf9 1d2c0-1d2d3
1e4f0-1e4f9 1e5f1-1e5fa
""")

# Marks younger than Unicode 9, which accent stripping and the forms of Unicode leave alone.
YOUNG_MARKS = code_points("""
7fd 898-89f 8ca-8d3 9fe afa-aff b55 c04 c3c cf3 d00 d3b-d3c d81 eba ece 1715 180f 1abf-1ace 1cf7
1df6-1dfa a82c a8ff 10d24-10d27 10eab-10eac 10efd-10eff 10f46-10f50 10f82-10f85 11070 11073-11074
110c2 11145-11146 111c9 111ce-111cf 11241 1133b 1145e 1182c-1183a 11930-11935 11937-11938
1193b-1193e 11940 11942-11943 119d1-119d7 119da-119e0 119e4 11a01-11a0a 11a33-11a39 11a3b-11a3e
11a47 11a51-11a5b 11a8a-11a99 11d31-11d36 11d3a 11d3c-11d3d 11d3f-11d45 11d47 11d8a-11d8e
11d90-11d91 11d93-11d97 11ef3-11ef6 11f00-11f01 11f03 11f34-11f3a 11f3e-11f42 13440 13447-13455
16f4f 16f7f-16f87 16fe4 16ff0-16ff1 1cf00-1cf2d 1cf30-1cf46 1e08f 1e130-1e136 1e2ae 1e2ec-1e2ef
1e4ec-1e4ef
""")
# Two that were marks in Unicode 9 and are no more.
FORMER_MARKS = code_points("1cf2-1cf3")
# Younger characters that decompose, which the reference leaves alone too.
NEVER_DECOMPOSED = code_points("""
32ff a7f2-a7f4 ab69 10781-10785 10787-107b0 107b2-107ba 11938 1e030-1e06d 1f16c 1fbf0-1fbf9
""")

# What joins the character before it in a cluster (Unicode Standard Annex 29), beside all marks but
# some; what begins and ends a cluster; and what joins the one behind it.
JOINING = code_points("""
897 cf3 e33 eb3 ece 1acf-1add 1ae0-1aeb 200c-200d ff9e-ff9f 10d69-10d6d 10efa-10eff 11241
113b8-113c0 113c2 113c5 113c7-113ca 113cc-113d0 113d2 113e1-113e2 11b60-11b67 11f00-11f01 11f03
11f34-11f3a 11f3e-11f42 11f5a 13440 13447-13455 1611e-1612f 1e08f 1e4ec-1e4ef 1e5ee-1e5ef 1e6e3
1e6e6 1e6ee-1e6ef 1e6f5 1f3fb-1f3ff e0020-e007f
""")
NOT_JOINING = code_points("""
102b-102c 1038 1062-1064 1067-106d 1083 1087-108c 108f 109a-109c 1a61 1a63-1a64 aa7b aa7d
11720-11721
""")
CLUSTER_CONTROLS = code_points("""
0-1f 7f-9f ad 61c 180e 200b 200e-200f 2028-202e 2060-206f feff fff0-fffb 13430-1343f 1bca0-1bca3
1d173-1d17a e0000-e001f e0080-e00ff e01f0-e0fff
""")
PREPENDED = code_points("""
600-605 6dd 70f 890-891 8e2 d4e 110bd 110cd 111c2-111c3 113d1 1193f 11941 11a84-11a89 11d46 11f02
""")

# Capitals younger than the oldest Python we run on (Unicode 14); the last two are whole alphabets.
_LATE_CAPITALS = {
    0x1C89: 0x1C8A,
    0xA7CB: 0x264,
    0xA7CC: 0xA7CD,
    0xA7CE: 0xA7CF,
    0xA7D2: 0xA7D3,
    0xA7D4: 0xA7D5,
    0xA7DA: 0xA7DB,
    0xA7DC: 0x19B,
    **{c: c + 0x20 for c in range(0x10D50, 0x10D66)},
    **{c: c + 0x1B for c in range(0x16EA0, 0x16EB9)},
}

# The only composed character of Unicode 14 that is too young for the reference; younger ones are
# not known to the Pythons we run on, and assigned characters never change their decomposition.
_NEVER_DECOMPOSED = 0x11938

# Everything that changes case or decomposes lies in these, ideographs and Hangul apart.
_SCRIPTS = code_points("41-5a a0-33ff a000-abff f900-ffff 10000-1ffff 2f800-2fa1f")


def lower(code_point):
    """Lower-case form of one code point, a str; like the reference, blind to its neighbours."""
    late = _LATE_CAPITALS.get(code_point)
    return chr(late) if late else chr(code_point).lower()


def decompose(code_point):
    """Canonical decomposition (NFD) of one code point as a str."""
    whole = code_point == _NEVER_DECOMPOSED
    return chr(code_point) if whole else unicodedata.normalize("NFD", chr(code_point))


# All that is or will be a character, private ones and most ideographs apart: what loops go over.
CHARACTERS = (*range(0xD800), *range(0xE000, 0x2FA20), *range(0xE0000, 0xE01F0))


@functools.cache
def marks():
    """The combining marks of Unicode 9, a frozenset; made once."""
    found = (c for c in CHARACTERS if unicodedata.category(chr(c))[0] == "M")
    return frozenset(found) - YOUNG_MARKS | FORMER_MARKS


@functools.cache
def joining():
    """The code points that join the character before them in a cluster, a frozenset; made once."""
    found = (c for c in CHARACTERS if unicodedata.category(chr(c))[0] == "M")
    return frozenset(found) - NOT_JOINING | JOINING


@functools.cache
def lowered():
    """dict of code point -> str of all that lower-casing changes; not to be changed."""
    found = ((c, lower(c)) for c in CHARACTERS)
    return {c: text for c, text in found if text != chr(c)}


@functools.cache
def word_characters():
    """The code points of \\w in the reference's regular expressions, a frozenset; made once."""
    by_category = (c for c in range(0x110000) if unicodedata.category(chr(c)) in _WORD_CATEGORIES)
    return frozenset(by_category) | _OTHER_WORD


@functools.cache
def changed_by_spelling(lowercase, strip_accents):
    """What lower-casing and accent stripping make of every code point that they change.

    Args:
      lowercase, strip_accents: bool, the steps to take; accents go first, as in the reference.
    Returns:
      dict from code point to its new spelling, a str of zero or more characters; not to be changed,
      for it is made once and takes long.
    """
    spelling = {}
    for c in _SCRIPTS | code_points("ac00-d7a3") if lowercase or strip_accents else ():
        new = decompose(c) if strip_accents else chr(c)
        new = "".join(x for x in new if not strip_accents or ord(x) not in MARKS)
        new = "".join(lower(ord(x)) for x in new) if lowercase else new
        if new != chr(c):
            spelling[c] = new
    spelling.update((c, "") for c in MARKS if strip_accents)
    return spelling
