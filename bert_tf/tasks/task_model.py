"""What all task models share: one train step, one test step, one way to save."""

import keras
from keras import ops

from bert_tf.layers import fold_in, new_key
from bert_tf.training import step


class TaskModel(keras.Model):
    """An encoder with a head, trained by plain Keras or by the commands, with the same step.

    A task names its losses in `loss_names`, implements `call`, `loss_terms` and `loss_weights` and,
    for streaming metrics, `quality` (a list of Keras metrics) with `update_quality`.

    Args:
      encoder: an encoder of any family.
    """

    loss_names = ()
    # What each loss counts for in the total; 1 unless a task says otherwise.
    loss_factors = {}

    def __init__(self, encoder, **kwargs):
        super().__init__(dtype=encoder.dtype_policy, **kwargs)
        self.encoder = encoder
        self.data_settings = {}
        self.loss_means = [keras.metrics.Mean(name=f"{name}_loss") for name in self.loss_names]
        self.quality = []

    def build(self, input_shape=None):
        """Nothing is left to build: the parts create their weights when they are made."""
        self.built = True

    def loss_weights(self, labels, sample_weight=None):
        """What each loss is divided by, from the labels alone.

        Returns:
          dict of name -> float32 scalar.
        """
        raise NotImplementedError

    def loss_terms(self, outputs, labels, sample_weight=None):
        """The losses of a batch, undivided.

        Args:
          outputs: what `call` returned.
          labels: as the task takes them.
          sample_weight: float [B] or None, a factor for each row.
        Returns:
          dict of name -> (sum, weight), float32 scalars; the mean loss is sum / weight.
        """
        raise NotImplementedError

    def update_quality(self, outputs, labels, sample_weight=None):
        """Feeds the streaming metrics in `quality` with a batch."""

    def update_losses(self, sums, weights):
        """Feeds the streaming means with a batch's sums and weights, dicts by loss name."""
        for name, mean in zip(self.loss_names, self.loss_means, strict=True):
            mean.update_state(ops.divide_no_nan(sums[name], weights[name]), weights[name])

    def running_means(self):
        """dict of float32 scalars: `loss`, each loss where there are several, each metric."""
        means = {mean.name: mean.result() for mean in self.loss_means}
        factors = [self.loss_factors.get(name, 1.0) for name in self.loss_names]
        loss = sum(factor * mean for factor, mean in zip(factors, means.values(), strict=True))
        quality = {metric.name: metric.result() for metric in self.quality}
        return {"loss": loss, **(means if len(means) > 1 else {}), **quality}

    @property
    def metrics(self):
        """The streaming metrics, which Keras resets at the start of an epoch."""
        return [*self.loss_means, *self.quality]

    def step_key(self, update, replica, part):
        """The dropout key of one micro-batch: a function of seed, update, replica and part."""
        return fold_in(fold_in(new_key(self.seed, update), replica), part)

    def compile(
        self,
        optimizer="adamw",
        *,
        seed=0,
        accumulate=1,
        clip_norm=1.0,
        metrics=None,
        run_eagerly=False,
        jit_compile=False,
    ):
        """Sets the optimizer and how a step is made; the loss is the task's own.

        Args:
          optimizer: a Keras optimizer or its name.
          seed: int, of the dropout masks.
          accumulate: int, the micro-batches a batch is cut into; the gradients add up.
          clip_norm: float, the global norm the gradient is clipped to; None leaves it.
          metrics: list of Keras metrics in place of the task's own.
          run_eagerly, jit_compile: as in `keras.Model.compile`.
        """
        super().compile(optimizer=optimizer, run_eagerly=run_eagerly, jit_compile=jit_compile)
        self.seed, self.accumulate, self.clip_norm = seed, accumulate, clip_norm
        if metrics is not None:
            self.quality = list(metrics)

    def train_step(self, data):
        """One update of the weights, the same under `fit` and under the commands."""
        return step.train_step(self, data)

    def test_step(self, data):
        """One batch of evaluation."""
        return step.test_step(self, data)

    def encode(self, inputs, key, **options):
        """The encoder's outputs, under this task's dropout key folded with 0 (None: no dropout)."""
        wanted = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
        inputs = {name: inputs[name] for name in wanted if inputs.get(name) is not None}
        return self.encoder(inputs, training=key is not None, key=fold_in(key, 0), **options)

    def save_pretrained(self, directory, tokenizer=None):
        """Writes the model as Hugging Face lays it out, head, labels and tokenizer included.

        Args:
          directory: str, made if absent.
          tokenizer: Tokenizer or None.
        """
        from bert_tf.conversion import save_task

        save_task(self, directory, tokenizer)


def weighted_sum(losses, sample_weight):
    """Sum of per-row losses [B] under row weights [B] or None; a float32 scalar."""
    losses = ops.cast(losses, "float32")
    return ops.sum(losses if sample_weight is None else losses * sample_weight)


def weight_of_rows(labels, sample_weight):
    """The number of rows, or the sum of their weights; a float32 scalar."""
    if sample_weight is not None:
        return ops.sum(ops.cast(sample_weight, "float32"))
    return ops.cast(ops.shape(labels)[0], "float32")
