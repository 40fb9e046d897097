"""Learning more without forgetting: a task that grows, and losses that remember."""

from keras import ops

from bert_tf.tasks.sequence_classification import SequenceClassifier
from bert_tf.tasks.task_model import TaskModel, weight_of_rows, weighted_sum

# Added to a logit that is not to be chosen.
HIDDEN = -1e9


def grown(model, label_names):
    """A classifier for more labels over the same encoder; what is known of the old ones stays.

    Args:
      model: SequenceClassifier. Its encoder, the very layers, becomes the new model's.
      label_names: list of str that begins with the labels of `model`.
    Returns:
      A SequenceClassifier whose projection has the old columns first and fresh ones after them;
      `model` itself if there are no more labels.
    """
    known = model.num_labels
    if len(label_names) == known:
        return model
    bigger = SequenceClassifier(
        model.encoder,
        len(label_names),
        list(label_names),
        model.problem_type,
        model.pooling,
        model.head_layers,
    )
    for old, new in zip(model.head.hidden, bigger.head.hidden, strict=True):
        new.kernel.assign(old.kernel)
        new.bias.assign(old.bias)
    old, new = model.head.projection, bigger.head.projection
    new.kernel.assign(ops.concatenate([old.kernel, new.kernel[:, known:]], axis=1))
    new.bias.assign(ops.concatenate([old.bias, new.bias[known:]]))
    return bigger


class Remembering(TaskModel):
    """A task in training with one more loss, `remembering`.

    The new rows are told apart among their own labels, as if these had an output layer to
    themselves (Li & Hoiem 2016, eq. 1): were they told apart from the old ones too, an old label
    that occurs no more would only ever be pushed down.

    Args:
      task: the SequenceClassifier that learns; evaluate and save that one.
      own: list of int, the numbers of the labels that occur in the new rows.
      remember: `elastic_penalty(...)` or `distillation(...)`.
      strength: float, what the loss counts for beside the task's own.

    Labels: the task's, or a dict of them, `labels`, and of what `remember` looks at.
    """

    def __init__(self, task, own, remember, strength):
        self.loss_names = (*task.loss_names, "remembering")
        self.quality_names = task.quality_names
        super().__init__(task.encoder)
        self.task, self.remember = task, remember
        self.loss_factors = {"remembering": strength}
        self.hidden = [0.0 if label in own else HIDDEN for label in range(task.num_labels)]
        self.build()

    def call(self, inputs, training=False, key=None):
        """The task's own answer."""
        return self.task(inputs, training=training, key=key)

    def loss_weights(self, labels, sample_weight=None):
        labels = _plain(labels)
        weight = weight_of_rows(labels, sample_weight)
        return {**self.task.loss_weights(labels, sample_weight), "remembering": weight}

    def loss_terms(self, outputs, labels, sample_weight=None):
        weight = weight_of_rows(_plain(labels), sample_weight)
        return {
            **self.task.loss_terms(outputs + self._hidden(), _plain(labels), sample_weight),
            "remembering": (self.remember(outputs, labels, sample_weight), weight),
        }

    def quality_terms(self, outputs, labels, sample_weight=None):
        return self.task.quality_terms(outputs, _plain(labels), sample_weight)

    def _hidden(self):
        return ops.convert_to_tensor(self.hidden, "float32")


def elastic_penalty(variables, anchors, fisher):
    """Elastic weight consolidation: weights that mattered are pulled back (Kirkpatrick et al. 2017,
    eq. 3, without its lambda).

    Args:
      variables: the trainable variables.
      anchors: float32 tensors, their values when the old task was learned.
      fisher: float32 tensors, how much each mattered, see `training.fisher`.
    Returns:
      Function (outputs, labels, sample_weight) -> float32 scalar, the penalty times the rows'
      weight: divided by the weight of all rows, as every loss is, it is the penalty again, however
      the batch was cut.
    """

    def remember(outputs, labels, sample_weight):
        parts = [
            ops.sum(matters * ops.square(variable - anchor))
            for variable, anchor, matters in zip(variables, anchors, fisher, strict=True)
        ]
        return 0.5 * sum(parts) * weight_of_rows(_plain(labels), sample_weight)

    return remember


def distillation(count, temperature):
    """Learning without forgetting: on new rows the old labels' answers stay (Li & Hoiem 2016, eq. 2
    and 3).

    Args:
      count: int, the labels there were; they come first.
      temperature: float, what both sides' logits are divided by.
    Returns:
      Function (outputs, labels, sample_weight) -> float32 scalar, summed over the rows; it wants
      `old_logits` float32 [B, count] among the labels.
    """

    def remember(outputs, labels, sample_weight):
        wanted = ops.softmax(labels["old_logits"] / temperature)
        answers = outputs[:, :count] / temperature
        losses = ops.categorical_crossentropy(wanted, answers, from_logits=True)
        return weighted_sum(losses, sample_weight)

    return remember


def _plain(labels):
    return labels["labels"] if isinstance(labels, dict) else labels
