"""DistilBERT's names in the files of Hugging Face.

Sources: the state dicts of transformers' `DistilBertModel`, `DistilBertForSequenceClassification`
and `DistilBertForMaskedLM`.
"""

from bert_tf.conversion import rows
from bert_tf.conversion.family import Family, Layout, own_layout
from bert_tf.conversion.table import Row


def _blocks():
    theirs, ours = "transformer.layer.{i}", "blocks.{i}"
    return (
        *rows.hf_dense(
            rows.joined(f"{theirs}.attention.{{}}_lin", ("q", "k", "v")), f"{ours}.attention.qkv"
        ),
        *rows.hf_dense(f"{theirs}.attention.out_lin", f"{ours}.attention.projection"),
        *rows.hf_norm(f"{theirs}.sa_layer_norm", f"{ours}.attention_norm"),
        *rows.hf_dense(f"{theirs}.ffn.lin1", f"{ours}.feed_forward.expand"),
        *rows.hf_dense(f"{theirs}.ffn.lin2", f"{ours}.feed_forward.contract"),
        *rows.hf_norm(f"{theirs}.output_layer_norm", f"{ours}.feed_forward_norm"),
    )


_CLASSIFIER = (
    *rows.hf_dense("pre_classifier", "head.hidden.0"),
    *rows.hf_dense("classifier", "head.projection"),
)

HUGGINGFACE = Layout(
    encoder=(
        *(
            Row(f"embeddings.{name}.weight", f"embeddings.{name}")
            for name in ("word_embeddings", "position_embeddings")
        ),
        *rows.hf_norm("embeddings.LayerNorm", "embeddings.norm"),
        *_blocks(),
    ),
    heads={
        "SequenceClassifier": _CLASSIFIER,
        "MultipleChoice": _CLASSIFIER,
        "ExtractiveQA": rows.hf_dense("qa_outputs", "head.projection"),
        "TokenClassifier": rows.hf_dense("classifier", "head.projection"),
        "MaskedLM": (
            *rows.hf_dense("vocab_transform", "masked_lm_head.dense"),
            *rows.hf_norm("vocab_layer_norm", "masked_lm_head.norm"),
            Row("vocab_projector.bias", "masked_lm_head.output_bias"),
        ),
    },
    any_head=r"^(pre_classifier|classifier|qa_outputs|vocab_(transform|layer_norm|projector))\.",
    prefix="distilbert.",
    old_names=rows.OLD_NORMS,
    ignorable=rows.BUFFERS,
    tied={
        "MaskedLM": (("vocab_projector.weight", "distilbert.embeddings.word_embeddings.weight"),)
    },
    untied={"MaskedLM": rows.untied("vocab_projector", has_idle_bias=False)},
)

DISTILBERT = Family(
    encoder_class="DistilBertModel",
    classes={
        "SequenceClassifier": "DistilBertForSequenceClassification",
        "MultipleChoice": "DistilBertForMultipleChoice",
        "ExtractiveQA": "DistilBertForQuestionAnswering",
        "TokenClassifier": "DistilBertForTokenClassification",
        "MaskedLM": "DistilBertForMaskedLM",
    },
    pooled=(),
    layouts={"huggingface": HUGGINGFACE, "bert_tf": own_layout(HUGGINGFACE)},
    sizes=rows.sizes("blocks.{i}", num_hidden_layers=("blocks.{i}.attention_norm.gamma", "i")),
    required=rows.REQUIRED | rows.NO_DECODER,
)
