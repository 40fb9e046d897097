"""What every test starts from: a quiet TensorFlow, and Keras as it is when a program begins."""

import gc
import os
import pathlib
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "agg")

import pytest


def pytest_configure(config):
    """One CPU in four parts, as `distribution.virtual_devices` makes them, for tests of replicas.

    Not in the process that hands tests out to others, which begin sooner without its TensorFlow.
    """
    if config.getoption("numprocesses", None):
        return
    import tensorflow as tf

    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 4
    )


def pytest_collection_finish(session):
    """TensorFlow's modules stay to the end: the collector need not walk through them each time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


# Here graphs run as they are traced. TensorFlow's rewriting of them is a seventh of these tests'
# time, and is on for every family, layer, export and old run.
PLAIN = ("cli", "compression", "recipes", "tasks", "training")


@pytest.fixture(scope="module", autouse=True)
def rewriting_of_graphs(request):
    """TensorFlow's own optimization of graphs, off in the folders above."""
    import tensorflow as tf

    (room, *_) = request.path.relative_to(pathlib.Path(__file__).parent).parts
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": room in PLAIN})


@pytest.fixture(autouse=True)
def fresh_keras():
    """Commands set the global dtype policy and the random seed; no test sees another's."""
    import keras
    import tensorflow as tf

    keras.config.set_dtype_policy("float32")
    with mock.patch.object(tf.random, "set_seed"):
        keras.utils.set_random_seed(20)
    yield
    keras.config.set_dtype_policy("float32")
