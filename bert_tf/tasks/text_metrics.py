"""How near written texts are to those that were wanted: BLEU, chrF and ROUGE, by their packages."""

import re

from bert_tf.errors import InputError

# Without spaces between words each character counts as one.
_CHINESE = re.compile(r"[\u3400-\u9fff\u3040-\u30ff]")
_WORDS = re.compile(r"[^\W_\u3400-\u9fff\u3040-\u30ff]+|[\u3400-\u9fff\u3040-\u30ff]")


def text_metrics(written, wanted):
    """Figures of a whole data set.

    Args:
      written, wanted: lists of str of one length, one at least.
    Returns:
      dict of floats, percentages: `bleu` and `chrf` as sacrebleu counts them with its defaults
      (Papineni et al. 2002; Popović 2015; of Chinese texts with its tokenizer `zh`); `rouge1`,
      `rouge2` and `rougeL`, mean F-measures of rouge-score (Lin 2004) over lower-cased words.
    Raises:
      InputError: one of the packages is not installed.
    """
    try:
        import sacrebleu
        from rouge_score import rouge_scorer
    except ImportError as error:
        raise InputError(
            f"BLEU, chrF and ROUGE take {error.name}: pip install sacrebleu rouge-score"
        ) from None
    chinese = sum(bool(_CHINESE.search(text)) for text in wanted) * 2 > len(wanted)
    bleu = sacrebleu.corpus_bleu(written, [wanted], tokenize="zh" if chinese else "13a")
    chrf = sacrebleu.corpus_chrf(written, [wanted])
    kinds = ("rouge1", "rouge2", "rougeL")
    scorer = rouge_scorer.RougeScorer(kinds, tokenizer=_Words())
    scores = [scorer.score(one, other) for one, other in zip(wanted, written, strict=True)]
    rouge = {
        kind: 100 * sum(score[kind].fmeasure for score in scores) / len(scores) for kind in kinds
    }
    return {"bleu": bleu.score, "chrf": chrf.score, **rouge}


class _Words:
    """What rouge-score asks for words; its own knows none but those of a to z."""

    @staticmethod
    def tokenize(text):
        return _WORDS.findall(text.lower())
