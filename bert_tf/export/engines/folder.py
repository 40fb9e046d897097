"""What stands beside an engine's file: config.json and the tokenizer, as Hugging Face has them."""

import dataclasses
import json

from bert_tf.text.added_tokens import SPECIAL, AddedToken
from bert_tf.text.tokenizer_json import of_wordpiece

_WEIGHTS = "model.safetensors"


def write_folder(model, tokenizer, folder, length):
    """Writes all but the engine's file: config.json, tokenizer.json with truncation and padding,
    tokenizer_config.json, special_tokens_map.json; of a sentence encoder the modules of
    sentence-transformers.

    Args:
      model: TaskModel.
      tokenizer: Tokenizer.
      folder: pathlib.Path, an empty directory.
      length: int, tokens a row.
    """
    model.save_pretrained(str(folder), tokenizer)
    (folder / _WEIGHTS).unlink()
    whole = folder / "tokenizer.json"
    settings = tokenizer.pieces.settings
    values = _read(whole) if whole.exists() else of_wordpiece(settings)
    values["truncation"] = {
        "direction": "Right",
        "max_length": length,
        "strategy": "LongestFirst",
        "stride": 0,
    }
    values["padding"] = {
        "strategy": "BatchLongest",
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": tokenizer.pad_id,
        "pad_type_id": 0,
        "pad_token": tokenizer.vocabulary[tokenizer.pad_id],
    }
    _write(whole, values)
    config = folder / "tokenizer_config.json"
    _write(config, {**_read(config), "model_max_length": length})
    _write(folder / "special_tokens_map.json", _special_tokens(settings))


def _special_tokens(settings):
    """The tokens with a name: as a string where it is an ordinary one, else with what it is."""
    tokens, found = {token.content: token for token in settings.added_tokens}, {}
    for name in ("bos_token", "eos_token", *SPECIAL):
        content = getattr(settings, name, None)
        if content is None:
            continue
        token = tokens.get(content, AddedToken(content))
        said = {key: x for key, x in dataclasses.asdict(token).items() if key != "special"}
        found[name] = content if token == AddedToken(content) else said
    return found


def _read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def _write(path, values):
    path.write_text(f"{json.dumps(values, indent=2, ensure_ascii=False)}\n", encoding="utf-8")
