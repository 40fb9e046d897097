"""Which TFRecord files a folder or a glob names, and what the manifests beside them tell."""

import glob
import os

from bert_tf.errors import InputError
from bert_tf.pretraining_data.records.manifest import MANIFEST, UNFINISHED, Manifest

# In what records of several folders have to be alike.
_ALIKE = (
    "vocabulary",
    "max_length",
    "max_predictions",
    "sentence_objective",
    "features",
    "labels",
)


def find(source):
    """The files of a source, all of which manifests name, or none of which one does.

    Args:
      source: str, a folder or a glob. Of a folder with a manifest it means all files this names,
        there or not.
    Returns:
      files: list of (path, the manifest's entry of the file or None), sorted.
      manifests: dict of folder -> Manifest.
    Raises:
      InputError: no file matches, a folder is not finished, or the files are not of one kind.
    """
    is_folder = os.path.isdir(source)
    pattern = os.path.join(glob.escape(source), "*.tfrecord*") if is_folder else source
    matched = {}  # folder -> names; what a process that was killed left behind is none
    for path in sorted(glob.glob(pattern)):
        if os.path.isfile(path) and not path.endswith(".tmp"):
            matched.setdefault(os.path.dirname(path), []).append(os.path.basename(path))
    if is_folder:
        matched.setdefault(os.path.dirname(os.path.join(source, "")), [])
    manifests, files = _manifests(matched), []
    for folder, names in sorted(matched.items()):
        shards = manifests[folder].shards if folder in manifests else []
        known = {shard["file"]: shard for shard in shards}
        names = known if is_folder and known else names
        files += [(os.path.join(folder, name), known.get(name)) for name in names]
    if not files:
        raise InputError(f"{source}: matches no file")
    odd = [path for path, entry in files if manifests and entry is None]
    if odd:
        raise InputError(
            f"{odd[0]}: no {MANIFEST} names it, as one does other files of {source}; "
            "wanted records of one making"
        )
    return files, manifests


def _manifests(folders):
    """Those of some folders, dict of folder -> Manifest, which have to agree."""
    manifests = {}
    for folder in folders:
        if os.path.isfile(os.path.join(folder, MANIFEST)):
            manifests[folder] = Manifest.read(folder)
        elif os.path.isdir(os.path.join(folder, UNFINISHED)):
            raise InputError(
                f"{folder}: its records are not finished; `bert-tf records` with the flags it was "
                "begun with continues"
            )
    first = min(manifests, default=None)
    for folder, manifest in manifests.items():
        for name in _ALIKE:
            if getattr(manifest, name) != getattr(manifests[first], name):
                raise InputError(
                    f"{folder}: another {name} than the records in {first}, "
                    "wanted records of one making"
                )
    return manifests
