"""BERT, its optimizer and its schedule in plain numpy, float64, written from the papers.

Nothing here knows how bert_tf computes: one row of tokens at a time, one head at a time. `get`
reads a model's weights under the attribute paths that the conversion tables use too.
"""

import functools
import math

import numpy as np

ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0.0),
    # Hendrycks & Gimpel 2016: x times the normal distribution function, and its tanh form.
    "gelu": lambda x: x * 0.5 * (1.0 + np.vectorize(math.erf, otypes=[float])(x / math.sqrt(2.0))),
    "gelu_new": lambda x: (
        0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))
    ),
    "swish": lambda x: x / (1.0 + np.exp(-x)),
    "tanh": np.tanh,
    "quick_gelu": lambda x: x / (1.0 + np.exp(-1.702 * x)),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "hardswish": lambda x: x * np.clip(x + 3.0, 0.0, 6.0) / 6.0,
    "relu2": lambda x: np.maximum(x, 0.0) ** 2,
    "relu6": lambda x: np.clip(x, 0.0, 6.0),
    "leaky_relu": lambda x: np.where(x < 0, 0.01 * x, x),
    "sigmoid": lambda x: 1.0 / (1.0 + np.exp(-x)),
    "linear": lambda x: x,
}
ACTIVATIONS["gelu_10"] = lambda x: np.clip(ACTIVATIONS["gelu"](x), -10.0, 10.0)


def get(model, path):
    """The weight at an attribute path such as `blocks.0.attention.qkv.kernel`, float64."""

    def step(place, name):
        return place[int(name)] if name.isdigit() else getattr(place, name)

    return np.asarray(functools.reduce(step, path.split("."), model), np.float64)


def randomize(model, seed=0):
    """Moves every weight away from its initial value, so that zeros and ones hide nothing."""
    numbers = np.random.default_rng(seed)
    for variable in model.weights:
        moved = np.asarray(variable) + 0.3 * numbers.standard_normal(variable.shape)
        variable.assign(moved.astype("float32"))
    return model


def softmax(x):
    """Along the last axis."""
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def linear(model, path, x):
    """x @ kernel + bias."""
    return x @ get(model, f"{path}.kernel") + get(model, f"{path}.bias")


def layer_norm(x, gamma, beta, epsilon=1e-12):
    """Ba et al. 2016, eq. 4, over the last axis."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + epsilon) * gamma + beta


def norm(model, path, x, epsilon):
    """Layer normalization with the weights at a path."""
    return layer_norm(x, get(model, f"{path}.gamma"), get(model, f"{path}.beta"), epsilon)


def attention(query_LH, key_LH, value_LH, seen_LL):
    """Vaswani et al. 2017, eq. 1, of one head; a row that sees nothing yields zeros."""
    scores = query_LH @ key_LH.T / math.sqrt(query_LH.shape[-1])
    probs = np.zeros_like(scores)
    for row, seen in enumerate(seen_LL):
        if seen.any():
            probs[row, seen] = softmax(scores[row, seen])
    return probs @ value_LH, probs


def multi_head(layer, x_LD, seen_LL, heads):
    """Vaswani et al. 2017, section 3.2.2; returns the result and the probabilities [N, L, L]."""
    query, key, value = np.split(linear(layer, "qkv", x_LD), 3, axis=1)
    split = [np.split(part, heads, axis=1) for part in (query, key, value)]
    contexts, probs = zip(
        *(attention(*one, seen_LL) for one in zip(*split, strict=True)), strict=True
    )
    return linear(layer, "projection", np.concatenate(contexts, axis=1)), np.stack(probs)


def feed_forward(layer, x, activation):
    """Vaswani et al. 2017, eq. 2."""
    return linear(layer, "contract", ACTIVATIONS[activation](linear(layer, "expand", x)))


def block(layer, x, seen, config):
    """Vaswani et al. 2017, section 3.1: each part's output added to its input, then normalized."""
    attended, probs = multi_head(layer.attention, x, seen, config.num_attention_heads)
    x = norm(layer, "attention_norm", x + attended, config.layer_norm_eps)
    fed_forward = feed_forward(layer.feed_forward, x, config.hidden_act)
    return norm(layer, "feed_forward_norm", x + fed_forward, config.layer_norm_eps), probs


def bert(encoder, ids, groups=None, types=None, positions=None):
    """One row of tokens through BERT (Devlin et al. 2019).

    Args:
      encoder: an Encoder of BERT's shape.
      ids, groups, types, positions: sequences of L ints; positions of equal group see each other.
    Returns:
      dict: `hidden_states` (embeddings first), `attentions`, and `pooled_output` with a pooler.
    """
    config, length = encoder.config, len(ids)
    groups = np.ones(length, int) if groups is None else np.asarray(groups)
    types = np.zeros(length, int) if types is None else np.asarray(types)
    positions = np.arange(length) if positions is None else np.asarray(positions)
    tables = zip(("word", "position", "token_type"), (ids, positions, types), strict=True)
    x = sum(get(encoder, f"embeddings.{name}_embeddings")[np.asarray(at)] for name, at in tables)
    states, attentions = [norm(encoder, "embeddings.norm", x, config.layer_norm_eps)], []
    for layer in encoder.blocks:
        state, probs = block(layer, states[-1], groups[:, None] == groups[None, :], config)
        states.append(state)
        attentions.append(probs)
    outputs = {"hidden_states": states, "attentions": attentions}
    if encoder.pooler is not None:
        outputs["pooled_output"] = np.tanh(linear(encoder, "pooler.dense", states[-1][0]))
    return outputs


def masked_lm(model, x):
    """Pretraining's logits over the words for vectors [n, D] (Google's get_masked_lm_output)."""
    config = model.encoder.config
    x = ACTIVATIONS[config.hidden_act](linear(model, "masked_lm_head.dense", x))
    x = norm(model, "masked_lm_head.norm", x, config.layer_norm_eps)
    table = get(model, "encoder.embeddings.word_embeddings")
    return x @ table.T + get(model, "masked_lm_head.output_bias")


def adamw(variable, gradients, rates, decay, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """Loshchilov & Hutter 2019, algorithm 2, where epsilon stands outside the bias correction, as
    in Kingma & Ba 2015, end of section 2; returns the variable after all gradients."""
    first = second = np.zeros_like(variable)
    for step, (gradient, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        first = beta_1 * first + (1 - beta_1) * gradient
        second = beta_2 * second + (1 - beta_2) * gradient**2
        corrected = rate * math.sqrt(1 - beta_2**step) / (1 - beta_1**step)
        move = corrected * first / (np.sqrt(second) + epsilon)
        variable = variable - rate * decay * variable - move
    return variable


def learning_rate(step, peak, steps, warmup, schedule):
    """The rate of the update after `step` updates: up in equal parts, then down to 0 at the end."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup) / (steps - warmup)
    return (
        peak
        * {
            "constant": 1.0,
            "linear": 1.0 - done,
            "cosine": (1.0 + math.cos(math.pi * done)) / 2.0,
        }[schedule]
    )


def cross_entropy(logits, label):
    """Of one row of logits and its class."""
    return -math.log(softmax(np.asarray(logits, np.float64))[label])
