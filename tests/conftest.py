"""What every test starts from: a quiet TensorFlow, and Keras as it is when a program begins."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "agg")

import pytest


@pytest.fixture(autouse=True)
def fresh_keras():
    """Commands set the global dtype policy and the random seed; no test sees another's."""
    import keras

    keras.config.set_dtype_policy("float32")
    keras.utils.set_random_seed(20)
    yield
    keras.config.set_dtype_policy("float32")
