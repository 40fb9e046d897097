"""BERTs of the TF Model Garden and of TF-Hub, under the names of Google's TensorFlow 1 files.

Both are object-based: a graph of objects in the checkpoint says what each variable was called when
it was made, such as `transformer/layer_0/self_attention/query/kernel`, and that name alone is gone
by; the place of an object in its model changed with every release. A SavedModel is read as a
checkpoint and a description: nothing in it is run.

Sources: tensorflow/models `official/nlp/modeling`: `networks/bert_encoder.py`,
`layers/transformer_encoder_block.py`, `layers/masked_lm.py`; `official/nlp/configs/encoders.py`;
`official/nlp/tools/export_tfhub_lib.py`.
"""

import re

import yaml
from absl import logging

from bert_tf.conversion import google
from bert_tf.conversion.files import read_json
from bert_tf.conversion.sizes import sizes_of
from bert_tf.errors import InputError, shown, shown_name

GRAPH, VALUE = "_CHECKPOINTABLE_OBJECT_GRAPH", "/.ATTRIBUTES/VARIABLE_VALUE"
SAVED_MODEL = "saved_model.pb"
CONFIG_FILES = ("bert_config.yaml", "params.yaml", "bert_config.json")
SIZE_LIMIT = 2**20  # bytes of a config
_LAYER = r"transformer/layer_(\d+)"
# What a variable was called -> what TensorFlow 1's is; before it may stand the name of a model.
NAMES = (
    (r"word_embeddings/embeddings", r"bert/embeddings/word_embeddings"),
    (r"position_embeddings?/embeddings", r"bert/embeddings/position_embeddings"),
    (r"type_embeddings/embeddings", r"bert/embeddings/token_type_embeddings"),
    (r"embeddings/layer_norm/(gamma|beta)", r"bert/embeddings/LayerNorm/\1"),
    (
        _LAYER + r"/self_attention/(query|key|value)/(kernel|bias)",
        r"bert/encoder/layer_\1/attention/self/\2/\3",
    ),
    (
        _LAYER + r"/self_attention(?:/attention|)_output/(kernel|bias)",
        r"bert/encoder/layer_\1/attention/output/dense/\2",
    ),
    (
        _LAYER + r"/self_attention_layer_norm/(gamma|beta)",
        r"bert/encoder/layer_\1/attention/output/LayerNorm/\2",
    ),
    (_LAYER + r"/intermediate/(kernel|bias)", r"bert/encoder/layer_\1/intermediate/dense/\2"),
    (_LAYER + r"/output/(kernel|bias)", r"bert/encoder/layer_\1/output/dense/\2"),
    (_LAYER + r"/output_layer_norm/(gamma|beta)", r"bert/encoder/layer_\1/output/LayerNorm/\2"),
    (r"pooler_transform/(kernel|bias)", r"bert/pooler/dense/\1"),
    (
        r"cls/predictions/transform/(dense|LayerNorm)/(kernel|bias|gamma|beta)",
        r"cls/predictions/transform/\1/\2",
    ),
    (r"cls/predictions/output_bias(?:/bias)?", r"cls/predictions/output_bias"),
)
# Keys of their config -> of ours.
KEYS = {
    "num_layers": "num_hidden_layers",
    "hidden_activation": "hidden_act",
    "dropout_rate": "hidden_dropout_prob",
    "attention_dropout_rate": "attention_probs_dropout_prob",
}
# What their code takes where nothing says it; gelu is its tanh form there.
TAKEN = {
    "hidden_act": "gelu_new",
    "layer_norm_eps": 1e-12,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "initializer_range": 0.02,
}
FIXED = "layer_norm_eps"  # no config of theirs has a key for it
ACTIVATIONS = {"Tanh": "gelu_new", "Erf": "gelu", "Erfc": "gelu", "Relu": "relu"}


def is_object_based(tensors):
    """Whether the tensors of `google.read_google` are an object-based checkpoint's."""
    return GRAPH in tensors


def google_names(tensors, source):
    """The variables under Google's names and in their shapes, and the attention heads they tell.

    Args:
      tensors: dict of checkpoint key to StoredTensor, the graph of objects among them.
      source: Path of the checkpoint, for messages.
    Returns:
      (dict of name to StoredTensor; those that are no BERT's keep their keys; int or None).
    Raises:
      InputError: the graph is damaged, or the checkpoint is of no BERT of the Model Garden.
    """
    from tensorflow.core.protobuf import trackable_object_graph_pb2 as graphs

    graph = _parsed(graphs.TrackableObjectGraph(), tensors[GRAPH].read().item(), source)
    called = {a.checkpoint_key: a.full_name for node in graph.nodes for a in node.attributes}
    found, heads = {}, set()
    for key, tensor in tensors.items():
        place = key.removesuffix(VALUE)
        if key == GRAPH or place in ("save_counter", "do_lower_case"):
            continue
        state = ".OPTIMIZER_SLOT" in key or key.startswith("optimizer/")
        name = f"optimizer/{key}" if state else _google_name(called.get(key, "")) or place
        if name in found:
            raise InputError(f"{source}: two variables are {shown_name(name)}")
        if name.endswith("/self/query/kernel") and len(tensor.shape) == 3:
            heads.add(tensor.shape[1])
        found[name] = _flat(tensor, name)
    if "bert/embeddings/word_embeddings" not in found:
        raise InputError(
            f"{source}: an object-based checkpoint of TensorFlow 2, and its variables are not "
            "those of a BERT of the Model Garden or TF-Hub"
        )
    return found, heads.pop() if len(heads) == 1 else None


def _google_name(name):
    """Google's name of a variable, None for a variable that it has none for."""
    for theirs, ours in NAMES:
        match = re.fullmatch(f"(?:.*/)?{theirs}", name)
        if match:
            return match.expand(ours)
    return None


def _flat(tensor, name):
    """A tensor with its heads and their width as one axis, as TensorFlow 1 has them."""
    shape = tensor.shape
    if re.search(r"/self/\w+/(kernel|bias)$", name) and len(shape) in (2, 3):
        flat = (*shape[:-2], shape[-2] * shape[-1])
        flat = shape if name.endswith("kernel") and len(shape) == 2 else flat
    elif name.endswith("attention/output/dense/kernel") and len(shape) == 3:
        flat = (shape[0] * shape[1], shape[2])
    else:
        return tensor
    return tensor._replace(shape=flat, read=lambda: tensor.read().reshape(flat))


def garden_config(place, tensors, heads, weights_file):
    """The config of a checkpoint: from a file beside it or one folder above, else from its shapes.

    Args:
      place: Path, the directory or the prefix.
      tensors: dict of Google's name to StoredTensor.
      heads: int or None, the attention heads that the shapes tell.
      weights_file: Path, for messages.
    Returns:
      (Path of the file, dict with the keys of bert_config.json); where there is none the weights.
    Raises:
      InputError: the file is damaged, or its model is none that there is here.
    """
    folder = place if place.is_dir() else place.parent
    files = [where / name for where in (folder, folder.parent) for name in CONFIG_FILES]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        return weights_file, from_shapes(tensors, heads, TAKEN, TAKEN, weights_file)
    config = _translated(_encoder_section(file), file)
    said = config.setdefault("num_attention_heads", heads)
    if said is None:
        raise InputError(f"{file}: num_attention_heads: not there, and no tensor tells it")
    if heads is not None and said != heads:
        raise InputError(
            f"{file}: num_attention_heads: {shown(said)}, {weights_file} has kernels for {heads}"
        )
    unknown = [key for key in TAKEN if key not in config and key != FIXED]
    if unknown:
        taken = ", ".join(f"{key} {TAKEN[key]}" for key in unknown)
        logging.warning("%s: taken without being told are %s", file, taken)
    return file, {**TAKEN, **config}


def from_shapes(tensors, heads, values, unknown, weights_file):
    """A config without a file: sizes from shapes, and one warning for what no shape tells.

    Args:
      tensors, heads, weights_file: as in `garden_config`.
      values: dict, what the sizes are completed with.
      unknown: collection of the keys in `values` that nothing in the files tells.
    Returns:
      dict.
    """
    from bert_tf.conversion.saving import FAMILIES  # which imports what this module stands on

    family = FAMILIES["bert"]
    found = sizes_of(family.sizes, family.layouts["google"].encoder, tensors)
    sizes = {key: size.value for key, size in found.items() if size.value is not None}
    taken = dict(values)
    if heads is None:
        heads = max(1, sizes.get("hidden_size", 64) // 64)
        taken["num_attention_heads"], unknown = heads, ("num_attention_heads", *unknown)
    logging.warning(
        "%s: no config beside it; its sizes are read off the variables, and taken without being "
        "told are %s",
        weights_file,
        ", ".join(f"{key} {taken[key]}" for key in unknown),
    )
    return {"model_type": "bert", **values, **sizes, "num_attention_heads": heads}


def _encoder_section(file):
    """What a config file says of its encoder, as one dict."""
    if file.suffix == ".json":
        return read_json(file)
    if file.stat().st_size > SIZE_LIMIT:
        raise InputError(f"{file}: {file.stat().st_size} bytes, wanted at most {SIZE_LIMIT}")
    try:
        whole = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        line = shown_name(" ".join(str(error).split()), 200)
        raise InputError(f"{file}: not YAML: {line}") from None
    for section in (*_sections(whole), whole):
        kind = section.get("type") if isinstance(section, dict) else None
        if kind is not None and isinstance(section.get(kind), dict):
            if kind not in ("bert", "bert_v2"):
                raise InputError(f"{file}: an encoder of type {shown(kind)}, wanted bert")
            return section[kind]
    if not isinstance(whole, dict) or "num_layers" not in whole:
        raise InputError(f"{file}: says nothing of an encoder (`num_layers`, ...)")
    return whole


def _sections(value, depth=0):
    """Every `encoder` below a parsed params.yaml."""
    if isinstance(value, dict) and depth < 8:
        for key, below in value.items():
            if key == "encoder":
                yield below
            yield from _sections(below, depth + 1)


def _translated(stored, file):
    """Their config with our keys; "None" is how a dict that was printed has null."""
    stored = {key: value for key, value in stored.items() if value not in (None, "None")}
    if stored.get("norm_first"):
        raise InputError(f"{file}: norm_first: {shown(stored['norm_first'])}, here only false")
    width, hidden = stored.get("embedding_size"), stored.get("hidden_size")
    if width is not None and width != hidden:
        raise InputError(
            f"{file}: embedding_size: {shown(width)}, wanted hidden_size: {shown(hidden)}"
        )
    config = {KEYS.get(key, key): value for key, value in stored.items()}
    if config.get("hidden_act") == "gelu":
        config["hidden_act"] = "gelu_new"
    return {"model_type": "bert", **config}


def read_saved_model(place, named):
    """A SavedModel of TF-Hub: its variables and the config that its shapes and its graph tell.

    Args:
      place: Path of the directory.
      named: function of a Path, giving the one that messages name.
    Returns:
      (dict of Google's name to StoredTensor, dict, the config; Path of the variables).
    Raises:
      InputError: a file is missing or damaged, or the variables are no BERT's.
    """
    if (place / "assets.extra" / "bert_tf.json").is_file():
        raise InputError(f"{place}: an export; bert_tf.load_export answers from it")
    tensors, prefix = google.read_google(place / "variables" / "variables")
    if not is_object_based(tensors):
        raise InputError(
            f"{place}: a SavedModel with named variables; give {prefix} with its bert_config.json "
            "beside it"
        )
    tensors, heads = google_names(tensors, named(prefix))
    told = _told_by_graph(place / SAVED_MODEL)
    unknown = [key for key in TAKEN if key not in told]
    return tensors, from_shapes(tensors, heads, TAKEN | told, unknown, named(prefix)), prefix


def _told_by_graph(file):
    """dict, `hidden_act` and `layer_norm_eps` as far as the functions of a SavedModel tell."""
    from tensorflow.core.protobuf import saved_model_pb2

    model = _parsed(saved_model_pb2.SavedModel(), file.read_bytes(), file)
    activations, epsilons = set(), set()
    for graph in (meta.graph_def for meta in model.meta_graphs):
        places = [("", graph.node)]
        places += [(f.signature.name, f.node_def) for f in graph.library.function]
        for function, nodes in places:
            for node in nodes:
                inside = re.search(r"(^|[/_])layer_\d+[/_]", f"{function}/{node.name}")
                if inside and node.op in ACTIVATIONS:
                    activations.add(ACTIVATIONS[node.op])
                if node.name.endswith("layer_norm/batchnorm/add/y"):
                    epsilons.update(node.attr["value"].tensor.float_val)
    told = {}
    if len(activations) == 1:
        told["hidden_act"] = activations.pop()
    if len(epsilons) == 1:  # as a float32 has it
        told["layer_norm_eps"] = float(f"{epsilons.pop():.6g}")
    return told


def is_lowercase(place):
    """Whether the vocabulary of a SavedModel of TF-Hub is lowercase: bool, None if it says nothing.

    Args:
      place: Path of the directory.
    """
    tensors, _ = google.read_google(place / "variables" / "variables")
    lower = tensors.get(f"do_lower_case{VALUE}")
    there = lower is not None and lower.dtype == "bool" and lower.shape == ()
    return bool(lower.read()) if there else None


def _parsed(message, content, file):
    """A protocol buffer filled from bytes."""
    from google.protobuf.message import DecodeError

    try:
        message.ParseFromString(content)
    except (DecodeError, RuntimeError, ValueError, TypeError):
        raise InputError(f"{file}: damaged: no {type(message).__name__} can be read") from None
    return message
