"""The names of DeBERTa's versions 2 and 3 in the files of Hugging Face.

Sources: the state dicts of transformers' `DebertaV2Model`, `DebertaV2ForMaskedLM` and
`DebertaV2ForSequenceClassification`.
"""

from bert_tf.conversion import rows
from bert_tf.conversion.family import Family, Layout, own_layout
from bert_tf.conversion.table import Row, Transform

# PyTorch's convolutions are [out, in, taps], ours [taps, in, out].
_CONVOLUTION = Transform(
    lambda parts: parts[0].transpose(2, 1, 0), lambda array, count: [array.transpose(2, 1, 0)]
)
_THEIRS, _OURS = "encoder.layer.{i}", "blocks.{i}"
_SELF = f"{_THEIRS}.attention.self"
_POOLED = (
    *rows.hf_dense("pooler.dense", "head.hidden.0"),
    *rows.hf_dense("classifier", "head.projection"),
)


def _blocks():
    words = rows.joined(f"{_SELF}.{{}}", ("query_proj", "key_proj", "value_proj"))
    return (
        *rows.hf_dense(words, f"{_OURS}.attention.qkv"),
        *rows.hf_dense(f"{_SELF}.pos_key_proj", f"{_OURS}.attention.position_key"),
        *rows.hf_dense(f"{_SELF}.pos_query_proj", f"{_OURS}.attention.position_query"),
        *rows.hf_dense(f"{_THEIRS}.attention.output.dense", f"{_OURS}.attention.projection"),
        *rows.hf_norm(f"{_THEIRS}.attention.output.LayerNorm", f"{_OURS}.attention_norm"),
        *rows.hf_dense(f"{_THEIRS}.intermediate.dense", f"{_OURS}.feed_forward.expand"),
        *rows.hf_dense(f"{_THEIRS}.output.dense", f"{_OURS}.feed_forward.contract"),
        *rows.hf_norm(f"{_THEIRS}.output.LayerNorm", f"{_OURS}.feed_forward_norm"),
    )


def _convolution():
    """Beside the first block."""
    return (
        Row("encoder.conv.conv.weight", "blocks.0.convolution.kernel", _CONVOLUTION),
        Row("encoder.conv.conv.bias", "blocks.0.convolution.bias"),
        *rows.hf_norm("encoder.conv.LayerNorm", "blocks.0.convolution_norm"),
    )


HUGGINGFACE = Layout(
    encoder=(
        *rows.huggingface_embeddings(),
        Row("encoder.rel_embeddings.weight", "positions.vectors"),
        *rows.hf_norm("encoder.LayerNorm", "positions.norm"),
        *_blocks(),
        *_convolution(),
    ),
    heads={
        "SequenceClassifier": _POOLED,
        "MultipleChoice": _POOLED,
        "ExtractiveQA": rows.hf_dense("qa_outputs", "head.projection"),
        "TokenClassifier": rows.hf_dense("classifier", "head.projection"),
        "MaskedLM": (
            *rows.hf_dense("cls.predictions.transform.dense", "masked_lm_head.legacy.dense"),
            *rows.hf_norm("cls.predictions.transform.LayerNorm", "masked_lm_head.legacy.norm"),
            Row("cls.predictions.bias", "masked_lm_head.legacy.output_bias"),
        ),
    },
    any_head=r"^(cls|lm_predictions|mask_predictions|pooler|classifier|qa_outputs)\.",
    prefix="deberta.",
    old_names=rows.OLD_NORMS,
    ignorable=(
        *rows.BUFFERS,
        (
            r"(^|\.)embeddings\.position_embeddings\.weight$",
            "a table of places that position_biased_input: false does not read",
        ),
    ),
    tied={
        "MaskedLM": (
            ("cls.predictions.decoder.weight", "deberta.embeddings.word_embeddings.weight"),
            ("cls.predictions.decoder.bias", "cls.predictions.bias"),
        )
    },
    # Where it is not the legacy head, the other one: it always has the words' table.
    instead={
        "MaskedLM": (
            *rows.hf_dense("lm_predictions.lm_head.dense", "masked_lm_head.later.dense"),
            *rows.hf_norm("lm_predictions.lm_head.LayerNorm", "masked_lm_head.later.norm"),
            Row("lm_predictions.lm_head.bias", "masked_lm_head.later.output_bias"),
        )
    },
    untied={"MaskedLM": rows.untied("cls.predictions.decoder")},
    # A head of pretraining, which told replaced words from real ones.
    unused={"MaskedLM": r"^mask_predictions\."},
)

DEBERTA_V2 = Family(
    encoder_class="DebertaV2Model",
    classes={
        "SequenceClassifier": "DebertaV2ForSequenceClassification",
        "MultipleChoice": "DebertaV2ForMultipleChoice",
        "ExtractiveQA": "DebertaV2ForQuestionAnswering",
        "TokenClassifier": "DebertaV2ForTokenClassification",
        "MaskedLM": "DebertaV2ForMaskedLM",
    },
    pooled=(),
    layouts={"huggingface": HUGGINGFACE, "bert_tf": own_layout(HUGGINGFACE)},
    sizes={
        "vocab_size": ("embeddings.word_embeddings", 0),
        "hidden_size": (f"{_OURS}.attention_norm.gamma", 0),
        "intermediate_size": (f"{_OURS}.feed_forward.expand.bias", 0),
        "num_hidden_layers": (f"{_OURS}.attention_norm.gamma", "i"),
        # Tables that not every model has; what decides over them the config tells.
        "relative_rows": ("positions.vectors", 0),
        "position_rows": ("embeddings.position_embeddings", 0),
        "type_rows": ("embeddings.token_type_embeddings", 0),
    },
    required={"conv_groups": 1},
    told_by_names={"legacy": {True: r"^cls\.predictions\.", False: r"^lm_predictions\."}},
)
