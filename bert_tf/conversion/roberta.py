"""RoBERTa's and XLM-RoBERTa's names in the files of Hugging Face.

Sources: the state dicts of transformers' `RobertaModel`, `RobertaForSequenceClassification`,
`RobertaForMultipleChoice` and `RobertaForMaskedLM`, and of the same classes of XLM-RoBERTa, whose
tensors have RoBERTa's names.
"""

import dataclasses

from bert_tf.conversion import rows
from bert_tf.conversion.family import Family, Layout, own_layout
from bert_tf.conversion.table import Row

# Files of before 2021 hold a pooler whatever the head; no head here but that of choices reads it.
_POOLER = r"^roberta\.pooler\."

HUGGINGFACE = Layout(
    encoder=(
        *rows.huggingface_embeddings(),
        *rows.huggingface_blocks(),
        *rows.hf_dense("pooler.dense", "pooler.dense"),
    ),
    heads={
        "SequenceClassifier": (
            *rows.hf_dense("classifier.dense", "head.hidden.0"),
            *rows.hf_dense("classifier.out_proj", "head.projection"),
        ),
        "MultipleChoice": rows.hf_dense("classifier", "head.projection"),
        "ExtractiveQA": rows.hf_dense("qa_outputs", "head.projection"),
        "TokenClassifier": rows.hf_dense("classifier", "head.projection"),
        "MaskedLM": (
            *rows.hf_dense("lm_head.dense", "masked_lm_head.dense"),
            *rows.hf_norm("lm_head.layer_norm", "masked_lm_head.norm"),
            Row("lm_head.bias", "masked_lm_head.output_bias"),
        ),
    },
    any_head=r"^(lm_head|classifier|qa_outputs)\.",
    prefix="roberta.",
    old_names=rows.OLD_NORMS,
    ignorable=rows.BUFFERS,
    tied={
        "MaskedLM": (
            ("lm_head.decoder.weight", "roberta.embeddings.word_embeddings.weight"),
            ("lm_head.decoder.bias", "lm_head.bias"),
        )
    },
    untied={"MaskedLM": rows.untied("lm_head.decoder")},
    unused=dict.fromkeys(
        ("SequenceClassifier", "ExtractiveQA", "TokenClassifier", "MaskedLM"), _POOLER
    ),
)

ROBERTA = Family(
    encoder_class="RobertaModel",
    classes={
        "SequenceClassifier": "RobertaForSequenceClassification",
        "MultipleChoice": "RobertaForMultipleChoice",
        "ExtractiveQA": "RobertaForQuestionAnswering",
        "TokenClassifier": "RobertaForTokenClassification",
        "MaskedLM": "RobertaForMaskedLM",
    },
    pooled=("MultipleChoice",),
    layouts={"huggingface": HUGGINGFACE, "bert_tf": own_layout(HUGGINGFACE)},
    sizes=rows.sizes("blocks.{i}", num_hidden_layers=("blocks.{i}.attention_norm.gamma", "i")),
    required=rows.REQUIRED | rows.NO_DECODER,
)
XLM_ROBERTA = dataclasses.replace(
    ROBERTA,
    encoder_class="XLMRobertaModel",
    classes={task: f"XLM{name}" for task, name in ROBERTA.classes.items()},
)
