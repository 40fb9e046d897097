"""Find out what a folder holds, build it, fill it.

encoders.py     load_encoder
tasks.py        load_task, load_with_tokenizer
adapters.py     load_adapters
converting.py   convert; report.py, what it found; comparing.py, both sides' outputs
"""

from bert_tf.loading.adapters import load_adapters
from bert_tf.loading.converting import FORMATS, convert
from bert_tf.loading.encoders import load_encoder
from bert_tf.loading.tasks import load_task, load_with_tokenizer

__all__ = [
    "FORMATS",
    "convert",
    "load_adapters",
    "load_encoder",
    "load_task",
    "load_with_tokenizer",
]
