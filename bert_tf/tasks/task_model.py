"""What all task models share: one train step, one test step, one way to save and to answer."""

import functools
import os

import keras
from keras import ops

from bert_tf.errors import InputError
from bert_tf.layers import fold_in, new_key
from bert_tf.tasks import refusals
from bert_tf.tasks.answers import plain


class TaskModel(refusals.Refusals):
    """An encoder with a head: what it reads, what it is trained on, and how it answers.

    One file of `tasks/` holds one subclass, and `TASKS` names it. It gives the attributes below,
    `features`, `call`, `loss_weights` and `loss_terms`; for streaming metrics `metric_terms`; for
    those of a whole data set `predictions` and `final_metrics`; if it takes texts, `answer`.

    Args:
      encoder: an encoder of any family.
    """

    # The constructor's arguments besides the encoder, attributes too; kept in config.json.
    arguments = ()
    # Attributes that are saved in a folder beside; `companion(encoder, name, config)` makes one.
    companions = ()
    from_models = ()  # arguments that may be a model, which configurations name by its path
    columns = {}  # name -> outlines.Column, the positional arguments of an answer first
    token_axes = {}  # tensor of `features` -> the axis of its tokens, beside features.TOKEN_AXES
    loss_names = metric_names = ()
    loss_factors = {}  # what each loss counts for in the total; 1 for what is not named
    packs = False  # whether several examples may share a row (input `sentence_positions`)
    # Whether a long row is cut into windows, each a row in training and evaluation: `window_counts(
    # cells, tokenizer, settings)` says how many, int64 [rows], and `features` cuts out the one that
    # the cell `window` numbers or, without it, all.
    windowed = False
    pools_windows = False  # whether a long text's windows may be one row (setting `windows`)
    parts = None  # of a model of several tasks: dict of name -> TaskModel
    in_batch = False  # whether a row's loss depends on others; `call` then gives one tensor
    reads_words = False  # whether a text is words, with spaces between them
    no_answer = None  # why no text can be put to the task, as one clause; None: it has `answer`
    answer_options = {}  # settings of `answer` -> their default
    places = {}  # column -> what tables call it, where nothing is said and it is not its name
    full_mark = 1.0  # what the best figures of the task come to, such as 100 for percentages
    group_by = None  # the column that is equal in rows of a table that are one row of the task

    def __init__(self, encoder, **kwargs):
        super().__init__(dtype=encoder.dtype_policy, **kwargs)
        self.encoder, self.data_settings = encoder, {}
        self.added_losses, self.adversarial = (), None
        self.means = {
            name: keras.metrics.Mean(name=name) for name in (*self.loss_names, *self.metric_names)
        }

    def build(self, input_shape=None):
        """Nothing is left to build: the parts create their weights when they are made."""
        self.built = True

    # What goes in.

    @classmethod
    def arguments_of(cls, labels):
        """The constructor's arguments that the labels of a table decide, dict.

        Args:
          labels: object with `problem_type` str and `label_names`, tuple of str or None.
        """
        return {}

    @staticmethod
    def features(cells, tokenizer, settings):
        """Inputs and labels of rows, in TensorFlow operations; see features.Features.

        Args:
          cells: dict of column name -> tensor with one entry a row; absent columns are left out.
          tokenizer: Tokenizer.
          settings: dict, see `features.features_of`.
        """
        raise NotImplementedError

    @staticmethod
    def fault(cells):
        """Why a row (dict of column name -> value) cannot be learned from, one clause, or None. It
        is left out of training, and counted. What is no row of the task raises InputError."""
        return None

    def check_table(self, table):
        """Raises InputError if a Table to train on lacks a column that the loss reads."""

    def complete_labels(self, inputs, labels):
        """Labels with the loss weights that only the inputs determine; unchanged by default."""
        return labels

    # What it is trained on.

    def loss_weights(self, labels, sample_weight=None):
        """What each loss is divided by, from the labels alone.

        Returns:
          dict of name -> float32 scalar.
        """
        raise NotImplementedError

    def loss_terms(self, outputs, labels, sample_weight=None):
        """The losses of a batch, undivided.

        Args:
          outputs, labels: what `call` returned, and what the task takes.
          sample_weight: float [B] or None, a factor for each row.
        Returns:
          dict of name -> (sum, weight), float32 scalars; the mean loss is sum / weight.
        """
        raise NotImplementedError

    def metric_terms(self, outputs, labels, sample_weight=None):
        """The streaming metrics of a batch, as `loss_terms` gives the losses."""
        return {}

    def terms(self, outputs, labels, sample_weight=None):
        """Losses and streaming metrics of a batch, dict of name -> (sum, weight)."""
        given = outputs, labels, sample_weight
        return {**self.loss_terms(*given), **self.metric_terms(*given)}

    # What is measured on a whole data set.

    @property
    def monitors(self):
        """Names of the figures that rank models, the usual one first, a tuple of str."""
        return ("loss", *self.loss_names, *self.metric_names)

    def measured_on(self, table):
        """Notes by which of `monitors` a Table is measured, where that depends on its columns."""

    def higher_is_better(self, name):
        """bool, whether a larger value of this figure is the better one."""
        return name != "loss" and name not in self.loss_names

    def predictions(self, outputs, inputs):
        """What `final_metrics` wants of a batch, tensors with a row axis; None: nothing, the means
        of losses and streaming metrics are all that is measured."""
        return None

    def final_metrics(self, predictions, labels, rows=None, table=None):
        """Figures of a whole data set.

        Args:
          predictions, labels: lists of what `predictions` and the data set gave, a batch each, as
            numpy arrays.
          rows: list of int arrays, the numbers of their rows in `table`.
          table: Table, or the WindowedTable of a windowed task; None under `fit`.
        Returns:
          dict, ready for JSON.
        """
        raise NotImplementedError

    def settle(self, figures):
        """Keeps what validation figures tell of an argument that nobody gave; None: forgets it."""

    # How it answers.

    def answer(self, outputs, inputs, cells, tokenizer, **options):
        """What a model says of texts, in TensorFlow operations: exports, `predict` and Python.

        Args:
          outputs: what `call` returned.
          inputs, cells, tokenizer: as in `features`.
          **options: of `answer_options`.
        Returns:
          dict of name -> tensor with one entry a row of `cells`.
        """
        raise InputError(f"{type(self).__name__} {self.no_answer}")

    @staticmethod
    def record(answer):
        """One row's answer for people, a dict ready for JSON; `answer` has its values in numpy.

        Raises:
          InputError: the row could not be answered; the message says why.
        """
        return {name: plain(value) for name, value in answer.items() if name != "logits"}

    def argument_is_published(self, name):
        """bool, whether an argument has the value that the family's published class means by it,
        so that files of other packages can express it."""
        return getattr(self, name) is None

    # Training and evaluation, under Keras and under the commands.

    def update_means(self, terms):
        """Feeds the streaming means with a batch's terms."""
        for name, (total, weight) in terms.items():
            self.means[name].update_state(ops.divide_no_nan(total, weight), weight)

    def running_means(self):
        """dict of float32 scalars: `loss`, each loss where there are several, each metric."""
        means = {name: mean.result() for name, mean in self.means.items()}
        names = self.training_loss_names
        loss = sum(self.factor(name) * means[name] for name in names)
        alone = names if len(names) == 1 else ()
        return {"loss": loss, **{name: x for name, x in means.items() if name not in alone}}

    @property
    def training_loss_names(self):
        """The losses that training descends, tuple of str."""
        added = [each.name for each in self.added_losses]
        return (*self.loss_names, *(name for name in added if name not in self.loss_names))

    def factor(self, name):
        """What a loss counts for in the total, float."""
        added = {each.name: each.factor for each in self.added_losses}
        return added.get(name, self.loss_factors.get(name, 1.0))

    @property
    def metrics(self):
        """The streaming means, which Keras resets at the start of an epoch."""
        return list(self.means.values())

    def step_key(self, update, replica, micro_batch):
        """The dropout key of one micro-batch: a function of seed, update, replica and its place."""
        return fold_in(fold_in(new_key(self.seed, update), replica), micro_batch)

    def compile(
        self,
        optimizer=None,
        *unnamed,
        seed=0,
        accumulate=1,
        clip_norm=1.0,
        max_loss=None,
        loss_factors=None,
        added_losses=(),
        adversarial=None,
        recompute=False,
        run_eagerly=False,
        jit_compile=False,
        **others,
    ):
        """Sets the optimizer and how a step is made; the loss is the task's own.

        Args:
          optimizer: a Keras optimizer or its name; None: `AdamW()`, at a rate of 5e-5.
          seed: int, of the dropout masks.
          accumulate: int, the micro-batches a batch is cut into; the gradients add up.
          clip_norm: float, the global norm the gradient is clipped to; None leaves it.
          max_loss: float or None, a step with a higher loss is not applied.
          loss_factors: dict of loss name -> what it counts for, where it is not the task's own.
          added_losses: AddedLoss, further losses of training.
          adversarial: float, how far words' vectors are moved, a row at a time, to where the loss
            is higher; there it is descended too (see `training.step`). None moves nothing.
          recompute: bool, whether the backward pass computes the blocks again and keeps less.
          run_eagerly, jit_compile: as in `keras.Model.compile`.
        Raises:
          ConfigError: in the scope of a way of distributing that Keras 3 does not train rightly.
          InputError: `loss` or `metrics` is given.
        """
        from bert_tf.training.distribution import refuse_unsupported
        from bert_tf.training.optimizers import AdamW

        refuse_unsupported()
        refusals.refuse_of_compile(self, others, unnamed)
        optimizer = AdamW() if optimizer is None else optimizer
        super().compile(optimizer=optimizer, run_eagerly=run_eagerly, jit_compile=jit_compile)
        self.seed, self.accumulate = seed, accumulate
        self.clip_norm, self.max_loss = clip_norm, max_loss
        self.loss_factors = {**self.loss_factors, **(loss_factors or {})}
        self.added_losses, self.adversarial = tuple(added_losses), adversarial
        for added in self.added_losses:
            self.means.setdefault(added.name, keras.metrics.Mean(name=added.name))
        for part in (self, *(getattr(self, name) for name in self.companions)):
            if part is not None:
                part.encoder.recompute = recompute

    def make_train_function(self, force=False):
        """As in Keras, but with an optimizer that is built, or the step would be traced twice."""
        with self.distribute_strategy.scope():
            self.optimizer.build(self.trainable_variables)
        super().make_train_function(force)

    def train_step(self, data):
        """One update of the weights, the same under `fit` and under the commands."""
        from bert_tf.training import step

        return step.train_step(self, data)

    def test_step(self, data):
        """One batch of evaluation."""
        from bert_tf.training import step

        return step.test_step(self, data)

    @functools.cached_property
    def forward(self):
        """The model outside training as one graph, function of inputs, traced once."""
        return _graph(lambda inputs: self(inputs, training=False))

    @functools.cached_property
    def evaluated(self):
        """One batch of evaluation as one graph, traced once: function of (inputs, labels) that
        gives the terms of losses and metrics, and `predictions`."""

        def evaluate(inputs, labels):
            outputs = self(inputs, training=False)
            terms = self.terms(outputs, self.complete_labels(inputs, labels))
            return terms, self.predictions(outputs, inputs)

        return _graph(evaluate)

    def save_pretrained(self, directory, tokenizer=None):
        """Writes the model as Hugging Face lays it out, head, labels and tokenizer (if given)
        included, into a directory that is made if absent."""
        from bert_tf.conversion import save_task

        for name in self.companions:
            if getattr(self, name) is not None:
                getattr(self, name).save_pretrained(os.path.join(directory, name), tokenizer)
        save_task(self.without_companions(), directory, tokenizer)

    def without_companions(self):
        """This model without the models that are saved beside it, its very layers."""
        return self


def _graph(function):
    import tensorflow as tf

    return tf.function(function, autograph=False, reduce_retracing=True)
