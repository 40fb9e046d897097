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
        *rows.linear(rows.joined(f"{theirs}.attention.{{}}"), f"{ours}.attention.qkv"),
        *rows.linear(f"{theirs}.attention.dense", f"{ours}.attention.projection"),
        *rows.norm(f"{theirs}.attention.LayerNorm", f"{ours}.attention_norm"),
        *rows.linear(f"{theirs}.ffn", f"{ours}.feed_forward.expand"),
        *rows.linear(f"{theirs}.ffn_output", f"{ours}.feed_forward.contract"),
        *rows.norm(f"{theirs}.full_layer_layer_norm", f"{ours}.feed_forward_norm"),
    )


_HUGGINGFACE_WORDS = (
    *rows.linear("predictions.dense", "masked_lm_head.dense"),
    *rows.norm("predictions.LayerNorm", "masked_lm_head.norm"),
    Row("predictions.bias", "masked_lm_head.output_bias"),
)
_TIED = (
    ("predictions.decoder.weight", "albert.embeddings.word_embeddings.weight"),
    ("predictions.decoder.bias", "predictions.bias"),
)

HUGGINGFACE = Layout(
    encoder=(
        *rows.huggingface_embeddings(),
        *rows.linear("encoder.embedding_hidden_mapping_in", "embeddings_projection"),
        *_huggingface_blocks(),
        *rows.linear("pooler", "pooler.dense"),
    ),
    heads={
        "SequenceClassifier": rows.linear("classifier", "head.projection"),
        "MaskedLM": _HUGGINGFACE_WORDS,
        "Pretraining": (
            *_HUGGINGFACE_WORDS,
            *rows.linear("sop_classifier.classifier", "sentence_head.projection"),
        ),
    },
    any_head=r"^(predictions|sop_classifier|classifier|qa_outputs)\.",
    prefix="albert.",
    old_names=rows.OLD_NORMS,
    ignorable=rows.BUFFERS,
    twins={"MaskedLM": _TIED, "Pretraining": _TIED},
    unused={"MaskedLM": r"^(albert\.pooler|sop_classifier)\."},
)


def _google_blocks():
    theirs = "bert/encoder/transformer/group_{i}/inner_group_{j}"
    ours = "groups.{i}.{j}"
    return (
        *rows.dense(rows.joined(f"{theirs}/attention_1/self/{{}}"), f"{ours}.attention.qkv"),
        *rows.dense(f"{theirs}/attention_1/output/dense", f"{ours}.attention.projection"),
        *rows.scale(f"{theirs}/LayerNorm", f"{ours}.attention_norm"),
        *rows.dense(f"{theirs}/ffn_1/intermediate/dense", f"{ours}.feed_forward.expand"),
        *rows.dense(f"{theirs}/ffn_1/intermediate/output/dense", f"{ours}.feed_forward.contract"),
        *rows.scale(f"{theirs}/LayerNorm_1", f"{ours}.feed_forward_norm"),
    )


GOOGLE = Layout(
    encoder=(
        *rows.google_embeddings("bert"),
        *rows.dense("bert/encoder/embedding_hidden_mapping_in", "embeddings_projection"),
        *_google_blocks(),
        *rows.dense("bert/pooler/dense", "pooler.dense"),
    ),
    heads={
        "SequenceClassifier": rows.output("", "head.projection"),
        "MaskedLM": rows.google_words(),
        "Pretraining": (
            *rows.google_words(),
            *rows.output("cls/seq_relationship/", "sentence_head.projection"),
        ),
    },
    any_head=r"^(cls/|output_weights$|output_bias$)",
    # TF-Hub's modules hold the same variables one scope deeper.
    old_names=((r"^module/", ""),),
    ignorable=rows.TRAINING,
    unused={"MaskedLM": r"^bert/pooler/"},
)

ALBERT = Family(
    encoder_class="AlbertModel",
    classes={
        "SequenceClassifier": "AlbertForSequenceClassification",
        "MaskedLM": "AlbertForMaskedLM",
        "Pretraining": "AlbertForPreTraining",
    },
    pooled=("SequenceClassifier", "Pretraining"),
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
    settled=rows.SETTLED,
    expressible=rows.EXPRESSIBLE,
    fuller={"MaskedLM": "Pretraining"},
    google_sign=r"(^|/)bert/encoder/transformer/group_",
)
