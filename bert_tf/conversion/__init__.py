"""Checkpoints of other homes, in and out: a strict engine over tables of names.

    table.py             Row, Table, fill, read_out: the engine
    family.py, bert.py   what a family is called in each format
    contents.py          what a directory, an archive or a checkpoint holds
    huggingface.py, safetensors_file.py, google.py, files.py   the files themselves
    saving.py            save_encoder, save_task, save_google, for `save_pretrained` and `convert`

Nothing here builds a model or imports another room.
"""

from bert_tf.conversion.family import Family
from bert_tf.conversion.saving import FAMILIES, save_encoder, save_google, save_task

__all__ = ["FAMILIES", "Family", "save_encoder", "save_google", "save_task"]
