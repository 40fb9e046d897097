"""Every family computes the same under Keras' JAX backend, where JAX is installed."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
SCRIPT = """
import sys
import numpy as np
from bert_tf.encoders import FAMILIES, build_encoder
from bert_tf.tasks import MaskedLM

SIZES = dict(vocab_size=40, hidden_size=24, num_hidden_layers=2, num_attention_heads=2)
SIZES |= dict(intermediate_size=20, max_position_embeddings=32, pad_token_id=0)
MORE = dict.fromkeys(("albert", "electra"), {"embedding_size": 8})
MORE["mobilebert"] = {"embedding_size": 8, "intra_bottleneck_size": 12}
MORE["lstm"] = {"num_attention_heads": 0}
MORE["word2vec"] = {"num_hidden_layers": 0, "num_attention_heads": 0}
MORE["elmo"] = {"num_attention_heads": 0}
mask = (np.arange(9) < np.array([[9], [6], [2]])).astype("int32")
outputs = {}
for name, family in FAMILIES.items():
    numbers = np.random.default_rng(1)
    encoder = build_encoder(family.config(**SIZES | MORE.get(name, {})))
    model = encoder if family.masked_lm_head is None else MaskedLM(encoder)
    for weight in model.weights:
        weight.assign(0.3 * numbers.standard_normal(weight.shape).astype("float32"))
    batch = {"input_ids": numbers.integers(5, 40, mask.shape) * mask, "attention_mask": mask}
    got = encoder(batch, return_intermediates=True)
    outputs[name] = np.asarray(got["sequence_output"]) * mask[..., None]
    outputs[f"{name}.first"] = np.asarray(encoder(batch, only_first=True)["sequence_output"])
    if model is not encoder:
        outputs[f"{name}.words"] = np.asarray(model(batch)) * mask[..., None]
np.savez(sys.argv[1], **outputs)
"""


DROPOUT = """
import sys
import numpy as np
from bert_tf.layers import dropout, fold_in, new_key
from bert_tf.encoders import BertConfig, build_encoder

keys = [new_key(seed, step) for seed in (0, 7, 2**31 - 1) for step in (0, 1, 99999, 2**31 - 2)]
keys += [fold_in(fold_in(key, 3), 2**30) for key in keys]
x = np.ones((400, 500), "float32")
kept = np.asarray(dropout(x, 0.25, keys[5]))
assert set(np.unique(kept)) == {0.0, np.float32(4 / 3)} and abs((kept > 0).mean() - 0.75) < 4e-3
assert (kept == np.asarray(dropout(x, 0.25, keys[5]))).all()
assert (kept != np.asarray(dropout(x, 0.25, keys[6]))).any()
sizes = dict(vocab_size=40, hidden_size=24, num_hidden_layers=2, num_attention_heads=2)
encoder = build_encoder(BertConfig(**sizes, intermediate_size=20, max_position_embeddings=32))
batch = {"input_ids": np.arange(5, 14)[None]}
draws = [np.asarray(encoder(batch, training=True, key=key)["sequence_output"]) for key in keys[:2]]
assert np.abs(draws[0] - draws[1]).max() > 1e-3
np.savez(sys.argv[1], keys=np.stack([np.asarray(key) for key in keys]))
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs JAX")
def test_dropout_s_keys_are_the_same_without_integers_of_64_bits(tmp_path):
    found = []
    for backend in ("tensorflow", "jax"):
        paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": paths}
        command = [sys.executable, "-c", DROPOUT, str(tmp_path / f"{backend}.npz")]
        subprocess.run(command, env=environment, check=True)
        found.append(np.load(tmp_path / f"{backend}.npz")["keys"])
    assert found[0].dtype == "int64" and found[1].dtype == "int32"
    np.testing.assert_array_equal(*found)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs JAX")
def test_every_family_computes_the_same_under_jax(tmp_path):
    for backend in ("tensorflow", "jax"):
        paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": paths}
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / f"{backend}.npz")]
        subprocess.run(command, env=environment, check=True)
    one, other = (np.load(tmp_path / f"{backend}.npz") for backend in ("tensorflow", "jax"))
    assert set(one) == set(other) and len(one.files) > 20
    for name in one:
        np.testing.assert_allclose(one[name], other[name], atol=1e-5, err_msg=name)
