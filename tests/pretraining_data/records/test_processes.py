"""What the processes that make records load as they start."""

import subprocess
import sys


def test_a_process_starts_without_tensorflow():
    """So that its start-up notes can be kept from the user, and its threads be counted first."""
    code = "import bert_tf.pretraining_data.records.processes, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"tensorflow", "numpy"} & set(done.stdout.split())
