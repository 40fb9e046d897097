"""Presets of KerasHub, in and out.

places.py       the backbones there are, and which variable of theirs is which of ours
heads.py        task.json and task.weights.h5: what stands on a backbone
reading.py      read_preset, has_preset
writing.py      save_keras_hub
"""
