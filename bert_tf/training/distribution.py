"""Where the replicas run: one device, several, several machines, a TPU."""

import contextlib
import json
import os
import socket
import time

import tensorflow as tf

from bert_tf.errors import ConfigError, InputError

# How long a worker waits for the others at the start, in seconds.
WORKER_TIMEOUT = float(os.environ.get("BERT_TF_WORKER_TIMEOUT", "600"))


def make_strategy(section):
    """The tf.distribute strategy a configuration asks for.

    Args:
      section: the `distribution` section: `strategy` and `virtual_devices`.
    Returns:
      tf.distribute.Strategy.
    Raises:
      ConfigError: TF_CONFIG is unusable, or TensorFlow already runs with other devices.
      InputError: another worker did not start in time.
    """
    if section.virtual_devices is not None:
        _split_cpu(section.virtual_devices)
    if section.strategy == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        names = [device.name for device in devices]
        # NCCL is for GPUs; between virtual CPU devices a plain sum is the fastest.
        on_gpu = devices[0].device_type == "GPU"
        sums = None if on_gpu else tf.distribute.ReductionToOneDevice()
        return tf.distribute.MirroredStrategy(names, cross_device_ops=sums)
    if section.strategy == "multi_worker":
        workers, index = read_tf_config()
        wait_for_workers(workers, index, WORKER_TIMEOUT)
        return tf.distribute.MultiWorkerMirroredStrategy()
    if section.strategy == "tpu":
        # Written to TensorFlow's documentation; no TPU has run it yet.
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    return tf.distribute.get_strategy()


def read_tf_config():
    """The cluster named by the environment variable TF_CONFIG.

    Returns:
      list of "host:port", one for each worker, and the index of this process in it.
    Raises:
      ConfigError: it is not set, not JSON, or names no workers or no task of theirs.
    """
    text = os.environ.get("TF_CONFIG")
    wanted = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
    if not text:
        raise ConfigError(f"TF_CONFIG is not set, wanted {wanted}")
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"TF_CONFIG is not JSON ({error}), wanted {wanted}") from error
    cluster = values.get("cluster") if isinstance(values, dict) else None
    workers = cluster.get("worker") if isinstance(cluster, dict) else None
    if not isinstance(workers, list) or not workers or not all(map(_is_address, workers)):
        raise ConfigError(f"TF_CONFIG: cluster.worker is {workers!r}, wanted {wanted}")
    task = values.get("task")
    if not isinstance(task, dict) or task.get("type") != "worker":
        raise ConfigError(f"TF_CONFIG: task is {task!r}, wanted {wanted}")
    index = task.get("index")
    if not isinstance(index, int) or not 0 <= index < len(workers):
        raise ConfigError(
            f"TF_CONFIG: task.index is {index!r}, wanted 0 to {len(workers) - 1}, "
            f"the cluster has {len(workers)} workers"
        )
    return workers, index


def wait_for_workers(workers, index, seconds):
    """Waits until every other worker has started, so that a missing one can be named.

    Each worker listens on its own address, connects to the others' and sends its index; for two of
    them one connection is enough. TensorFlow uses the port afterwards.

    Args:
      workers: list of "host:port".
      index: int, of this process.
      seconds: float, how long to wait for all.
    Raises:
      InputError: a worker did not start in time, or our address is in use.
    """
    until = time.monotonic() + seconds
    missing = set(range(len(workers))) - {index}
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("", int(workers[index].rsplit(":", 1)[1])))
        except OSError as error:
            raise InputError(f"{workers[index]}: cannot listen there ({error.strerror})") from error
        listener.listen(len(workers))
        listener.settimeout(0.2)
        while missing:
            missing -= {place for place in missing if _connect(workers[place], index)}
            missing.discard(_accept(listener))
            if missing and time.monotonic() > until:
                absent = ", ".join(workers[place] for place in sorted(missing))
                raise InputError(
                    f"worker {absent} did not answer within {seconds:.0f} s; "
                    "start it with the same cluster in its TF_CONFIG"
                )


def per_replica(strategy, dataset):
    """A dataset of global batches, divided: each replica gets consecutive rows, in order.

    Args:
      strategy: tf.distribute.Strategy.
      dataset: tf.data.Dataset of nests of tensors [batch, ...], batch a multiple of the replicas.
    Returns:
      The dataset itself for one replica, else a tf.distribute.DistributedDataset.
    """
    count = strategy.num_replicas_in_sync
    if count == 1:
        return dataset

    def dataset_of(context):
        here = count // context.num_input_pipelines
        first = here * context.input_pipeline_id

        def per_replica_batches(*batch):
            def cut(x, replica):
                rows = tf.shape(x)[0] // count
                return tf.ensure_shape(
                    x[replica * rows : (replica + 1) * rows], [None, *x.shape[1:]]
                )

            return tf.data.Dataset.range(first, first + here).map(
                lambda replica: tf.nest.map_structure(
                    lambda x: cut(x, tf.cast(replica, tf.int32)), batch
                )
            )

        return dataset.flat_map(tf.autograph.experimental.do_not_convert(per_replica_batches))

    return strategy.distribute_datasets_from_function(dataset_of)


def require_divisible(batch_size, replicas, accumulate):
    """Raises ConfigError, with the nearest size that does, if a batch does not divide evenly."""
    pieces = replicas * accumulate
    if batch_size % pieces:
        lower = batch_size // pieces * pieces
        nearest = lower if lower and batch_size - lower <= pieces // 2 else lower + pieces
        raise ConfigError(
            f"train.batch_size: {batch_size} does not divide over {replicas} replicas and "
            f"train.accumulate {accumulate}; the nearest that does is {nearest}"
        )


def is_chief(strategy):
    """bool, whether this process is the one that writes the results."""
    resolver = strategy.cluster_resolver
    return resolver is None or not resolver.task_type or resolver.task_id == 0


@contextlib.contextmanager
def worker_errors(strategy):
    """Within it a TensorFlow error while several workers run becomes one line.

    Raises:
      InputError: another worker has died, or cannot be reached.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if strategy.cluster_resolver is None:
            raise
        lines = error.message.replace("Graph execution error:", "").split("\n")
        reason = next((line for line in lines if line.strip()), type(error).__name__)
        raise InputError(
            f"another worker is gone ({reason[:200]}); run the same command again on every "
            "machine, they continue from the last checkpoint"
        ) from error


def of_chief(strategy, value):
    """The chief's value of a float, on every worker; a barrier for the workers, too.

    Raises:
      InputError: another worker has died.
    """
    if strategy.cluster_resolver is None or strategy.num_replicas_in_sync == 1:
        return value

    @tf.function(autograph=False)
    def broadcast(value):
        def sum_of_chief(value):
            replicas = tf.distribute.get_replica_context()
            first = tf.equal(replicas.replica_id_in_sync_group, 0)
            value = tf.where(first, value, tf.zeros_like(value))
            return replicas.all_reduce(tf.distribute.ReduceOp.SUM, value)

        return strategy.experimental_local_results(strategy.run(sum_of_chief, args=(value,)))[0]

    with worker_errors(strategy):
        return float(broadcast(tf.constant(value, tf.float64)))


def refuse_unsupported():
    """Raises ConfigError under the two ways of distributing that Keras 3 does not support."""
    import keras

    strategy = tf.distribute.get_strategy()
    if isinstance(strategy, tf.distribute.experimental.ParameterServerStrategy):
        raise ConfigError(
            "ParameterServerStrategy: Keras 3 does not support it; "
            "use MultiWorkerMirroredStrategy (distribution.strategy=multi_worker)"
        )
    if keras.distribution.distribution() is not None:
        raise ConfigError(
            "keras.distribution: on TensorFlow it distributes nothing; "
            "use tf.distribute.MirroredStrategy (distribution.strategy=mirrored)"
        )


def _split_cpu(count):
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * count
        )
    except RuntimeError as error:
        if len(tf.config.list_logical_devices("CPU")) != count:
            raise ConfigError(
                f"distribution.virtual_devices: {count}, but TensorFlow already runs with "
                f"{len(tf.config.list_logical_devices('CPU'))}; start a new process"
            ) from error


def _is_address(value):
    if not isinstance(value, str):
        return False
    host, _, port = value.rpartition(":")
    return bool(host) and port.isdigit() and 0 < int(port) < 65536


def _connect(address, index):
    """Sends our index to the worker at an address; False if it does not listen yet."""
    host, port = address.rsplit(":", 1)
    try:
        with socket.create_connection((host, int(port)), timeout=1) as line:
            line.sendall(f"{index}\n".encode())
        return True
    except OSError:
        return False


def _accept(listener):
    """The index of a worker that connected, or None if none did within the timeout."""
    try:
        line, _ = listener.accept()
        with line:
            line.settimeout(1)
            return int(line.recv(16))
    except (OSError, ValueError):
        return None
