"""Splitting text into sentences, English and Chinese, by rules that can be read.

A sentence ends at . ! ? … with white space behind them, or at 。 ！ ？, and takes closing quotes
and brackets with it. What follows and what stands before tell an end from an abbreviation, an
initial, a numeral, or from speech that goes on: "Stop!" said he.
"""

import re

from bert_tf.errors import ConfigError

LANGUAGES = ("en", "zh")

_CLOSING = r"""["'”’»)\]}」』）】〉》〕］｝＂＇]"""
_IDEOGRAPH = r"[\u3007\u3400-\u9fff\uf900-\ufaff]"
# A title in 《》 or a remark in brackets may hold marks of its own: it is passed over whole.
_WHOLE = r"《[^《》。]{1,60}》|（[^（）。]{1,60}）"
_FULL_WIDTH = rf"[。！？｡][。！？｡!?…]*{_CLOSING}*"
# Possessive (++) and never from the middle of a run, so that a page of dots is read once.
_WESTERN = rf"(?<![.!?…])(?P<mark>[.!?…]++)(?P<close>{_CLOSING}*+)(?=\s|$)"
# In Chinese text the marks of a Western keyboard have no white space behind them.
_BETWEEN_IDEOGRAPHS = rf"(?<={_IDEOGRAPH})[.!?]++{_CLOSING}*+(?={_IDEOGRAPH}|《|「|“)"
_PATTERNS = {
    "en": re.compile(rf"{_WHOLE}|(?P<full>{_FULL_WIDTH})|{_WESTERN}"),
    "zh": re.compile(rf"{_WHOLE}|(?P<full>{_FULL_WIDTH}|{_BETWEEN_IDEOGRAPHS})|{_WESTERN}"),
}
_NEXT = re.compile(r"""\s*(["'“‘«(\[{「『（]*)\s*(\w*)""")
_GOES_ON = re.compile(r"\s*[,;:，、；：,)]")
_LAST_WORD = re.compile(r"[^\W_][\w.&'’-]*$")
_NUMERAL = re.compile(r"[\d.]+|[ivxlcIVXLC]+|[A-Za-z]")

# Never the end of a sentence: a name or a number comes next.
_TITLES = frozenset(
    """mr mrs ms mx messrs mme mlle dr drs prof rev fr hon gen col lt capt cpt maj sgt cpl pvt adm
    cmdr brig gov sen rep pres supt insp st mt ft vs cf eg ie viz e.g i.e approx fig figs eq vol
    vols pp ext""".split()
)
# Not the end before a number: No. 5, p. 12, Jan. 3.
_BEFORE_NUMBERS = frozenset(
    """no nos nr p pg par art sec ch chap op jan feb mar apr jun jul aug sep sept oct nov dec
    c ca""".split()
)
# The end only when a word follows that often begins a sentence.
_ABBREVIATIONS = frozenset(
    """inc ltd co corp bros plc llc jr sr esq ph.d b.a m.a m.d etc al ave blvd rd bldg dept univ
    assn est jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri sat
    sun calif mass conn pa fla ill tex wash minn wis ariz colo""".split()
)
_STARTERS = frozenset(
    """The A An He She It They We I You This That These Those There Here In On At By For From With
    As But And Or So If When While After Before However Meanwhile According Its His Her Their My Our
    Your What Who Where Why How Also Although Since Then Not No Yes Some Many Most Such Both Each
    All To Now Once During Until Under Because Despite Several Another One Two Nobody Nothing
    Perhaps Let Do Did Is Was Are Were Has Had Have Can Could Will Would Should May
    Please""".split()
)


def check_language(language):
    """Raises ConfigError for a language that has no rules here."""
    if language not in LANGUAGES:
        raise ConfigError(f"language: {language!r}, wanted one of {', '.join(LANGUAGES)}")


def split_sentences(text, language="en"):
    """Cut a paragraph into its sentences.

    Args:
      text: str, one paragraph: a line end is white space like any other.
      language: "en" or "zh". Full-width marks end a sentence in both; in "zh" also . ! ? that stand
        between ideographs.
    Returns:
      list of str, none of them blank, without white space round them; nothing else is lost.
    Raises:
      ConfigError: there are no rules for the language.
    """
    check_language(language)
    sentences, start = [], 0
    small = text.islower()  # then a small letter says nothing about what it begins
    for match in _PATTERNS[language].finditer(text):
        if match["full"]:
            ends = not _GOES_ON.match(text, match.end())
        else:
            ends = match["mark"] and _ends(text, start, match, small)
        if ends:
            sentences.append(text[start : match.end()])
            start = match.end()
    sentences.append(text[start:])
    return [sentence for sentence in map(str.strip, sentences) if sentence]


def _ends(text, start, match, small):
    """Whether a sentence that began at `start` ends with . ! ? or … and their closing quotes."""
    quote, word = _NEXT.match(text, match.end()).groups()
    mark, close = match["mark"], match["close"]
    if not word:
        return bool(quote) or not _GOES_ON.match(text, match.end())
    if word[0].islower() and not small and (close or mark[-1] not in "!?"):
        return False
    if mark != ".":
        return True
    before = _LAST_WORD.search(text, max(start, match.start() - 24), match.start())
    if not before:
        return True
    last = before[0]
    if not close and _NUMERAL.fullmatch(last) and not text[start : before.start()].strip():
        return False  # "1. Introduction", "B. Results"
    spoken = close or quote not in ("", "(", "[")
    return _ends_after(last, word.capitalize() if small else word, spoken, small)


def _ends_after(last, word, spoken, small):
    """Whether "last." ends a sentence when `word` comes next; `spoken`: with a quote between."""
    lower = last.lower()
    if lower in _TITLES:
        return False
    if len(last) == 1 and (small or last.isupper()) and last not in "Iia":
        return bool(spoken)  # an initial
    if lower in _BEFORE_NUMBERS and word[0].isdigit():
        return False
    if lower in _ABBREVIATIONS or "." in last:
        return bool(spoken) or word in _STARTERS
    return True
