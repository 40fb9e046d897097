"""The weights that runs of 0.1 ended with, and how near another run has to come to them."""

import pathlib

import numpy as np
from safetensors.numpy import load_file

HERE = pathlib.Path(__file__).parent
# Another processor was off by up to 4e-7, another seed by 3e-2.
TOLERANCE = 1e-5


def weights_of(workdir):
    """The final weights of a run, and of its generator; dict of name -> float32 array."""
    weights = load_file(pathlib.Path(workdir, "model", "model.safetensors"))
    generator = pathlib.Path(workdir, "model", "generator", "model.safetensors")
    if generator.exists():
        weights |= {f"generator/{name}": value for name, value in load_file(generator).items()}
    return weights


def assert_final_weights(workdir, name):
    """The run in this workdir has ended with the weights of that name, up to rounding."""
    kept = load_file(HERE / "final_weights.safetensors")
    wanted = {key[len(name) + 1 :]: x for key, x in kept.items() if key.startswith(f"{name}/")}
    found = weights_of(workdir)
    assert set(found) == set(wanted)
    for key, value in wanted.items():
        np.testing.assert_allclose(found[key], value, rtol=0, atol=TOLERANCE, err_msg=key)
