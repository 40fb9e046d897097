"""Model directories by the name they have at Hugging Face: hf://ORG/NAME, hf://ORG/NAME@REVISION.

The package huggingface_hub fetches them: cache, token, endpoint and offline mode are its own
(HF_HOME, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE).
"""

import functools
import pathlib
import re

from bert_tf.errors import InputError, shown, shown_name

# A path made of one loses a slash.
PATTERN = re.compile(r"hf:/{1,2}([\w.-]+(?:/[\w.-]+)?)(?:@(\S+))?")
# Configs, vocabularies and the weights that are read first; the others only where these are not.
FILES = ("*.json", "*.txt", "*.model", "*.spm", "*.yaml", "*.safetensors")
WEIGHTS = (
    ("tf_model*.h5", "model.weights.h5", "*.ckpt*", "saved_model.pb", "variables/*", "vocab.bpe"),
    ("pytorch_model*.bin",),
)
WEIGHT_SUFFIXES = (".safetensors", ".h5", ".bin", ".index", ".pb")
ELSEWHERE = ("onnx/*", "openvino/*", "coreml/*", "*.onnx")


def is_remote(source):
    """Whether a path or a name is one of Hugging Face's."""
    return str(source).startswith("hf:/")


def local(source):
    """The folder on this machine that a name at Hugging Face stands for.

    Args:
      source: anything; what is no such name is handed back as it is.
    Returns:
      str, the folder in huggingface_hub's cache; or `source`. In one process a name stands for one
      commit, even if its branch moves on.
    Raises:
      InputError: huggingface_hub is not installed, there is no such model or revision, it takes a
        token, or the download broke off; what was fetched is kept and the next call goes on.
    """
    return _fetched(str(source)) if is_remote(source) else source


@functools.cache
def _fetched(source):
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
        for patterns in (FILES, *WEIGHTS):
            folder = snapshot_download(
                name, revision=revision, allow_patterns=patterns, ignore_patterns=ELSEWHERE
            )
            files = pathlib.Path(folder).rglob("*")
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
    if kinds & {"LocalEntryNotFoundError", "OfflineModeIsEnabled"}:
        return "not in the cache, and the hub is out of reach or HF_HUB_OFFLINE is set"
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return (
        f"the download failed, call again to go on: {type(error).__name__}: {shown_name(said, 200)}"
    )
