"""ELECTRA's names in the files of Hugging Face and of Google.

Sources: the state dicts of transformers' `ElectraModel`, `ElectraForSequenceClassification`,
`ElectraForMaskedLM` and `ElectraForPreTraining`; the variables of google-research/electra
`run_pretraining.py`. Hugging Face keeps discriminator and generator in two directories, Google in
one checkpoint with one set of embeddings.
"""

import re

from bert_tf.conversion import rows
from bert_tf.conversion.family import Family, Layout, own_layout
from bert_tf.conversion.table import Row

# Where the generator stands below a discriminator that was trained with it.
GENERATOR_FOLDER = "generator"

HUGGINGFACE = Layout(
    encoder=(
        *rows.huggingface_embeddings(),
        *rows.linear("embeddings_project", "embeddings_projection"),
        *rows.huggingface_blocks(),
    ),
    heads={
        "SequenceClassifier": (
            *rows.linear("classifier.dense", "head.hidden.0"),
            *rows.linear("classifier.out_proj", "head.projection"),
        ),
        "MaskedLM": (
            *rows.linear("generator_predictions.dense", "masked_lm_head.dense"),
            *rows.norm("generator_predictions.LayerNorm", "masked_lm_head.norm"),
            Row("generator_lm_head.bias", "masked_lm_head.output_bias"),
        ),
        "ElectraPretraining": (
            *rows.linear("discriminator_predictions.dense", "head.hidden.0"),
            *rows.linear("discriminator_predictions.dense_prediction", "head.projection"),
        ),
    },
    any_head=r"^(discriminator_predictions|generator_predictions|generator_lm_head|classifier"
    r"|sequence_summary|qa_outputs)\.",
    prefix="electra.",
    old_names=rows.OLD_NORMS,
    ignorable=rows.BUFFERS,
    twins={
        "MaskedLM": (("generator_lm_head.weight", "electra.embeddings.word_embeddings.weight"),)
    },
)


def _google_words(ours=""):
    return (
        *rows.dense("generator_predictions/dense", f"{ours}masked_lm_head.dense"),
        *rows.scale("generator_predictions/LayerNorm", f"{ours}masked_lm_head.norm"),
        Row("generator_predictions/output_bias", f"{ours}masked_lm_head.output_bias"),
    )


GOOGLE = Layout(
    encoder=(
        *rows.google_embeddings("electra"),
        *rows.dense("electra/embeddings_project", "embeddings_projection"),
        *rows.google_blocks("electra"),
    ),
    heads={
        # What their code trains with `electra_objective` off: one encoder, and words.
        "MaskedLM": _google_words(),
        "ElectraPretraining": (
            *rows.dense("discriminator_predictions/dense", "head.hidden.0"),
            *rows.dense("discriminator_predictions/dense_1", "head.projection"),
            *rows.dense("generator/embeddings_project", "generator.encoder.embeddings_projection"),
            *rows.google_blocks("generator", "generator.encoder."),
            *_google_words("generator."),
        ),
    },
    any_head=r"^(discriminator_predictions|generator_predictions|generator|task_specific)/",
    ignorable=(*rows.TRAINING, (r"(^|/)temperature$", "a constant of the sampling")),
)


def google_sizes(tensors):
    """The sizes that Google's checkpoints show in their shapes; they come without a config.

    Heads are 64 wide there (google-research/electra, util/training_utils.py, get_bert_config).

    Args:
      tensors: dict of name to StoredTensor.
    Returns:
      dict of the fields of config.json; only what the tensors tell.
    """
    sizes = _sizes_of_blocks(tensors, "electra")
    for table, rows_of in (
        ("word_embeddings", "vocab_size"),
        ("position_embeddings", "max_position_embeddings"),
        ("token_type_embeddings", "type_vocab_size"),
    ):
        if (tensor := tensors.get(f"electra/embeddings/{table}")) is not None:
            sizes[rows_of], sizes["embedding_size"] = tensor.shape
    return sizes


def generator_config(config, tensors):
    """The generator in a checkpoint of Google's.

    Args:
      config: dict, the discriminator's config; under `bert_tf.generator` the generator's own, where
        we wrote the file.
      tensors: dict of name to StoredTensor.
    Returns:
      dict, its config, or None where there is no generator.
    """
    ours = config.get("bert_tf")
    if isinstance(ours, dict) and isinstance(ours.get("generator"), dict):
        return ours["generator"]
    sizes = _sizes_of_blocks(tensors, "generator")
    return config | sizes if sizes else None


def _sizes_of_blocks(tensors, root):
    wanted = re.compile(rf"{root}/encoder/layer_\d+/intermediate/dense/kernel")
    kernels = [tensor.shape for name, tensor in tensors.items() if wanted.fullmatch(name)]
    if not kernels:
        return {}
    width, inner = kernels[0]
    return {
        "hidden_size": width,
        "num_hidden_layers": len(kernels),
        "num_attention_heads": max(1, width // 64),
        "intermediate_size": inner,
    }


ELECTRA = Family(
    encoder_class="ElectraModel",
    classes={
        "SequenceClassifier": "ElectraForSequenceClassification",
        "MaskedLM": "ElectraForMaskedLM",
        "ElectraPretraining": "ElectraForPreTraining",
    },
    pooled=(),
    layouts={
        "huggingface": HUGGINGFACE,
        "google": GOOGLE,
        "bert_tf": own_layout(HUGGINGFACE, rows.OWN_HEADS, rows.OWN_ENCODER),
    },
    settled=rows.SETTLED,
    expressible=rows.EXPRESSIBLE,
    google_sign=r"^electra/embeddings/",
    google_sizes=google_sizes,
)
