"""BERT's names in the files of Hugging Face and of Google.

Sources: the state dicts of transformers' `BertModel`, `BertForSequenceClassification`,
`BertForMaskedLM` and `BertForPreTraining`; the variables of google-research/bert `modeling.py`,
`run_pretraining.py`, `run_classifier.py` and `run_squad.py`.
"""

from bert_tf.conversion import rows
from bert_tf.conversion.family import Family, Layout, own_layout
from bert_tf.conversion.table import Row

_HF_MASKED_LM = (
    *rows.hf_dense("cls.predictions.transform.dense", "masked_lm_head.dense"),
    *rows.hf_norm("cls.predictions.transform.LayerNorm", "masked_lm_head.norm"),
    Row("cls.predictions.bias", "masked_lm_head.output_bias"),
)
_TIED = (
    ("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"),
    ("cls.predictions.decoder.bias", "cls.predictions.bias"),
)

HUGGINGFACE = Layout(
    encoder=(
        *rows.huggingface_embeddings(),
        *rows.huggingface_blocks(),
        *rows.huggingface_cross("encoder.layer.{i}", "blocks.{i}"),
        *rows.hf_dense("pooler.dense", "pooler.dense"),
    ),
    heads={
        "SequenceClassifier": rows.hf_dense("classifier", "head.projection"),
        "MultipleChoice": rows.hf_dense("classifier", "head.projection"),
        "ExtractiveQA": rows.hf_dense("qa_outputs", "head.projection"),
        "TokenClassifier": rows.hf_dense("classifier", "head.projection"),
        "MaskedLM": _HF_MASKED_LM,
        "Pretraining": (
            *_HF_MASKED_LM,
            *rows.hf_dense("cls.seq_relationship", "sentence_head.projection"),
        ),
    },
    any_head=r"^(cls|classifier|qa_outputs)\.",
    prefix="bert.",
    old_names=rows.OLD_NORMS,
    ignorable=rows.BUFFERS,
    tied={"MaskedLM": _TIED, "Pretraining": _TIED},
    untied=dict.fromkeys(("MaskedLM", "Pretraining"), rows.untied("cls.predictions.decoder")),
    unused={
        "MaskedLM": r"^(bert\.pooler|cls\.seq_relationship)\.",
        "ExtractiveQA": r"^bert\.pooler\.",
        "TokenClassifier": r"^bert\.pooler\.",
    },
)

GOOGLE = Layout(
    encoder=(
        *rows.google_embeddings("bert"),
        *rows.google_blocks("bert"),
        *rows.google_dense("bert/pooler/dense", "pooler.dense"),
    ),
    heads={
        "SequenceClassifier": rows.google_output("", "head.projection"),
        "ExtractiveQA": rows.google_output("cls/squad/", "head.projection"),
        "MaskedLM": rows.google_masked_lm(),
        "Pretraining": (
            *rows.google_masked_lm(),
            *rows.google_output("cls/seq_relationship/", "sentence_head.projection"),
        ),
    },
    any_head=r"^(cls/|output_weights$|output_bias$)",
    unused={"MaskedLM": r"^bert/pooler/", "ExtractiveQA": r"^bert/pooler/"},
)

BERT = Family(
    encoder_class="BertModel",
    classes={
        "SequenceClassifier": "BertForSequenceClassification",
        "MultipleChoice": "BertForMultipleChoice",
        "ExtractiveQA": "BertForQuestionAnswering",
        "TokenClassifier": "BertForTokenClassification",
        "MaskedLM": "BertForMaskedLM",
        "Pretraining": "BertForPreTraining",
    },
    pooled=("SequenceClassifier", "MultipleChoice", "Pretraining"),
    layouts={
        "huggingface": HUGGINGFACE,
        "google": GOOGLE,
        "bert_tf": own_layout(HUGGINGFACE, rows.OWN_ENCODER),
    },
    sizes=rows.sizes("blocks.{i}", num_hidden_layers=("blocks.{i}.attention_norm.gamma", "i")),
    required=rows.REQUIRED,
    expressible=rows.EXPRESSIBLE,
    # Google's BERTs stand at Hugging Face under the name of a part of their heads.
    fuller={"MaskedLM": "Pretraining"},
    read_as=rows.next_sentence("Bert"),
    # What Google's code takes where the config is silent; their published files say 2.
    google_defaults={"type_vocab_size": 16},
)
