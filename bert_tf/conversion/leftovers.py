"""What files hold beside a model: prefixes of wrappers, state of training, heads of other code."""

import collections
import re

from absl import logging

from bert_tf.conversion.table import canonical_names, check_count, expand, listed
from bert_tf.errors import InputError, shown_name

# What DataParallel, PyTorch Lightning, torch.compile and TF-Hub put before the names of a model.
WRAPPERS = re.compile(r"((module|model|_orig_mod)[./])+")
# The state of training, besides what stands below the name of a variable (see `_is_slot`).
STEP = re.compile(r"(^|[./])(global|local)_step$")
TRAINING = re.compile(
    r"(^|[./])(beta[12]_power|(current_)?loss_scale|good_steps|bad_steps|learning_rate|accum_step"
    r"|save_counter|n_averaged)(_\d+)?$"
    r"|(^|/)(OptimizeLoss|optimizer|loss_scale)/"
    r"|AdamWeightDecayOptimizer|LAMBOptimizer|LossScaleOptimizer|ExponentialMovingAverage"
    r"|/(Adam|AdamW|LAMB|Adafactor|Momentum|RMSProp|Adagrad|Adadelta|Ftrl)(_\d+)?$"
    r"|(/adam|/lamb|_slot)_(m|v|vr|vc)(_\d+)?$"
)


def model_tensors(tensors, source):
    """The tensors of a file without what training left: its wrappers' prefix, its own state.

    What is set aside one warning counts, and names the first; a step count is no news.

    Args:
      tensors: dict of name to StoredTensor.
      source: Path of the file, for messages.
    Returns:
      dict of name to StoredTensor, in the order of the file.
    Raises:
      InputError: two tensors have one name once the prefix is gone, or there are more tensors than
        any model has.
    """
    check_count(tensors, source)
    tensors = _unwrapped(tensors, source)
    aside = [name for name in tensors if _is_slot(name, tensors) or TRAINING.search(name)]
    if aside:
        logging.warning(
            "%s: sets aside the state of a training run, %d tensors: %s",
            source,
            len(aside),
            listed(aside),
        )
    aside = set(aside)
    return {n: t for n, t in tensors.items() if n not in aside and not STEP.search(n)}


def encoder_tensors(contents):
    """The tensors of the encoder alone, under the names of its table.

    Published heads are left out without a word; heads of other code one warning counts, and names
    the first. What stands among the encoder's own tensors is kept, known or not.

    Args:
      contents: Contents.
    Returns:
      dict of name to StoredTensor.
    """
    layout, tensors = contents.layout, contents.tensors
    roots = {_root(name) for row in layout.encoder for name in row.names}
    prefixed = bool(layout.prefix) and any(name.startswith(layout.prefix) for name in tensors)

    def belongs(name):
        return name.startswith(layout.prefix) if prefixed else _root(name) in roots

    known = re.compile("|".join([layout.any_head, *(pattern for pattern, _ in layout.ignorable)]))
    others = [name for name in tensors if not belongs(name) and not known.search(name)]
    if others:
        logging.warning(
            "%s: sets aside heads of other code, %d tensors: %s",
            contents.weights_file,
            len(others),
            listed(others),
        )
    own = {name: tensor for name, tensor in tensors.items() if belongs(name)}
    return canonical_names(layout.encoder_table(), own, contents.weights_file)


def account(table, model, tensors, source):
    """What became of the tensors of a file that filled a model.

    Args:
      table, model, tensors, source: as in `fill`.
    Returns:
      (list of str, those that the model holds; dict of reason to list of str, the others).
    """
    wanted = {name for row in expand(table.rows, model) for name in row.names}
    reasons = [*table.ignorable, *((f"^{re.escape(name)}$", "tied") for name, _ in table.tied)]
    there, left = canonical_names(table, tensors, source), {}
    for name in there:
        if name not in wanted:
            why = next(
                (why for pattern, why in reasons if re.search(pattern, name)), "no part of it"
            )
            left.setdefault(why, []).append(name)
    return [name for name in there if name in wanted], left


def _unwrapped(tensors, source):
    """The tensors without the prefix that most of their names bear."""
    found = {name: WRAPPERS.match(name) for name in tensors}
    counts = collections.Counter(match.group() for match in found.values() if match)
    prefix, count = counts.most_common(1)[0] if counts else ("", 0)
    if 2 * count <= len(tensors):
        return tensors
    bare = {}
    for name, tensor in tensors.items():
        short = name.removeprefix(prefix)
        if short in bare:
            raise InputError(
                f"{source}: {shown_name(short)} is there with the prefix {prefix} and without"
            )
        bare[short] = tensor
    return bare


def _is_slot(name, tensors):
    """Whether a tensor is an optimizer's or an average: named below the variable it belongs to."""
    place = name.find("/")
    while place >= 0:
        if name[:place] in tensors:
            return True
        place = name.find("/", place + 1)
    return False


def _root(name):
    return re.split(r"[./]", name, maxsplit=1)[0]
