"""Which words of a row a model is asked, by the objective over words."""

import dataclasses

from bert_tf.pretraining_data.blanks import blank_rows
from bert_tf.pretraining_data.denoising import denoising_rows
from bert_tf.pretraining_data.masking import MaskingVocabulary, mask_rows
from bert_tf.pretraining_data.next_words import next_words, words_beside
from bert_tf.pretraining_data.skip_gram import WordFrequencies, skip_gram_rows

# What `hide` gives that is no input of a model but a label.
LABELS = ("masked_ids", "masked_weights", "window_sizes", "noise_weights")

# What is asked without a mask token in the row.
_WITHOUT_MASKS = ("causal_lm", "bidirectional_lm", "skip_gram")


def known_of(words, tokenizer, table, masking):
    """What `hide` has to know of a vocabulary.

    Args:
      words: str, a value of `objective.words`.
      tokenizer: Tokenizer.
      table: RecordTable, whose words are counted where that matters.
      masking: as in `hide`.
    Returns:
      MaskingVocabulary, or WordFrequencies for skip_gram.
    Raises:
      InputError: the vocabulary has no words, or no mask token where one is put in.
    """
    if words not in _WITHOUT_MASKS:
        tokenizer.require_mask(f"objective.words {words}")
    if words == "skip_gram":
        return WordFrequencies.of(table, tokenizer, masking.sampling)
    return MaskingVocabulary.of(tokenizer)


def hide(words, input_ids, attention_mask, masking, vocabulary, seed, word_starts=None, rows=None):
    """The tokens that a model reads of rows, and the words that it is asked.

    Args:
      words: str, a value of `objective.words`. masked_lm and replaced_tokens: words are masked;
        causal_lm: every next word is asked; blank_infilling: masked spans are told word by word;
        skip_gram: each word's neighbours are; bidirectional_lm: every next word and every one
        before; denoising: every next word of the clean row, behind one with noise.
      masking: config.Masking, or config.Neighbours for skip_gram, config.Denoising for denoising.
      vocabulary: what `known_of` gives.
      input_ids, attention_mask, seed, word_starts, rows: as in `masking.mask_rows`.
    Returns:
      dict: input_ids, masked_positions, masked_ids and masked_weights as of `masking.mask_rows`;
      of blanks also attention_mask, token_type_ids, position_ids and reading_order; for skip_gram
      what `skip_gram_rows` says, for denoising what `denoising_rows` does.
    """
    if words == "causal_lm":
        return next_words(input_ids, attention_mask)
    if words == "bidirectional_lm":
        return words_beside(input_ids, attention_mask)
    drawn = (vocabulary, seed)
    if words == "skip_gram":
        return skip_gram_rows(input_ids, attention_mask, masking, *drawn, rows)
    if words == "denoising":
        return denoising_rows(input_ids, attention_mask, masking, *drawn, rows)
    if words == "blank_infilling":
        masking = dataclasses.replace(masking, mask_share=1.0, random_share=0.0)
    masked = mask_rows(input_ids, attention_mask, masking, *drawn, word_starts, rows)
    if words == "blank_infilling":
        return blank_rows(input_ids, attention_mask, masked, *drawn, rows)
    return masked
