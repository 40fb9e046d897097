"""What all task models share: one train step, one test step, one way to save."""

import keras
from keras import ops

from bert_tf.layers import fold_in, new_key
from bert_tf.training import step
from bert_tf.training.distribution import refuse_unsupported
from bert_tf.training.optimizers import AdamW


class TaskModel(keras.Model):
    """An encoder with a head, trained by plain Keras or by the commands, with the same step.

    A task names its losses in `loss_names`, implements `call`, `loss_terms` and `loss_weights` and,
    for streaming metrics, names them in `quality_names` and implements `quality_terms`.

    Args:
      encoder: an encoder of any family.
    """

    loss_names = ()
    quality_names = ()
    # What each loss counts for in the total; 1 unless a task says otherwise.
    loss_factors = {}
    # How far words' vectors are moved, a row at a time, to where the loss is higher; there it is
    # descended too (see `training.step`). None moves nothing.
    adversarial = None

    def __init__(self, encoder, **kwargs):
        super().__init__(dtype=encoder.dtype_policy, **kwargs)
        self.encoder = encoder
        self.data_settings = {}
        self.means = {
            name: keras.metrics.Mean(name=name) for name in (*self.loss_names, *self.quality_names)
        }

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

    def quality_terms(self, outputs, labels, sample_weight=None):
        """The streaming metrics of a batch, as `loss_terms` gives the losses."""
        return {}

    def terms(self, outputs, labels, sample_weight=None):
        """Losses and streaming metrics of a batch, dict of name -> (sum, weight)."""
        return {
            **self.loss_terms(outputs, labels, sample_weight),
            **self.quality_terms(outputs, labels, sample_weight),
        }

    def update_means(self, terms):
        """Feeds the streaming means with a batch's terms."""
        for name, (total, weight) in terms.items():
            self.means[name].update_state(ops.divide_no_nan(total, weight), weight)

    def running_means(self):
        """dict of float32 scalars: `loss`, each loss where there are several, each metric."""
        means = {name: mean.result() for name, mean in self.means.items()}
        loss = sum(self.loss_factors.get(name, 1.0) * means[name] for name in self.loss_names)
        alone = self.loss_names if len(self.loss_names) == 1 else ()
        return {"loss": loss, **{name: x for name, x in means.items() if name not in alone}}

    @property
    def metrics(self):
        """The streaming means, which Keras resets at the start of an epoch."""
        return list(self.means.values())

    def step_key(self, update, replica, part):
        """The dropout key of one micro-batch: a function of seed, update, replica and part."""
        return fold_in(fold_in(new_key(self.seed, update), replica), part)

    def compile(
        self,
        optimizer=None,
        *,
        seed=0,
        accumulate=1,
        clip_norm=1.0,
        max_loss=None,
        run_eagerly=False,
        jit_compile=False,
    ):
        """Sets the optimizer and how a step is made; the loss is the task's own.

        Args:
          optimizer: a Keras optimizer or its name; None: `AdamW()`, at a rate of 5e-5.
          seed: int, of the dropout masks.
          accumulate: int, the micro-batches a batch is cut into; the gradients add up.
          clip_norm: float, the global norm the gradient is clipped to; None leaves it.
          max_loss: float or None, a step with a higher loss is not applied.
          run_eagerly, jit_compile: as in `keras.Model.compile`.
        Raises:
          ConfigError: in the scope of a way of distributing that Keras 3 does not train rightly.
        """
        refuse_unsupported()
        optimizer = AdamW() if optimizer is None else optimizer
        super().compile(optimizer=optimizer, run_eagerly=run_eagerly, jit_compile=jit_compile)
        self.seed, self.accumulate = seed, accumulate
        self.clip_norm, self.max_loss = clip_norm, max_loss

    def train_step(self, data):
        """One update of the weights, the same under `fit` and under the commands."""
        return step.train_step(self, data)

    def test_step(self, data):
        """One batch of evaluation."""
        return step.test_step(self, data)

    def encode(self, inputs, key, **options):
        """The encoder's outputs, under this task's dropout key folded with 0 (None: no dropout)."""
        wanted = (
            "input_ids",
            "attention_mask",
            "token_type_ids",
            "position_ids",
            "sentence_positions",
            "embedding_shift",
        )
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
    if sample_weight is not None:
        losses = losses * ops.cast(sample_weight, "float32")
    return ops.sum(losses)


def weight_of_rows(labels, sample_weight):
    """The number of rows, or the sum of their weights; a float32 scalar."""
    if sample_weight is not None:
        return ops.sum(ops.cast(sample_weight, "float32"))
    return ops.cast(ops.shape(labels)[0], "float32")
