"""ModernBERT's names in the files of Hugging Face.

Sources: the state dicts of transformers' `ModernBertModel`, `ModernBertForMaskedLM` and
`ModernBertForSequenceClassification`.
"""

from bert_tf.conversion import rows
from bert_tf.conversion.family import Family, Layout, own_layout
from bert_tf.conversion.table import Row

_THEIRS, _OURS = "layers.{i}", "blocks.{i}"
_HEAD = (
    *rows.hf_dense("head.dense", "head.hidden.0"),
    *rows.hf_norm("head.norm", "head.norms.0"),
    *rows.hf_dense("classifier", "head.projection"),
)

HUGGINGFACE = Layout(
    encoder=(
        Row("embeddings.tok_embeddings.weight", "embeddings.word_embeddings"),
        *rows.hf_norm("embeddings.norm", "embeddings.norm"),
        # The first block has none.
        *rows.hf_norm(f"{_THEIRS}.attn_norm", f"{_OURS}.attention_norm"),
        *rows.hf_dense(f"{_THEIRS}.attn.Wqkv", f"{_OURS}.attention.qkv"),
        *rows.hf_dense(f"{_THEIRS}.attn.Wo", f"{_OURS}.attention.projection"),
        *rows.hf_norm(f"{_THEIRS}.mlp_norm", f"{_OURS}.feed_forward_norm"),
        *rows.hf_dense(f"{_THEIRS}.mlp.Wi", f"{_OURS}.feed_forward.expand"),
        *rows.hf_dense(f"{_THEIRS}.mlp.Wo", f"{_OURS}.feed_forward.contract"),
        *rows.hf_norm("final_norm", "final_norm"),
    ),
    heads={
        **dict.fromkeys(
            ("SequenceClassifier", "MultipleChoice", "ExtractiveQA", "TokenClassifier"), _HEAD
        ),
        "MaskedLM": (
            *rows.hf_dense("head.dense", "masked_lm_head.dense"),
            *rows.hf_norm("head.norm", "masked_lm_head.norm"),
            Row("decoder.bias", "masked_lm_head.output_bias"),
        ),
    },
    any_head=r"^(head|decoder|classifier)\.",
    prefix="model.",
    # Where a wrapper's prefix `model.` went from before `model.` alone.
    old_names=((r"^model\.(head|decoder|classifier)\.", r"\1."),),
    untied={"MaskedLM": rows.untied("decoder", has_idle_bias=False)},
    tied={"MaskedLM": (("decoder.weight", "model.embeddings.tok_embeddings.weight"),)},
)

MODERNBERT = Family(
    encoder_class="ModernBertModel",
    classes={
        "SequenceClassifier": "ModernBertForSequenceClassification",
        "MultipleChoice": "ModernBertForMultipleChoice",
        "ExtractiveQA": "ModernBertForQuestionAnswering",
        "TokenClassifier": "ModernBertForTokenClassification",
        "MaskedLM": "ModernBertForMaskedLM",
    },
    pooled=(),
    layouts={"huggingface": HUGGINGFACE, "bert_tf": own_layout(HUGGINGFACE)},
    sizes={
        "vocab_size": ("embeddings.word_embeddings", 0),
        "hidden_size": (f"{_OURS}.feed_forward_norm.gamma", 0),
        "intermediate_size": (f"{_OURS}.feed_forward.contract.kernel", 0),
        "num_hidden_layers": (f"{_OURS}.feed_forward_norm.gamma", "i"),
    },
    # Positions that are stretched for longer rows than a model was trained on.
    required={"rope_scaling": {}},
)
