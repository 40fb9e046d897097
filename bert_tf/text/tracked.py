"""What a part of a tokenizer is to tf.saved_model."""

import tensorflow as tf

# The base that Keras has for objects whose tables and tensors are saved. tf.Module is one too, but
# saving asks every part for its `variables` and `submodules`, and these walk through all that hangs
# on it, in vain: these parts have no variables.
Tracked = tf.__internal__.tracking.AutoTrackable
