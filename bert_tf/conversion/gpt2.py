"""GPT-2's names in the files of Hugging Face.

Sources: the state dicts of transformers' `GPT2Model`, `GPT2LMHeadModel`,
`GPT2ForSequenceClassification` and `GPT2ForTokenClassification`. Their `Conv1D` keeps its weight as
[in, out], as ours is: nothing in the blocks is transposed.
"""

from bert_tf.conversion import rows
from bert_tf.conversion.family import Family, Layout, own_layout
from bert_tf.conversion.table import TRANSPOSED, Row


def _conv1d(theirs, ours):
    return Row(f"{theirs}.weight", f"{ours}.kernel"), Row(f"{theirs}.bias", f"{ours}.bias")


def _blocks():
    theirs, ours = "h.{i}", "blocks.{i}"
    return (
        *rows.hf_norm(f"{theirs}.ln_1", f"{ours}.attention_norm"),
        *_conv1d(f"{theirs}.attn.c_attn", f"{ours}.attention.qkv"),
        *_conv1d(f"{theirs}.attn.c_proj", f"{ours}.attention.projection"),
        *rows.hf_norm(f"{theirs}.ln_2", f"{ours}.feed_forward_norm"),
        *rows.hf_norm(f"{theirs}.ln_cross_attn", f"{ours}.cross_norm"),
        *_conv1d(f"{theirs}.crossattention.q_attn", f"{ours}.cross_attention.query"),
        *_conv1d(f"{theirs}.crossattention.c_attn", f"{ours}.cross_attention.key_value"),
        *_conv1d(f"{theirs}.crossattention.c_proj", f"{ours}.cross_attention.projection"),
        *_conv1d(f"{theirs}.mlp.c_fc", f"{ours}.feed_forward.expand"),
        *_conv1d(f"{theirs}.mlp.c_proj", f"{ours}.feed_forward.contract"),
    )


HUGGINGFACE = Layout(
    encoder=(
        Row("wte.weight", "embeddings.word_embeddings"),
        Row("wpe.weight", "embeddings.position_embeddings"),
        *_blocks(),
        *rows.hf_norm("ln_f", "final_norm"),
    ),
    heads={
        # A matrix of its own where `tie_word_embeddings` is false.
        "CausalLM": (Row("lm_head.weight", "next_word_head.output_embeddings"),),
        "SequenceClassifier": (Row("score.weight", "head.projection.kernel", TRANSPOSED),),
        "TokenClassifier": rows.hf_dense("classifier", "head.projection"),
    },
    any_head=r"^(lm_head|score|classifier|multiple_choice_head|qa_outputs)\.",
    prefix="transformer.",
    ignorable=(
        (r"(^|\.)h\.\d+\.(attn|crossattention)\.(bias|masked_bias)$", "a mask of older files"),
    ),
    tied={"CausalLM": (("lm_head.weight", "transformer.wte.weight"),)},
)

GPT2 = Family(
    encoder_class="GPT2Model",
    classes={
        "CausalLM": "GPT2LMHeadModel",
        "SequenceClassifier": "GPT2ForSequenceClassification",
        "TokenClassifier": "GPT2ForTokenClassification",
    },
    pooled=(),
    layouts={"huggingface": HUGGINGFACE, "bert_tf": own_layout(HUGGINGFACE)},
    sizes=rows.sizes("blocks.{i}", num_hidden_layers=("blocks.{i}.attention_norm.gamma", "i")),
    required={"pruned_heads": {}},
)
