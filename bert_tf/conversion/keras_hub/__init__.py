"""Presets of KerasHub, in and out.

places.py       the backbones there are, and which variable of theirs is which of ours
reading.py      read_preset, has_preset
writing.py      save_keras_hub
"""
