"""From raw text to pretraining batches: corpus, records, masking, noise.

Importing this package loads nothing: the processes that make records start without TensorFlow.
"""
