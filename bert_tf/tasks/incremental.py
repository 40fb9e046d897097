"""Losses that keep a classifier from forgetting while it learns from new rows."""

from keras import ops

from bert_tf.layers import MASKED_SCORE
from bert_tf.tasks.losses import AddedLoss, weight_of_rows, weighted_sum


def among_new_labels(model, labels_there):
    """The classifier's own loss, a softmax over the labels of the new rows alone.

    As if these had an output layer to themselves (Li & Hoiem 2016, eq. 1): with the old ones in
    the softmax, an old label that occurs no more would only ever be pushed down.

    Args:
      model: SequenceClassifier.
      labels_there: list of int, the numbers of the labels that occur in the new rows.
    Returns:
      AddedLoss of the name of the model's own loss, in the place of which it stands.
    """
    hidden = [0.0 if label in labels_there else MASKED_SCORE for label in range(model.num_labels)]
    (name,) = model.loss_names

    def total(inputs, outputs, labels, sample_weight):
        shown = outputs + ops.convert_to_tensor(hidden, "float32")
        return model.loss_terms(shown, labels, sample_weight)[name][0]

    return AddedLoss(name, 1.0, total)


def elastic_penalty(variables, anchors, fisher, strength):
    """Elastic weight consolidation: weights that mattered are pulled back (Kirkpatrick et al. 2017,
    eq. 3).

    Args:
      variables: the trainable variables.
      anchors: float32 tensors, their values when the old task was learned.
      fisher: float32 tensors, how much each mattered, see `training.fisher`.
      strength: float, their lambda.
    Returns:
      AddedLoss `remembering`: the penalty times the rows' weight. Divided by the weight of all
      rows, as every loss is, it is the penalty again, however the batch was cut.
    """

    def total(inputs, outputs, labels, sample_weight):
        parts = [
            ops.sum(matters * ops.square(variable - anchor))
            for variable, anchor, matters in zip(variables, anchors, fisher, strict=True)
        ]
        return 0.5 * sum(parts) * weight_of_rows(labels, sample_weight)

    return AddedLoss("remembering", strength, total)


def kept_answers(count, temperature, strength):
    """Learning without forgetting: on new rows the old labels' answers stay (Li & Hoiem 2016, eq. 2
    and 3).

    Args:
      count: int, the labels there were; they come first.
      temperature: float, what both sides' logits are divided by.
      strength: float, what the loss counts for.
    Returns:
      AddedLoss `remembering`, summed over the rows; it wants `old_logits` float32 [B, count] among
      the inputs.
    """

    def total(inputs, outputs, labels, sample_weight):
        wanted = ops.softmax(inputs["old_logits"] / temperature)
        answers = outputs[:, :count] / temperature
        losses = ops.categorical_crossentropy(wanted, answers, from_logits=True)
        return weighted_sum(losses, sample_weight)

    return AddedLoss("remembering", strength, total)
