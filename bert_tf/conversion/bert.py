"""BERT's names in the files of Hugging Face and of Google.

Sources: the state dicts of transformers' `BertModel`, `BertForSequenceClassification` and
`BertForPreTraining`; the variables of google-research/bert `modeling.py`, `run_pretraining.py` and
`run_classifier.py`.
"""

from bert_tf.conversion.family import Family, Layout, own_layout
from bert_tf.conversion.table import TRANSPOSED, Row


def _joined(template, parts=("query", "key", "value")):
    return tuple(template.format(part, i="{i}") for part in parts)


def _linear(theirs, ours):
    """A dense layer of Hugging Face: the weight is [out, in]."""
    return Row(f"{theirs}.weight", f"{ours}.kernel", TRANSPOSED), Row(
        f"{theirs}.bias", f"{ours}.bias"
    )


def _norm(theirs, ours):
    return Row(f"{theirs}.weight", f"{ours}.gamma"), Row(f"{theirs}.bias", f"{ours}.beta")


HUGGINGFACE = Layout(
    encoder=(
        Row("embeddings.word_embeddings.weight", "embeddings.word_embeddings"),
        Row("embeddings.position_embeddings.weight", "embeddings.position_embeddings"),
        Row("embeddings.token_type_embeddings.weight", "embeddings.token_type_embeddings"),
        *_norm("embeddings.LayerNorm", "embeddings.norm"),
        Row(
            _joined("encoder.layer.{i}.attention.self.{}.weight"),
            "blocks.{i}.attention.qkv.kernel",
            TRANSPOSED,
        ),
        Row(_joined("encoder.layer.{i}.attention.self.{}.bias"), "blocks.{i}.attention.qkv.bias"),
        *_linear("encoder.layer.{i}.attention.output.dense", "blocks.{i}.attention.projection"),
        *_norm("encoder.layer.{i}.attention.output.LayerNorm", "blocks.{i}.attention_norm"),
        *_linear("encoder.layer.{i}.intermediate.dense", "blocks.{i}.feed_forward.expand"),
        *_linear("encoder.layer.{i}.output.dense", "blocks.{i}.feed_forward.contract"),
        *_norm("encoder.layer.{i}.output.LayerNorm", "blocks.{i}.feed_forward_norm"),
        *_linear("pooler.dense", "pooler.dense"),
    ),
    heads={
        "SequenceClassifier": _linear("classifier", "head.projection"),
        "Pretraining": (
            *_linear("cls.predictions.transform.dense", "masked_lm_head.dense"),
            *_norm("cls.predictions.transform.LayerNorm", "masked_lm_head.norm"),
            Row("cls.predictions.bias", "masked_lm_head.output_bias"),
            *_linear("cls.seq_relationship", "sentence_head.projection"),
        ),
    },
    any_head=r"^(cls|classifier|qa_outputs)\.",
    prefix="bert.",
    old_names=((r"LayerNorm\.gamma$", "LayerNorm.weight"), (r"LayerNorm\.beta$", "LayerNorm.bias")),
    ignorable=(
        (
            r"(^|\.)embeddings\.(position_ids|token_type_ids)$",
            "a buffer of older files: 0, 1, 2, ... or zeros",
        ),
    ),
    twins={
        "Pretraining": (
            ("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"),
            ("cls.predictions.decoder.bias", "cls.predictions.bias"),
        ),
    },
)


def _dense(theirs, ours):
    """A dense layer of Google: the kernel is [in, out], as ours."""
    return Row(f"{theirs}/kernel", f"{ours}.kernel"), Row(f"{theirs}/bias", f"{ours}.bias")


def _scale(theirs, ours):
    return Row(f"{theirs}/gamma", f"{ours}.gamma"), Row(f"{theirs}/beta", f"{ours}.beta")


def _output(theirs, ours):
    """An output layer of Google: its weights are [labels, in]."""
    return Row(f"{theirs}output_weights", f"{ours}.kernel", TRANSPOSED), Row(
        f"{theirs}output_bias", f"{ours}.bias"
    )


GOOGLE = Layout(
    encoder=(
        Row("bert/embeddings/word_embeddings", "embeddings.word_embeddings"),
        Row("bert/embeddings/position_embeddings", "embeddings.position_embeddings"),
        Row("bert/embeddings/token_type_embeddings", "embeddings.token_type_embeddings"),
        *_scale("bert/embeddings/LayerNorm", "embeddings.norm"),
        Row(
            _joined("bert/encoder/layer_{i}/attention/self/{}/kernel"),
            "blocks.{i}.attention.qkv.kernel",
        ),
        Row(
            _joined("bert/encoder/layer_{i}/attention/self/{}/bias"),
            "blocks.{i}.attention.qkv.bias",
        ),
        *_dense("bert/encoder/layer_{i}/attention/output/dense", "blocks.{i}.attention.projection"),
        *_scale("bert/encoder/layer_{i}/attention/output/LayerNorm", "blocks.{i}.attention_norm"),
        *_dense("bert/encoder/layer_{i}/intermediate/dense", "blocks.{i}.feed_forward.expand"),
        *_dense("bert/encoder/layer_{i}/output/dense", "blocks.{i}.feed_forward.contract"),
        *_scale("bert/encoder/layer_{i}/output/LayerNorm", "blocks.{i}.feed_forward_norm"),
        *_dense("bert/pooler/dense", "pooler.dense"),
    ),
    heads={
        "SequenceClassifier": _output("", "head.projection"),
        "Pretraining": (
            *_dense("cls/predictions/transform/dense", "masked_lm_head.dense"),
            *_scale("cls/predictions/transform/LayerNorm", "masked_lm_head.norm"),
            Row("cls/predictions/output_bias", "masked_lm_head.output_bias"),
            *_output("cls/seq_relationship/", "sentence_head.projection"),
        ),
    },
    any_head=r"^(cls/|output_weights$|output_bias$)",
    ignorable=(
        (r"(^|/)(adam|lamb)_[mv](_\d+)?$", "an optimizer's moments"),
        (r"^global_step$", "how long the model was trained"),
        (r"AdamWeightDecayOptimizer|LAMBOptimizer", "an optimizer's state"),
    ),
)

BERT = Family(
    encoder_class="BertModel",
    classes={
        "SequenceClassifier": "BertForSequenceClassification",
        "Pretraining": "BertForPreTraining",
    },
    pooled=("SequenceClassifier", "Pretraining"),
    layouts={
        "huggingface": HUGGINGFACE,
        "google": GOOGLE,
        "bert_tf": own_layout(
            HUGGINGFACE,
            {
                "SequenceClassifier": ("head.hidden.{j}.kernel", "head.hidden.{j}.bias"),
                "Pretraining": (
                    "label_heads.{j}.projection.kernel",
                    "label_heads.{j}.projection.bias",
                ),
            },
            ("final_norm.gamma", "final_norm.beta"),
        ),
    },
    settled={
        "position_embedding_type": "absolute",
        "is_decoder": False,
        "add_cross_attention": False,
    },
    # Of our further options `layer_drop_rate` is not among them: it changes nothing but training,
    # so what transformers loads and what it computes is right, and the key is kept for us.
    expressible={"position_embedding": "learned", "norm": "post"},
)
