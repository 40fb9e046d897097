"""Model directories by the name they have at Hugging Face: hf://ORG/NAME, hf://ORG/NAME@REVISION.

The package huggingface_hub fetches them: cache, token, endpoint and offline mode are its own
(HF_HOME, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE).
"""

import functools
import os
import pathlib
import re

from bert_tf.errors import InputError, shown, shown_name

# A path made of one loses a slash.
PATTERN = re.compile(r"hf:/{1,2}([\w.-]+(?:/[\w.-]+)?)(?:@(\S+))?")
# What a tokenizer is read from; configs, and the weights that are read first, those of a dense
# layer behind an encoder whatever they are; the others only where these are not.
VOCABULARIES = ("*.json", "*.txt", "*.model", "*.spm", "vocab.bpe")
FILES = (*VOCABULARIES, "*.yaml", "*.safetensors", "*_Dense/pytorch_model.bin")
WEIGHTS = (
    ("tf_model*.h5", "model.weights.h5", "saved_model.pb", "variables/*")
    # Checkpoints of TensorFlow, such as bert_model.ckpt.index and ckpt-1000.index.
    + ("*.index", "*.data-?????-of-?????", "checkpoint"),
    ("pytorch_model*.bin", "0_Transformer/pytorch_model*.bin"),
)
WEIGHT_SUFFIXES = (".safetensors", ".h5", ".bin", ".index", ".pb")
ELSEWHERE = ("onnx/*", "openvino/*", "coreml/*", "*.onnx")


def is_remote(source):
    """Whether a path or a name is one of Hugging Face's."""
    return str(source).startswith("hf:/")


def local(source, weights=True):
    """The folder on this machine that a name at Hugging Face stands for.

    Args:
      source: anything; what is no such name is handed back as it is.
      weights: bool, whether they are fetched too; a tokenizer needs none.
    Returns:
      str, the folder in huggingface_hub's cache; or `source`. In one process a name stands for one
      commit, even if its branch moves on.
    Raises:
      InputError: huggingface_hub is not installed, there is no such model or revision, it takes a
        token, or the download broke off; what was fetched is kept and the next call goes on.
    """
    return _fetched(str(source), weights) if is_remote(source) else source


_commits = {}  # what a name stands for in this process


# Endings of the archives that models come in.
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")


def nothing_at(source, wanted="directory, .zip or checkpoint prefix"):
    """What a message says of a path where there is nothing: more of a bare name, such as a size's.

    Args:
      source: str or Path.
      wanted: str, what is not there.
    Returns:
      str.
    """
    said = f"{source}: no such {wanted}"
    name = os.fspath(source)
    if os.path.basename(name) != name or name.lower().endswith(ARCHIVES):
        return said
    return (
        f"{said}; a published model is read from a folder that holds its files, or as "
        "hf://ORG/NAME, and bert_tf.build_encoder makes one of its size with random weights"
    )


@functools.cache
def _fetched(source, weights):
    match = PATTERN.fullmatch(source)
    if match is None:
        raise InputError(f"{shown(source)}: wanted hf://ORG/NAME or hf://ORG/NAME@REVISION")
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise InputError(
            f"{source}: fetching it takes huggingface_hub: pip install 'bert_tf[hub]'"
        ) from None
    name, revision = match.groups()
    try:
        for patterns in (FILES, *WEIGHTS) if weights else (VOCABULARIES,):
            folder = snapshot_download(
                name,
                revision=_commits.get(source, revision),
                allow_patterns=patterns,
                ignore_patterns=ELSEWHERE,
            )
            _commits[source] = pathlib.Path(folder).name
            files = [x for x in pathlib.Path(folder).rglob("*") if not x.parent.match("*_Dense")]
            if any(file.suffix in WEIGHT_SUFFIXES for file in files):
                return folder
    except Exception as error:  # of httpx, of the hub, of the disk: many types
        raise InputError(f"{source}: {_why_not(error, revision)}") from None
    return folder  # whoever reads it says that no weights are there


def _why_not(error, revision):
    """What a failure of huggingface_hub means, in one line."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "GatedRepoError" in kinds:
        return "is gated: ask for access on its page, then set HF_TOKEN"
    if "RepositoryNotFoundError" in kinds:
        return "no such repository, or one that takes a token (HF_TOKEN)"
    if "RevisionNotFoundError" in kinds:
        return f"no revision {shown_name(str(revision))}"
    if "HFValidationError" in kinds:
        return f"no name that a repository can have: {shown_name(_first_line(error), 200)}"
    if kinds & {"LocalEntryNotFoundError", "OfflineModeIsEnabled"}:
        return "not in the cache, and the hub is out of reach or HF_HUB_OFFLINE is set"
    said = shown_name(_first_line(error), 200)
    return f"the download failed, call again to go on: {type(error).__name__}: {said}"


def _first_line(error):
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "")
