"""The JSON files of a tokenizer: objects whose entries are checked for their type when read."""

import json
import os

from bert_tf.errors import InputError, shown, shown_name

# The largest vocabularies there are take a tenth of it.
MOST_BYTES = 1 << 28
_WANTED = {
    bool: "true or false",
    int: "a whole number",
    str: "a string",
    dict: "an object",
    list: "a list",
}


class Entries:
    """A JSON object, and where it stands.

    Args:
      values: dict; empty for a file that is not there.
      file: str, the path that errors name.
      place: str, the keys that lead to it within the file, each with a dot behind it.
    """

    def __init__(self, values, file, place=""):
        self.values, self.file, self.place = values, file, place

    def __bool__(self):
        return bool(self.values)

    def get(self, key, kind):
        """The value of a key, or None: it is absent or null.

        Args:
          key: str.
          kind: bool, int, str, dict or list.
        Raises:
          InputError: it is of another type, or a str that is no Unicode.
        """
        value = self.values.get(key)
        if value is None:
            return None
        if type(value) is not kind:
            raise self.fault(key, _WANTED[kind])
        if kind is str and not is_unicode(value):
            raise self.fault(key, "no half of a surrogate pair")
        return value

    def one_of(self, key, *known):
        """As `get` of a str, which has to be one of `known`."""
        value = self.get(key, str)
        if value is not None and value not in known:
            raise self.fault(key, "only " + " or ".join(map(repr, known)) + " here")
        return value

    def inner(self, key):
        """The object of a key as Entries; empty ones when it is absent or null."""
        return Entries(self.get(key, dict) or {}, self.file, f"{self.place}{shown_name(key)}.")

    def items(self, key):
        """The list of a key as Entries under the keys "0", "1", ...; empty when it is absent."""
        values = {str(i): value for i, value in enumerate(self.get(key, list) or ())}
        return Entries(values, self.file, f"{self.place}{key}.")

    def tokens(self):
        """The tokens of an object of token -> id, in the order of their ids.

        Returns:
          list of str, "" for an id without an entry.
        Raises:
          InputError: it is empty, or an id is none, or another token has it, or is far too large.
        """
        # A vocab.txt with a token on two lines becomes a tokenizer.json without the earlier id.
        most = 2 * len(self.values)
        by_id = {}
        for token in self.values:
            number = self.get(token, int)
            if number is None or not 0 <= number < most:
                raise self.fault(token, f"an id from 0 to {most - 1}, as there are {most // 2}")
            if by_id.setdefault(number, token) != token:
                raise self.fault(token, f"another id than {shown(by_id[number])} has")
            if not is_unicode(token):
                raise self.fault(token, "a token without half of a surrogate pair")
        if not by_id:
            place = f"{self.file}: {self.place}".removesuffix(".").removesuffix(": ")
            raise InputError(f"{place}: the vocabulary is empty")
        return [by_id.get(i, "") for i in range(max(by_id) + 1)]

    def fault(self, key, wanted):
        """InputError for the value of a key."""
        value = shown(self.values.get(key))
        return InputError(f"{self.file}: {self.place}{shown_name(key)}: {value}, wanted {wanted}")


def read_json(path):
    """The object in a JSON file.

    Args:
      path: str.
    Returns:
      Entries; empty ones when there is no such file.
    Raises:
      InputError: the file cannot be read, or is not JSON, or holds no object.
    """
    if not os.path.exists(path):
        return Entries({}, path)
    try:
        values = json.loads(read_bytes(path).decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}: not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
        ) from None
    except RecursionError:
        raise InputError(f"{path}: not JSON that can be read: nested too deeply") from None
    except ValueError as error:  # an int of thousands of digits
        raise InputError(f"{path}: not JSON that can be read: {error}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: holds {shown(values)}, wanted a JSON object")
    return Entries(values, path)


def is_unicode(text):
    """bool, whether a str has UTF-8; JSON can write half of a surrogate pair, which has none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_bytes(path):
    """The content of a file of a tokenizer; InputError when it cannot be read or is too large."""
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(content) > MOST_BYTES:
        raise InputError(f"{path}: larger than {MOST_BYTES} bytes, which no tokenizer's file is")
    return content
