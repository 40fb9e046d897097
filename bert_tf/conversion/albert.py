"""ALBERT's names in the files of Hugging Face and of Google.

Sources: the state dicts of transformers' `AlbertModel`, `AlbertForSequenceClassification`,
`AlbertForMaskedLM` and `AlbertForPreTraining`; the variables of google-research/albert
`modeling.py`, `run_pretraining.py` and `run_classifier.py`.
"""

from bert_tf.conversion import rows
from bert_tf.conversion.family import Family, Layout, own_layout
from bert_tf.conversion.table import Row


def _huggingface_blocks():
    theirs = "encoder.albert_layer_groups.{i}.albert_layers.{j}"
    ours = "groups.{i}.{j}"
    return (
        *rows.hf_dense(rows.joined(f"{theirs}.attention.{{}}"), f"{ours}.attention.qkv"),
        *rows.hf_dense(f"{theirs}.attention.dense", f"{ours}.attention.projection"),
        *rows.hf_norm(f"{theirs}.attention.LayerNorm", f"{ours}.attention_norm"),
        *rows.hf_dense(f"{theirs}.ffn", f"{ours}.feed_forward.expand"),
        *rows.hf_dense(f"{theirs}.ffn_output", f"{ours}.feed_forward.contract"),
        *rows.hf_norm(f"{theirs}.full_layer_layer_norm", f"{ours}.feed_forward_norm"),
    )


_HF_MASKED_LM = (
    *rows.hf_dense("predictions.dense", "masked_lm_head.dense"),
    *rows.hf_norm("predictions.LayerNorm", "masked_lm_head.norm"),
    Row("predictions.bias", "masked_lm_head.output_bias"),
)
_TIED = (
    ("predictions.decoder.weight", "albert.embeddings.word_embeddings.weight"),
    ("predictions.decoder.bias", "predictions.bias"),
)

HUGGINGFACE = Layout(
    encoder=(
        *rows.huggingface_embeddings(),
        *rows.hf_dense("encoder.embedding_hidden_mapping_in", "embeddings_projection"),
        *_huggingface_blocks(),
        *rows.hf_dense("pooler", "pooler.dense"),
    ),
    heads={
        "SequenceClassifier": rows.hf_dense("classifier", "head.projection"),
        "MultipleChoice": rows.hf_dense("classifier", "head.projection"),
        "ExtractiveQA": rows.hf_dense("qa_outputs", "head.projection"),
        "TokenClassifier": rows.hf_dense("classifier", "head.projection"),
        "MaskedLM": _HF_MASKED_LM,
        "Pretraining": (
            *_HF_MASKED_LM,
            *rows.hf_dense("sop_classifier.classifier", "sentence_head.projection"),
        ),
    },
    any_head=r"^(predictions|sop_classifier|classifier|qa_outputs)\.",
    prefix="albert.",
    old_names=rows.OLD_NORMS,
    ignorable=rows.BUFFERS,
    tied={"MaskedLM": _TIED, "Pretraining": _TIED},
    untied=dict.fromkeys(("MaskedLM", "Pretraining"), rows.untied("predictions.decoder")),
    unused={
        "MaskedLM": r"^(albert\.pooler|sop_classifier)\.",
        "ExtractiveQA": r"^albert\.pooler\.",
        "TokenClassifier": r"^albert\.pooler\.",
    },
)


def _google_blocks():
    theirs = "bert/encoder/transformer/group_{i}/inner_group_{j}"
    ours = "groups.{i}.{j}"
    return (
        *rows.google_dense(rows.joined(f"{theirs}/attention_1/self/{{}}"), f"{ours}.attention.qkv"),
        *rows.google_dense(f"{theirs}/attention_1/output/dense", f"{ours}.attention.projection"),
        *rows.google_norm(f"{theirs}/LayerNorm", f"{ours}.attention_norm"),
        *rows.google_dense(f"{theirs}/ffn_1/intermediate/dense", f"{ours}.feed_forward.expand"),
        *rows.google_dense(
            f"{theirs}/ffn_1/intermediate/output/dense", f"{ours}.feed_forward.contract"
        ),
        *rows.google_norm(f"{theirs}/LayerNorm_1", f"{ours}.feed_forward_norm"),
    )


GOOGLE = Layout(
    encoder=(
        *rows.google_embeddings("bert"),
        *rows.google_dense("bert/encoder/embedding_hidden_mapping_in", "embeddings_projection"),
        *_google_blocks(),
        *rows.google_dense("bert/pooler/dense", "pooler.dense"),
    ),
    heads={
        "SequenceClassifier": rows.google_output("", "head.projection"),
        "MaskedLM": rows.google_masked_lm(),
        "Pretraining": (
            *rows.google_masked_lm(),
            *rows.google_output("cls/seq_relationship/", "sentence_head.projection"),
        ),
    },
    any_head=r"^(cls/|output_weights$|output_bias$)",
    unused={"MaskedLM": r"^bert/pooler/"},
)

ALBERT = Family(
    encoder_class="AlbertModel",
    classes={
        "SequenceClassifier": "AlbertForSequenceClassification",
        "MultipleChoice": "AlbertForMultipleChoice",
        "ExtractiveQA": "AlbertForQuestionAnswering",
        "TokenClassifier": "AlbertForTokenClassification",
        "MaskedLM": "AlbertForMaskedLM",
        "Pretraining": "AlbertForPreTraining",
    },
    pooled=("SequenceClassifier", "MultipleChoice", "Pretraining"),
    layouts={
        "huggingface": HUGGINGFACE,
        "google": GOOGLE,
        "bert_tf": own_layout(HUGGINGFACE, rows.OWN_ENCODER),
    },
    # How many layers share the groups, no tensor tells.
    sizes=rows.sizes(
        "groups.{i}.{j}",
        embedding_size=("embeddings.word_embeddings", 1),
        num_hidden_groups=("groups.{i}.{j}.attention_norm.gamma", "i"),
        inner_group_num=("groups.{i}.{j}.attention_norm.gamma", "j"),
    ),
    required=rows.REQUIRED,
    expressible=rows.EXPRESSIBLE,
    fuller={"MaskedLM": "Pretraining"},
    google_marker=r"(^|/)bert/encoder/transformer/group_",
)
