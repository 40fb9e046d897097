"""ELECTRA's names in the files of Hugging Face and of Google.

Sources: the state dicts of transformers' `ElectraModel`, `ElectraForSequenceClassification`,
`ElectraForMaskedLM` and `ElectraForPreTraining`; the variables of google-research/electra
`run_pretraining.py`. Hugging Face keeps discriminator and generator in two directories, Google in
one checkpoint with one set of embeddings.
"""

from absl import logging

from bert_tf.conversion import rows
from bert_tf.conversion.family import Family, Layout, own_layout
from bert_tf.conversion.sizes import config_of, sizes_of
from bert_tf.conversion.table import Row

HUGGINGFACE = Layout(
    encoder=(
        *rows.huggingface_embeddings(),
        *rows.hf_dense("embeddings_project", "embeddings_projection"),
        *rows.huggingface_blocks(),
    ),
    heads={
        "SequenceClassifier": (
            *rows.hf_dense("classifier.dense", "head.hidden.0"),
            *rows.hf_dense("classifier.out_proj", "head.projection"),
        ),
        "MultipleChoice": (
            *rows.hf_dense("sequence_summary.summary", "head.hidden.0"),
            *rows.hf_dense("classifier", "head.projection"),
        ),
        "ExtractiveQA": rows.hf_dense("qa_outputs", "head.projection"),
        "TokenClassifier": rows.hf_dense("classifier", "head.projection"),
        "MaskedLM": (
            *rows.hf_dense("generator_predictions.dense", "masked_lm_head.dense"),
            *rows.hf_norm("generator_predictions.LayerNorm", "masked_lm_head.norm"),
            Row("generator_lm_head.bias", "masked_lm_head.output_bias"),
        ),
        "ElectraPretraining": (
            *rows.hf_dense("discriminator_predictions.dense", "head.hidden.0"),
            *rows.hf_dense("discriminator_predictions.dense_prediction", "head.projection"),
        ),
    },
    any_head=r"^(discriminator_predictions|generator_predictions|generator_lm_head|classifier"
    r"|sequence_summary|qa_outputs)\.",
    prefix="electra.",
    old_names=rows.OLD_NORMS,
    ignorable=rows.BUFFERS,
    tied={"MaskedLM": (("generator_lm_head.weight", "electra.embeddings.word_embeddings.weight"),)},
    untied={"MaskedLM": rows.untied("generator_lm_head", has_idle_bias=False)},
)


def _google_masked_lm(ours=""):
    return (
        *rows.google_dense("generator_predictions/dense", f"{ours}masked_lm_head.dense"),
        *rows.google_norm("generator_predictions/LayerNorm", f"{ours}masked_lm_head.norm"),
        Row("generator_predictions/output_bias", f"{ours}masked_lm_head.output_bias"),
    )


GOOGLE = Layout(
    encoder=(
        *rows.google_embeddings("electra"),
        *rows.google_dense("electra/embeddings_project", "embeddings_projection"),
        *rows.google_blocks("electra"),
    ),
    heads={
        # What their code trains with `electra_objective` off: one encoder, and words.
        "MaskedLM": _google_masked_lm(),
        "ElectraPretraining": (
            *rows.google_dense("discriminator_predictions/dense", "head.hidden.0"),
            *rows.google_dense("discriminator_predictions/dense_1", "head.projection"),
            *rows.google_dense(
                "generator/embeddings_project", "generator.encoder.embeddings_projection"
            ),
            *rows.google_blocks("generator", "generator.encoder."),
            *_google_masked_lm("generator."),
        ),
    },
    any_head=r"^(discriminator_predictions|generator_predictions|generator|task_specific)/",
    ignorable=((r"(^|/)temperature$", "a constant of the sampling"),),
)


SIZES = rows.sizes(
    "blocks.{i}",
    embedding_size=("embeddings.word_embeddings", 1),
    num_hidden_layers=("blocks.{i}.attention_norm.gamma", "i"),
)
# Whatever their size (google-research/electra, util/training_utils.py, get_bert_config).
HEAD_WIDTH = 64


def generator_sizes(tensors):
    """What the tensors of Google's checkpoint tell of the generator; as `sizes.sizes_of`."""
    return sizes_of(SIZES, GOOGLE.heads["ElectraPretraining"], tensors, "generator.encoder.")


def generator_config(contents):
    """The generator in a checkpoint of Google's.

    Args:
      contents: Contents of the checkpoint. Under `bert_tf.generator` its config holds the
        generator's own, where we wrote the file.
    Returns:
      dict, its config, or None where there is no generator.
    """
    ours = contents.config.get("bert_tf")
    if isinstance(ours, dict) and isinstance(ours.get("generator"), dict):
        return ours["generator"]
    found = generator_sizes(contents.tensors)
    if not found["num_hidden_layers"].value:
        return None
    sizes = config_of(found, HEAD_WIDTH)
    if contents.config_file != contents.weights_file:  # without any config it is said already
        logging.warning(
            "%s: no config of the generator; its num_attention_heads is taken to be %d, for heads "
            "of %d as in every published one",
            contents.weights_file,
            sizes["num_attention_heads"],
            HEAD_WIDTH,
        )
    return contents.config | sizes


ELECTRA = Family(
    encoder_class="ElectraModel",
    classes={
        "SequenceClassifier": "ElectraForSequenceClassification",
        "MultipleChoice": "ElectraForMultipleChoice",
        "ExtractiveQA": "ElectraForQuestionAnswering",
        "TokenClassifier": "ElectraForTokenClassification",
        "MaskedLM": "ElectraForMaskedLM",
        "ElectraPretraining": "ElectraForPreTraining",
    },
    pooled=(),
    layouts={
        "huggingface": HUGGINGFACE,
        "google": GOOGLE,
        "bert_tf": own_layout(HUGGINGFACE, rows.OWN_ENCODER),
    },
    sizes=SIZES,
    required=rows.REQUIRED,
    expressible=rows.EXPRESSIBLE,
    google_marker=r"^electra/embeddings/",
    google_head_width=HEAD_WIDTH,
    companions={"generator": (generator_config, generator_sizes)},
)
