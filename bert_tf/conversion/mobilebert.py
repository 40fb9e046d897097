"""MobileBERT's names in the files of Hugging Face.

Sources: the state dicts of transformers' `MobileBertModel`, `MobileBertForSequenceClassification`,
`MobileBertForMaskedLM` and `MobileBertForPreTraining`.
"""

from bert_tf.conversion import rows
from bert_tf.conversion.family import Family, Layout, own_layout
from bert_tf.conversion.table import Row


def _normed(theirs, ours):
    return (
        *rows.hf_dense(f"{theirs}.dense", f"{ours}.dense"),
        *rows.hf_norm(f"{theirs}.LayerNorm", f"{ours}.norm"),
    )


def _feed_forward(theirs, ours):
    return (
        *rows.hf_dense(f"{theirs}intermediate.dense", f"{ours}.expand"),
        *rows.hf_dense(f"{theirs}output.dense", f"{ours}.contract"),
        *rows.hf_norm(f"{theirs}output.LayerNorm", f"{ours}.norm"),
    )


def _blocks():
    theirs, ours = "encoder.layer.{i}", "blocks.{i}"
    attention = f"{theirs}.attention.self"
    return (
        *_normed(f"{theirs}.bottleneck.input", f"{ours}.narrow"),
        *_normed(f"{theirs}.bottleneck.attention", f"{ours}.narrow_queries"),
        *rows.hf_dense(
            rows.joined(f"{attention}.{{}}", ("query", "key")), f"{ours}.attention.query_key"
        ),
        *rows.hf_dense(f"{attention}.value", f"{ours}.attention.value"),
        *rows.hf_dense(f"{theirs}.attention.output.dense", f"{ours}.attention.projection"),
        *rows.hf_norm(f"{theirs}.attention.output.LayerNorm", f"{ours}.attention_norm"),
        *_feed_forward(f"{theirs}.ffn.{{j}}.", f"{ours}.feed_forwards.{{j}}"),
        *_feed_forward(f"{theirs}.", f"{ours}.feed_forward"),
        *_normed(f"{theirs}.output.bottleneck", f"{ours}.widen"),
    )


_MASKED_LM = (
    *rows.hf_dense("cls.predictions.transform.dense", "masked_lm_head.dense"),
    *rows.hf_norm("cls.predictions.transform.LayerNorm", "masked_lm_head.norm"),
    Row("cls.predictions.dense.weight", "masked_lm_head.output_columns"),
    Row("cls.predictions.bias", "masked_lm_head.output_bias"),
)
_TIED = (
    ("cls.predictions.decoder.weight", "mobilebert.embeddings.word_embeddings.weight"),
    ("cls.predictions.decoder.bias", "cls.predictions.bias"),
)
_POOLER = r"^mobilebert\.pooler\."

HUGGINGFACE = Layout(
    encoder=(
        *rows.huggingface_embeddings(),
        *rows.hf_dense("embeddings.embedding_transformation", "embeddings.transformation"),
        *_blocks(),
        *rows.hf_dense("pooler.dense", "pooler.dense"),
    ),
    heads={
        "SequenceClassifier": rows.hf_dense("classifier", "head.projection"),
        "MultipleChoice": rows.hf_dense("classifier", "head.projection"),
        "ExtractiveQA": rows.hf_dense("qa_outputs", "head.projection"),
        "TokenClassifier": rows.hf_dense("classifier", "head.projection"),
        "MaskedLM": _MASKED_LM,
        "Pretraining": (
            *_MASKED_LM,
            *rows.hf_dense("cls.seq_relationship", "sentence_head.projection"),
        ),
    },
    any_head=r"^(cls|classifier|qa_outputs)\.",
    prefix="mobilebert.",
    ignorable=rows.BUFFERS,
    tied={"MaskedLM": _TIED, "Pretraining": _TIED},
    untied=dict.fromkeys(("MaskedLM", "Pretraining"), rows.untied("cls.predictions.decoder")),
    unused={
        "MaskedLM": rf"{_POOLER}|^cls\.seq_relationship\.",
        "ExtractiveQA": _POOLER,
        "TokenClassifier": _POOLER,
    },
)

MOBILEBERT = Family(
    encoder_class="MobileBertModel",
    classes={
        "SequenceClassifier": "MobileBertForSequenceClassification",
        "MultipleChoice": "MobileBertForMultipleChoice",
        "ExtractiveQA": "MobileBertForQuestionAnswering",
        "TokenClassifier": "MobileBertForTokenClassification",
        "MaskedLM": "MobileBertForMaskedLM",
        "Pretraining": "MobileBertForPreTraining",
    },
    pooled=("SequenceClassifier", "MultipleChoice", "Pretraining"),
    layouts={"huggingface": HUGGINGFACE, "bert_tf": own_layout(HUGGINGFACE)},
    sizes={
        **rows.sizes("blocks.{i}", num_hidden_layers=("blocks.{i}.attention_norm.gamma", "i")),
        "hidden_size": ("embeddings.norm.gamma", 0),
        "embedding_size": ("embeddings.word_embeddings", 1),
        "true_hidden_size": ("blocks.{i}.attention_norm.gamma", 0),
    },
    required=rows.REQUIRED | rows.NO_DECODER,
    fuller={"MaskedLM": "Pretraining"},
    read_as=rows.next_sentence("MobileBert"),
)
