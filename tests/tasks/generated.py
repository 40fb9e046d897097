"""A small language model of fixed weights, and what it is asked."""

import pathlib

import numpy as np

from bert_tf import CausalLM, Gpt2Config, build_encoder

FILE = pathlib.Path(__file__).parent / "generated.json"
END, LENGTH = 3, 24
PROMPTS = [[5, 9, 2, 7, 1], [4], [8, 8, 6]]
CASES = {
    "greedy": {},
    "greedy, repetition": {"repetition_penalty": 1.4},
    "beams": {"num_beams": 3},
    "beams, short": {"num_beams": 4, "length_penalty": -0.5},
    "beams, long": {"num_beams": 3, "length_penalty": 2.0, "early_stopping": "never"},
    "beams, early": {"num_beams": 5, "length_penalty": 1.5, "early_stopping": True},
    "beams, repetition": {"num_beams": 2, "repetition_penalty": 1.3},
}


def model(vocab_size=12, positions=32, seed=10):
    """A CausalLM whose weights are a function of the seed."""
    sizes = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    special = dict(bos_token_id=END, eos_token_id=END, tie_word_embeddings=False)
    config = Gpt2Config(
        vocab_size=vocab_size, max_position_embeddings=positions, **sizes, **special
    )
    made, numbers = CausalLM(build_encoder(config)), np.random.default_rng(seed)
    for variable in made.weights:
        drawn = 0.4 * numbers.standard_normal(tuple(variable.shape))
        variable.assign((drawn + (variable.path.endswith("gamma"))).astype("float32"))
    return made
