"""Write golden/NAME: tiny models of transformers with random weights, as it saves them, and what it
computes of some rows, so that the fast tests do without it.

    python tests/encoders/make_golden.py [NAME ...]

Last run with transformers 5.24.0 and torch 2.13.0.
"""

import pathlib
import sys

import numpy as np
import torch
import transformers

FOLDER = pathlib.Path(__file__).parent / "golden"
SMALL = dict(vocab_size=23, hidden_size=12, num_attention_heads=3, intermediate_size=14)
MODERN = SMALL | dict(
    pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2
)
# name -> (class, its config, fields of the config)
MODELS = {
    "modernbert": (
        transformers.ModernBertForMaskedLM,
        transformers.ModernBertConfig,
        MODERN | dict(num_hidden_layers=5, local_attention=6, max_position_embeddings=40),
    ),
    "modernbert-biased": (
        transformers.ModernBertForSequenceClassification,
        transformers.ModernBertConfig,
        MODERN
        | dict(num_hidden_layers=3, local_attention=3, max_position_embeddings=40)
        | dict(norm_bias=True, attention_bias=True, mlp_bias=True, classifier_bias=True)
        | dict(classifier_pooling="mean", classifier_activation="relu", norm_eps=1e-3)
        | dict(hidden_activation="silu", num_labels=3)
        | dict(layer_types=["sliding_attention", "full_attention", "sliding_attention"])
        | dict(
            rope_parameters={
                "full_attention": {"rope_type": "default", "rope_theta": 50.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 9.0},
            }
        ),
    ),
}
DEBERTA = SMALL | dict(num_hidden_layers=2, max_position_embeddings=24)
MODELS |= {
    "deberta": (
        transformers.DebertaV2ForSequenceClassification,
        transformers.DebertaV2Config,
        DEBERTA
        | dict(relative_attention=True, position_buckets=6, norm_rel_ebd="layer_norm")
        | dict(share_att_key=True, pos_att_type="p2c|c2p", position_biased_input=False)
        | dict(conv_kernel_size=3, conv_act="gelu", num_labels=3),
    ),
    "deberta-plain": (
        transformers.DebertaV2ForMaskedLM,
        transformers.DebertaV2Config,
        DEBERTA
        | dict(relative_attention=True, max_relative_positions=9, pos_att_type=["p2c"])
        | dict(type_vocab_size=2, legacy=False, hidden_act="relu", layer_norm_eps=1e-3),
    ),
}
LENGTHS = (19, 8, 3, 1)


def rows():
    """The inputs: rows of LENGTHS, padded."""
    numbers = np.random.default_rng(3)
    mask = (np.arange(max(LENGTHS)) < np.array(LENGTHS)[:, None]).astype("int64")
    ids, types = numbers.integers(3, 23, mask.shape), numbers.integers(0, 2, mask.shape)
    return {"input_ids": ids * mask, "attention_mask": mask, "token_type_ids": types * mask}


def write(name):
    """One model and its outputs."""
    kind, config, fields = MODELS[name]
    torch.manual_seed(7)
    model = kind(config(**fields)).eval()
    inputs = rows()
    if not getattr(model.config, "type_vocab_size", 0):
        del inputs["token_type_ids"]
    with torch.no_grad():
        for weight in model.parameters():  # no zero bias, no norm of ones
            weight.add_(0.2 * torch.randn_like(weight))
        outputs = model(
            **{key: torch.tensor(x) for key, x in inputs.items()}, output_hidden_states=True
        )
    model.save_pretrained(FOLDER / name)
    (FOLDER / name / "generation_config.json").unlink(missing_ok=True)
    answers = {"logits": outputs.logits, "first": outputs.hidden_states[1]}
    answers = {key: x.numpy().astype("float32") for key, x in answers.items()}
    np.savez_compressed(FOLDER / name / "outputs.npz", **answers, **inputs)


if __name__ == "__main__":
    for each in sys.argv[1:] or MODELS:
        write(each)
