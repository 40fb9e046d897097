"""What all verbs share: flags in, one call, an exit code out; one line for whatever went wrong."""

import contextlib
import importlib
import logging
import os
import sys
import tempfile
import typing

from absl import flags
from absl import logging as absl_logging

from bert_tf import __version__
from bert_tf.errors import ConfigError, InputError, nearest, require_file_name, shown, shown_name

DONE, FAILED, WRONG_FLAGS, SAVED, INTERRUPTED = 0, 1, 2, 3, 130

# Where our own rooms are. Their name alone would not do: a clone is called bert_tf as well, and
# everything installed in its .venv lies below it.
_HOUSE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Flag(typing.NamedTuple):
    """One flag: its name, what stands after "=" in the help (None: it is on or off, and stands
    alone), what it means to a newcomer."""

    name: str
    value: str | None
    meaning: str
    default: object = None
    needed: bool = False
    repeated: bool = False


def run_flags(says, folder, example):
    """The three flags of a verb that trains as a configuration says.

    Args:
      says: str, what the configuration says.
      folder: str, of `configs`, where some to begin from are.
      example: str, a change by `--set`.
    Returns:
      tuple of Flag: config, workdir, set.
    """
    return (
        Flag(
            "config",
            "FILE",
            f"a YAML file that says {says};\nthe folder configs/{folder} holds some to begin from",
            needed=True,
        ),
        Flag(
            "workdir",
            "DIR",
            "the folder for everything the run writes; the same command again\n"
            "continues a run that was stopped",
            needed=True,
        ),
        Flag(
            "set",
            "KEY=VALUE",
            f"changes one value of the configuration, such as {example};\n"
            "may be given several times",
            repeated=True,
        ),
    )


# Where the columns of a table with labels are; see `columns_of`.
COLUMN_FLAGS = (
    Flag("text", "COLUMN", "the column with the texts, if not the one trained with"),
    Flag("text_pair", "COLUMN", "the column with the partners of pairs, as --text"),
    Flag("label", "COLUMN", "the column with the labels, as --text"),
    Flag(
        "column",
        "NAME=COLUMN",
        "where another column of the task is, such as score=similarity; may be\n"
        "given several times",
        repeated=True,
    ),
)


def columns_of(flags):
    """The columns that COLUMN_FLAGS give, dict of name -> str, int, or None for none; ConfigError
    where one is not understood."""
    columns = {name: column_of(flags[name].value, name) for name in ("text", "text_pair", "label")}
    for given in flags.column or ():
        name, equals, place = given.partition("=")
        if not (name and equals and place):
            said = shown(given)
            raise ConfigError(f"--column is {said}, wanted NAME=COLUMN such as score=similarity")
        columns[name] = column_of(place, "column")
    return columns


def column_of(text, name):
    """A column as the flag of a name tells it: its number where it is one, else its name; None for
    none."""
    is_number = text is not None and text.isascii() and text.isdigit()
    return whole_number(text, name) if is_number else text


def field_of(flags):
    """The key of texts in JSON lines that --field gives, "text" where it is not given; ConfigError
    where --layout is another."""
    if flags.field is not None and flags.layout not in (None, "jsonl"):
        said = f"--field is {shown(flags.field)}, and --layout {shown_name(flags.layout)}"
        raise ConfigError(f"{said} has no keys, wanted --layout=jsonl, or none")
    return flags.field or "text"


def whole_number(text, name, least=0, most=2**31 - 1):
    """The whole number that a flag gives; None where it is not given.

    Args:
      text: str or None, what was given.
      name: str, of the flag.
      least, most: int, between which it has to be.
    Raises:
      ConfigError: it is no whole number, or not between them.
    """
    if text is None:
        return None
    # Of thousands of digits Python reads no number.
    whole = text.isascii() and text.isdigit() and len(text) < 100
    if not whole or not least <= int(text) <= most:
        said = f"--{name} is {shown(text)}"
        raise ConfigError(f"{said}, wanted a whole number from {least} to {most}")
    return int(text)


class Command(typing.NamedTuple):
    """One verb: its name, what it does, an example, its flags."""

    verb: str
    what: str
    example: str
    flags: tuple

    def run(self, work, argv=None, prepare=lambda flags: flags, light=False):
        """Parses flags and does the work.

        Args:
          work: function of what `prepare` gives; returns an exit code, or None for done.
          argv: list of str without the verb; None takes the command line's.
          prepare: function of the flags' values, a namespace; it runs before TensorFlow is
            imported, so that what is wrong with them is said at once.
          light: bool, the work needs no TensorFlow.
        Returns:
          int, the exit code.
        """
        argv = sys.argv[1:] if argv is None else argv
        if {"--help", "-h", "-help", "--helpfull"} & set(argv):
            print(self.help())
            return DONE
        if "--version" in argv:
            print(f"bert-tf {__version__}")
            return DONE
        try:
            prepared = prepare(self._parsed(argv))
            with _told():
                if not light:
                    _import_quietly()
                return work(prepared) or DONE
        except ConfigError as error:
            return self._say(error, WRONG_FLAGS)
        except InputError as error:
            return self._say(error, FAILED)
        except BrokenPipeError:
            # Whoever read our output has closed it; Python would complain once more at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FAILED
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            return self._say(f"{place}{error.strerror or error}", FAILED)
        except KeyboardInterrupt:
            return self._say("interrupted", INTERRUPTED)

    def help(self):
        """The text of `--help`."""
        left = [f"  --{flag.name}" + f"={flag.value}" * bool(flag.value) for flag in self.flags]
        width = max(map(len, left))
        lines = []
        for start, flag in zip(left, self.flags, strict=True):
            first, *rest = (flag.meaning + " (needed)" * flag.needed).splitlines()
            lines += [f"{start:{width}}  {first}", *(f"{'':{width}}  {line}" for line in rest)]
        return f"bert-tf {self.verb}: {self.what}\n\n  {self.example}\n\n" + "\n".join(lines)

    def _parsed(self, argv):
        """The flags' values; raises ConfigError with the nearest name for an unknown one."""
        values = flags.FlagValues()
        for flag in self.flags:
            define = flags.DEFINE_multi_string if flag.repeated else flags.DEFINE_string
            define = flags.DEFINE_boolean if flag.value is None else define
            define(flag.name, flag.default, flag.meaning, flag_values=values)
        try:
            _, *rest = values([self.verb, *argv])
        except flags.UnrecognizedFlagError as error:
            raise ConfigError(f"no flag --{error.flagname}; {self._hint(error.flagname)}") from None
        except flags.Error as error:
            raise ConfigError(str(error).splitlines()[0]) from None
        if rest:
            raise ConfigError(
                f"{shown(rest[0])} is no flag, wanted --name=value; --help lists them"
            )
        for flag in self.flags:
            if flag.needed and not values[flag.name].value:
                raise ConfigError(f"--{flag.name}={flag.value} is missing; --help explains it")
            if values[flag.name].value == "":
                raise ConfigError(f"--{flag.name} is empty, wanted {flag.value}")
            if flag.value in ("FILE", "DIR", "GLOB") and values[flag.name].value is not None:
                _require_name(values[flag.name].value, flag.name)
        return values

    def _hint(self, name):
        names = [flag.name for flag in self.flags]
        near = nearest(name, names)
        return f"did you mean --{near}?" if near else "there are --" + ", --".join(names)

    def _say(self, message, code):
        print(f"bert-tf {self.verb}: {message}", file=sys.stderr)
        return code


def _require_name(path, name):
    """Raises ConfigError where no file can be called as a flag says."""
    try:
        require_file_name(path)
    except InputError as error:
        raise ConfigError(f"--{name}: {error}") from None


@contextlib.contextmanager
def _told():
    """Within it what our own rooms log reaches the user, as plain lines on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(lambda record: record.pathname.startswith(_HOUSE + os.sep))
    # absl's own class of logger: it alone knows which file a message comes from.
    logger, tensorflow = absl_logging.get_absl_logger(), logging.getLogger("tensorflow")
    before = logger.level, logger.propagate, tensorflow.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    tensorflow.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]
        tensorflow.setLevel(before[2])


def _import_quietly():
    """Imports TensorFlow without its start-up notes, which no log level stops.

    They are written to file descriptor 2 before logging is set up; should the import fail, they are
    shown after all.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what matters is raised as well
    if "tensorflow" in sys.modules:
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            importlib.import_module("tensorflow")
            with contextlib.suppress(ImportError):  # there is none on Windows
                importlib.import_module("tensorflow_text")
        except BaseException:
            notes.seek(0)
            os.write(kept, notes.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def print_figures(what, measured):
    """Prints a line with the single numbers of what was measured, a dict, if it has any."""
    numbers = ", ".join(
        f"{name} {value:.6g}"
        for name, value in measured.items()
        if isinstance(value, int | float) and not name.endswith(("_macro", "_micro"))
    )
    if numbers:
        print(f"{what}: {numbers}")
