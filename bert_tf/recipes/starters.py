"""The configurations that come with the package, to begin from."""

import glob
import os
import re
import textwrap

from bert_tf.errors import ConfigError, nearest

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def starters_folder():
    """The folder of the configurations: in an installed package within it, in a clone beside it."""
    installed = os.path.join(_PACKAGE, "configs")
    return installed if os.path.isdir(installed) else os.path.join(_PACKAGE, "..", "configs")


def starter_names():
    """The names, such as finetune/sst2, sorted; a list of str."""
    folder = starters_folder()
    files = glob.glob(os.path.join(glob.escape(folder), "*", "*.yaml"))
    names = [os.path.relpath(file, folder).removesuffix(".yaml") for file in files]
    return sorted(name.replace(os.sep, "/") for name in names)


def starter_text(name):
    """A configuration as it is shipped, comments included.

    Args:
      name: str, one of `starter_names`, perhaps without the folder or with `.yaml`.
    Returns:
      str.
    Raises:
      ConfigError: there is none of this name, or there are several.
    """
    names, wanted = starter_names(), name.removesuffix(".yaml").removeprefix("configs/")
    found = [x for x in names if wanted in (x, x.split("/")[-1])]
    if len(found) > 1:
        raise ConfigError(f"{name}: there are {' and '.join(found)}")
    if not found:
        near = nearest(wanted, [*names, *(x.split("/")[-1] for x in names)])
        hint = f"did you mean {near}?" if near else f"there are {', '.join(names)}"
        raise ConfigError(f"no configuration {name!r}; {hint}")
    with open(os.path.join(starters_folder(), f"{found[0]}.yaml"), encoding="utf-8") as file:
        return file.read()


def summary(name):
    """What a configuration is for, str: the first sentence of its head comment, if it is short."""
    lines = []
    for line in starter_text(name).splitlines():
        if not line.startswith("# "):
            break
        lines.append(line[2:].strip())
    sentence = re.split(r"(?<! al)\.(?: |$)", " ".join(lines))[0]
    return textwrap.shorten(sentence, 100, placeholder=" ...")
