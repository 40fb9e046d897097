"""Shards of records made by several processes, each with its share of the cores.

This file imports nothing heavy: what a process imports, it imports in `_start`, where the start-up
notes of TensorFlow can be kept from the user.
"""

import concurrent.futures
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import threading

from bert_tf.errors import InputError

_job = None  # of this process, if it is one of those that `run` starts


def run(job, numbers, processes):
    """Makes shards.

    Args:
      job: RecordJob.
      numbers: list of int, the shards to make.
      processes: int; with 1 at most it is done in this very process.
    Yields:
      int, the number of each shard that is finished, in the order they are.
    Raises:
      InputError: as RecordJob.make, or a process was ended from outside.
    """
    if processes <= 1:
        for number in numbers:
            job.make(number)
            yield number
        return
    threads = max(1, os.cpu_count() // processes)
    pool = concurrent.futures.ProcessPoolExecutor(
        processes, multiprocessing.get_context("spawn"), _start, (pickle.dumps(job), threads)
    )
    try:
        for done in concurrent.futures.as_completed([pool.submit(_make, n) for n in numbers]):
            yield done.result()
    except concurrent.futures.process.BrokenProcessPool:
        raise InputError(
            "a process was ended from outside, perhaps for lack of memory; the same command "
            "continues, with as many at once as --processes says"
        ) from None
    except BaseException:  # Ctrl-C too: the shards under way are given up
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _start(job, threads):
    """Readies a new process: the job, TensorFlow with its share of the cores."""
    global _job
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with _silence():
        import tensorflow as tf

        _job = pickle.loads(job)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def _make(number):
    _job.make(number)
    return number


def _end_with_parent():
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


@contextlib.contextmanager
def _silence():
    """Within it nothing reaches file descriptor 2."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
