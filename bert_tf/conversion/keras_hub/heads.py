"""KerasHub's task.json and task.weights.h5: what stands on a backbone, in and out.

Source: keras_hub 0.32 `src/models/*/*_{text_classifier,masked_lm,causal_lm}.py`,
`src/layers/modeling/masked_lm_head.py`. A text classifier is a dense layer, behind another one
where the family has no pooler; a masked-LM head has fixed values of its own; a causal LM has no
weights but the backbone's.
"""

import json

import numpy as np
from absl import logging

from bert_tf.conversion.files import read_json
from bert_tf.conversion.hdf5_file import read_hdf5
from bert_tf.conversion.keras_hub.places import BACKBONES
from bert_tf.conversion.saving import FAMILIES, OWN
from bert_tf.conversion.table import read_out
from bert_tf.errors import InputError, shown

TASK_FILE, TASK_WEIGHTS_FILE = "task.json", "task.weights.h5"
PREPROCESSOR_FILE, TOKENIZER_FILE = "preprocessor.json", "tokenizer.json"
# Task of ours -> (what their class's name ends in, what their module's name does)
TASKS = {
    "SequenceClassifier": ("TextClassifier", "text_classifier"),
    "MaskedLM": ("MaskedLM", "masked_lm"),
    "CausalLM": ("CausalLM", "causal_lm"),
}
_WORDS = ("SequenceClassifier", "MaskedLM")
# model_type -> those of its backbone
HEADS = {name: _WORDS for name in BACKBONES if name not in ("electra", "gpt2")}
HEADS |= {"electra": (), "gpt2": ("CausalLM",)}
_MASKED_LM_EPS = 1e-5
_MASKED_LM_HEAD = {
    "dense.kernel": "_intermediate_dense/vars/0",
    "dense.bias": "_intermediate_dense/vars/1",
    "norm.gamma": "_intermediate_layer_norm/vars/0",
    "norm.beta": "_intermediate_layer_norm/vars/1",
    "output_bias": "vars/0",
}


def head_places(task, name):
    """Where the variables of a head are in task.weights.h5, dict of our attribute path to str."""
    if task == "CausalLM":
        return {}
    if task == "MaskedLM":
        at = {f"masked_lm_head.{ours}": theirs for ours, theirs in _MASKED_LM_HEAD.items()}
        return {ours: f"layers/masked_lm_head/{theirs}" for ours, theirs in at.items()}
    layers = ["head.projection"]
    if not BACKBONES[name][1].pooler:
        layers = ["head.hidden.0", "head.projection"]
    return {
        f"{ours}.{word}": f"layers/{f'dense_{number}' if number else 'dense'}/vars/{place}"
        for number, ours in enumerate(layers)
        for place, word in enumerate(("kernel", "bias"))
    }


def read_head(place, name, config, named):
    """The task of a preset and its head.

    Args:
      place: Path of the preset.
      name: str, its model_type.
      config: dict, the backbone's values under our keys.
      named: function of a Path, giving the one that messages name.
    Returns:
      (str, a key of TASKS; dict of our path to StoredTensor), or None where there is no task, or
      another one, whose head a warning says is left aside.
    Raises:
      InputError: a file is damaged or missing, or the head answers through another function.
    """
    file, weights = place / TASK_FILE, place / TASK_WEIGHTS_FILE
    if not file.is_file():
        return None
    whole = read_json(file)
    kind, backbone = whole.get("class_name"), BACKBONES[name][0]
    if not isinstance(kind, str):
        raise InputError(f"{named(file)}: class_name: {shown(kind)}, wanted the name of a class")
    task = next((x for x in HEADS[name] if kind == _class(backbone, x)), None)
    if task is None:
        logging.warning("%s: a %s, whose head is left aside", named(file), shown(kind))
        return None
    told = whole.get("config") if isinstance(whole.get("config"), dict) else {}
    if told.get("activation", "linear") not in ("linear", "softmax", None):
        said = f"activation: {shown(told['activation'])}, wanted linear or softmax"
        raise InputError(f"{named(file)}: {said}")
    at = head_places(task, name)
    if at and not weights.is_file():
        raise InputError(f"{named(file)}: no {TASK_WEIGHTS_FILE} beside it, which holds the head")
    stored, found = read_hdf5(weights)[0] if at else {}, {}
    for ours, theirs in at.items():
        if theirs not in stored:
            raise InputError(f"{named(weights)}: has no {theirs}")
        found[ours] = stored[theirs]
    if task == "MaskedLM" and (differs := _masked_lm_differs(name, config)):
        logging.warning("%s: of the head %s", named(file), differs)
    return task, found


def why_not(model, name):
    """Why a task's head cannot be said in KerasHub's format: str, or None where it can."""
    task = type(model).__name__
    alone = f"KerasHub's preset of a {name} has the encoder alone, no {task}"
    if task not in HEADS[name]:
        return alone
    for key in ("pooling", "head_layers", "window_pooling", "thresholds"):
        if (value := getattr(model, key, None)) is not None:
            return f"{alone} with {key} {shown(value)}"
    lost = sorted(set(_beside(model, name)) ^ set(head_places(task, name)))
    return f"{alone} with {lost[0]}" if lost else None


def _beside(model, name):
    """What a task has beside its encoder, dict of attribute path to array."""
    every = read_out(model, FAMILIES[name].layouts[OWN].own_task_table(model))
    return {path: x for path, x in every.items() if not path.startswith("encoder.")}


def save_head(model, name, directory, backbone):
    """Write task.json, task.weights.h5 and, where there is a tokenizer, preprocessor.json.

    Args:
      model: a task model for which `why_not` has nothing to say.
      name: str, a key of BACKBONES.
      directory: Path of the preset, with its tokenizer.
      backbone: dict, config.json.
    """
    import h5py

    task, kind = type(model).__name__, BACKBONES[name][1].module
    config = {"backbone": backbone, "preprocessor": _preprocessor(task, name, directory, backbone)}
    config |= {"name": f"{kind.split('.')[0]}_{TASKS[task][1]}", "trainable": True}
    if task == "SequenceClassifier":
        rate = float(model.head.dropout_rate)
        config |= {"num_classes": model.num_labels, "activation": "linear", "dropout": rate}
        if model.label_names != [f"LABEL_{number}" for number in range(model.num_labels)]:
            names = ", ".join(shown(x) for x in model.label_names)
            logging.warning("KerasHub's format has no names of labels: %s", names)
        pair = model.data_settings.get("text_pair")
        for key, value in (("problem_type", model.problem_type), ("text_pair", pair)):
            if value not in (None, "single_label_classification"):
                logging.warning("KerasHub's format has no %s: %s", key, shown(value))
    if task == "MaskedLM" and (differs := _masked_lm_differs(name, vars(model.encoder.config))):
        logging.warning("in KerasHub's format, of the head, %s", differs)
    whole = _object(kind.replace("backbone", TASKS[task][1]), _class(BACKBONES[name][0], task))
    _write(directory / TASK_FILE, whole | {"config": config})
    at, ours = head_places(task, name), _beside(model, name)
    if at:
        with h5py.File(directory / TASK_WEIGHTS_FILE, "w") as file:
            for path, theirs in at.items():
                file.create_dataset(theirs, data=np.ascontiguousarray(ours[path], "float32"))
            # Theirs hold a fresh Adam, and loading asks for it.
            file.create_dataset("optimizer/vars/0", data=np.int32(0))
            file.create_dataset("optimizer/vars/1", data=np.float32(5e-5))


def _preprocessor(task, name, directory, backbone):
    """What makes ids of texts, written to its own file too; None without a tokenizer's file."""
    file = directory / TOKENIZER_FILE
    if not file.is_file():
        return None
    ending, module = TASKS[task]
    module = BACKBONES[name][1].module.replace("backbone", f"{module}_preprocessor")
    length = backbone["config"]["max_sequence_length"]
    config = {"tokenizer": read_json(file), "sequence_length": length, "trainable": True}
    config["name"] = module.split(".")[1]
    whole = _object(module, f"{_class(BACKBONES[name][0], task)}Preprocessor") | {"config": config}
    _write(directory / PREPROCESSOR_FILE, whole)
    return whole


def _masked_lm_differs(name, config):
    """What the head of KerasHub's class computes otherwise than ours, str; "" if nothing."""
    act, eps = ("gelu_new" if name == "albert" else "gelu"), config["layer_norm_eps"]
    differs = []
    if config["hidden_act"] != act:
        differs.append(f"{act} is {config['hidden_act']} here, at most 4.8e-4 from it")
    if eps != _MASKED_LM_EPS:
        differs.append(f"the norm's epsilon {_MASKED_LM_EPS} is {eps} here")
    return ", ".join(differs)


def _class(backbone, task):
    return backbone.replace("Backbone", TASKS[task][0])


def _object(module, kind):
    """How Keras names a class in a file."""
    return {
        "module": f"keras_hub.src.models.{module}",
        "class_name": kind,
        "config": {},
        "registered_name": f"keras_hub>{kind}",
    }


def _write(file, whole):
    file.write_text(json.dumps(whole, indent=4) + "\n", encoding="utf-8")
