"""What a tokenizer is made of: normalizer, pre-tokenizer, model, post-processor, decoder."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class PipelineSettings:
    """A tokenizer as tokenizer.json has it.

    vocabulary: tuple of str, in the order of the ids. base_size: int, how many of them the model
    knows; those behind are added tokens alone. model: dict of its options, `type` among them.
    merges: tuple of pairs of str, of a BPE model. scores: tuple of float, of a Unigram model.
    steps: dict of normalizer, pre_tokenizer, post_processor and decoder, each as tokenizer.json has
    it or None. pad_token and the other names None: there is no such token. added_tokens: tuple of
    AddedToken, the special ones among them. model_max_length None: not known. cleanup: bool, take
    back spaces before punctuation when decoding. source: the file an error names.
    """

    vocabulary: tuple
    base_size: int
    model: dict
    merges: tuple
    scores: tuple
    steps: dict
    bos_token: str | None
    eos_token: str | None
    unk_token: str | None
    sep_token: str | None
    pad_token: str | None
    cls_token: str | None
    mask_token: str | None
    added_tokens: tuple
    model_max_length: int | float | None
    cleanup: bool
    source: str

    @property
    def special_tokens(self):
        """tuple of str, those of the added tokens that are special."""
        return tuple(token.content for token in self.added_tokens if token.special)
