"""Clusters that cannot work are refused in one line; batches are shared out row by row."""

import json
import socket
import threading
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.config import DistributionSection
from bert_tf.errors import ConfigError, InputError
from bert_tf.training import distribution
from tests import tiny


def cluster(workers=("localhost:12345", "localhost:12346"), kind="worker", index=0):
    return json.dumps({"cluster": {"worker": workers}, "task": {"type": kind, "index": index}})


def free_port():
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def mirrored(count):
    names = [device.name for device in tf.config.list_logical_devices("CPU")[:count]]
    return tf.distribute.MirroredStrategy(
        names, cross_device_ops=tf.distribute.ReductionToOneDevice()
    )


@pytest.mark.parametrize(
    "text, named",
    [
        (None, "not set"),
        ("{'cluster': 1}", "not JSON"),
        ("[1]", "cluster.worker is None"),
        (cluster(workers=["localhost"]), "cluster.worker is"),
        (cluster(workers=[]), "cluster.worker is"),
        (cluster(workers=["localhost:99999"]), "cluster.worker is"),
        (json.dumps({"cluster": {"worker": ["a:1"]}}), "task is None"),
        (cluster(kind="ps"), "task is"),
        (cluster(index=2), "task.index is 2, wanted 0 to 1"),
        (cluster(index="0"), "task.index is '0'"),
    ],
)
def test_an_unusable_tf_config_is_one_line_that_shows_a_right_one(monkeypatch, text, named):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ConfigError) as caught:
        distribution.make_strategy(DistributionSection(strategy="multi_worker"))
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_whole_tf_config_gives_the_workers_and_our_place(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", cluster(index=1))
    assert distribution.read_tf_config() == (["localhost:12345", "localhost:12346"], 1)


def test_a_worker_that_never_comes_is_named_by_its_address():
    ours, theirs = f"localhost:{free_port()}", f"localhost:{free_port()}"
    began = time.monotonic()
    with pytest.raises(InputError, match=f"worker {theirs} did not answer within 1 s"):
        distribution.wait_for_workers([ours, theirs], 0, 1)
    assert time.monotonic() - began < 10


def test_two_workers_that_come_one_after_the_other_meet():
    workers = [f"localhost:{free_port()}", f"localhost:{free_port()}"]
    late = threading.Timer(0.5, distribution.wait_for_workers, (workers, 1, 20))
    late.start()
    distribution.wait_for_workers(workers, 0, 20)
    late.join(20)
    assert not late.is_alive()


def test_a_port_in_use_is_named():
    with socket.create_server(("", 0)) as other:
        address = f"localhost:{other.getsockname()[1]}"
        with pytest.raises(InputError, match=f"{address}: cannot listen there"):
            distribution.wait_for_workers([address], 0, 1)


@pytest.mark.parametrize(
    "batch_size, replicas, accumulate, nearest",
    [(30, 4, 1, 28), (33, 4, 1, 32), (1, 4, 1, 4), (32, 3, 4, 36), (10, 2, 2, 8)],
)
def test_a_batch_that_does_not_divide_gets_the_nearest_that_does(
    batch_size, replicas, accumulate, nearest
):
    with pytest.raises(ConfigError, match=f"nearest that does is {nearest}$"):
        distribution.require_divisible(batch_size, replicas, accumulate)
    distribution.require_divisible(nearest, replicas, accumulate)


@pytest.mark.parametrize("replicas", [1, 2, 4])
def test_each_replica_gets_its_rows_of_every_batch_in_order(replicas):
    strategy = tf.distribute.get_strategy() if replicas == 1 else mirrored(replicas)
    rows = np.arange(24).reshape(3, 8)
    dataset = tf.data.Dataset.from_tensor_slices(({"input_ids": rows[:, :, None]}, rows))
    batches = []
    for inputs, labels in distribution.per_replica(strategy, dataset):
        shares = strategy.experimental_local_results(labels)
        assert [len(share) for share in shares] == [8 // replicas] * replicas
        batches.append(np.concatenate(shares))
        ids = strategy.experimental_local_results(inputs["input_ids"])
        np.testing.assert_array_equal(np.concatenate(ids)[:, 0], batches[-1])
    np.testing.assert_array_equal(batches, rows)


def test_keras_distribution_is_refused_because_it_distributes_nothing(monkeypatch):
    monkeypatch.setattr(keras.distribution, "distribution", lambda: object())
    with pytest.raises(ConfigError, match="keras.distribution: .*MirroredStrategy"):
        tiny.classifier().compile("adam")


def test_a_parameter_server_strategy_is_refused(monkeypatch):
    server = object.__new__(tf.distribute.experimental.ParameterServerStrategy)
    monkeypatch.setattr(tf.distribute, "get_strategy", lambda: server)
    with pytest.raises(ConfigError, match="ParameterServerStrategy: .*multi_worker"):
        distribution.refuse_unsupported()


def test_other_virtual_devices_than_tensorflow_runs_with_are_refused():
    tf.config.list_logical_devices()
    with pytest.raises(ConfigError, match="virtual_devices: 3, but TensorFlow already runs with 4"):
        distribution.make_strategy(DistributionSection(virtual_devices=3))


def test_the_chief_of_one_process_is_that_process():
    assert distribution.is_chief(tf.distribute.get_strategy())
    assert distribution.is_chief(mirrored(2))
    assert distribution.of_chief(mirrored(2), 0.25) == 0.25


def test_a_worker_that_dies_is_one_line_and_other_errors_stay_what_they_are():
    class Several:
        cluster_resolver = object()

    lost = tf.errors.UnavailableError(None, None, "Connection reset by peer\nAdditional GRPC")
    with pytest.raises(InputError, match=r"another worker is gone \(Connection reset by peer\)"):
        with distribution.worker_errors(Several()):
            raise lost
    with pytest.raises(tf.errors.UnavailableError):
        with distribution.worker_errors(tf.distribute.get_strategy()):
            raise lost
