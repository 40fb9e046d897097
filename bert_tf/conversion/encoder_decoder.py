"""An encoder before a decoder as transformers' `EncoderDecoderModel` keeps it: two models in one.

Source: the state dicts and the config.json of that class around a `BertModel`, or another encoder,
and a `BertLMHeadModel` or a `GPT2LMHeadModel`. The encoder's pooler, which such files hold, is read
by nobody.
"""

from dataclasses import replace

from bert_tf.conversion import rows
from bert_tf.conversion.family import Layout
from bert_tf.conversion.sizes import sizes_of
from bert_tf.conversion.table import Row, canonical_names
from bert_tf.errors import InputError, shown

CLASS, MODEL_TYPE, TASK = "EncoderDecoderModel", "encoder-decoder", "Seq2Seq"
_DECODES = dict.fromkeys(rows.NO_DECODER, True)
# Fields of our family `transformer` that no BERT has.
OF_TRANSFORMER = ("parts_of", "embedding_size", "num_hidden_groups", "inner_group_num")
# Where config.json says what its generation begins and ends with.
_START, _END = "decoder_start_token_id", "eos_token_id"


def taken_apart(config, config_file, families, own):
    """The config of an `EncoderDecoderModel` as that of its encoder, and the names of its tensors.

    Args:
      config: dict, the parsed config.json.
      config_file: Path, for messages.
      families: dict of model_type -> Family.
      own: str, our key in config.json.
    Returns:
      (dict, the encoder's config with what is ours of the whole under `own`, where `decoder` is the
      decoder's config as a file of its own would have it; the encoder's Family; Layout).
    Raises:
      InputError: a part is missing, is of a family that has no such part, or has a value that no
        model here has.
    """
    encoders = [name for name, family in families.items() if family.is_published]
    for name, known in (("encoder", encoders), ("decoder", list(_HEADS))):
        part = config.get(name)
        if not isinstance(part, dict):
            raise InputError(f"{config_file}: {name}: {shown(part)}, wanted a config")
        if part.get("model_type") not in known:
            raise InputError(
                f"{config_file}: {name}.model_type: {shown(part.get('model_type'))}, wanted one of "
                f"{', '.join(known)}"
            )
    encoder, decoder, options = config["encoder"], config["decoder"], config.get(own, {})
    if not isinstance(options, dict):
        raise InputError(f"{config_file}: {own}: {shown(options)}, wanted an object")
    kind = decoder["model_type"]
    needed = families[kind].required | {"cross_attention_hidden_size": None} | _DECODES
    for key, wanted in needed.items():
        given = decoder.get(key)
        if given is not None and given != wanted:
            raise InputError(f"{config_file}: decoder.{key}: {shown(given)}, here only {wanted!r}")
    ids = {"bos_token_id": _START, "eos_token_id": _END}
    told = {name: config.get(key, decoder.get(key)) for name, key in ids.items()}
    decoder = decoder | _DECODES | {name: x for name, x in told.items() if x is not None}
    whole = {**encoder, "architectures": [CLASS], own: {**options, "decoder": decoder}}
    family = families[encoder["model_type"]]
    return whole, family, layout(family, families[kind], kind)


def layout(encoder, decoder, kind):
    """The names of both parts and of what lies between.

    Args:
      encoder, decoder: Family.
      kind: str, the `model_type` of the decoder.
    Returns:
      Layout with the head of one task.
    """
    source, target = (family.layouts["huggingface"] for family in (encoder, decoder))
    head, tied = _HEADS[kind](target)
    return Layout(
        encoder=tuple(_renamed(row, "encoder.") for row in source.encoder),
        heads={
            TASK: (
                *(_renamed(row, f"decoder.{target.prefix}", "writer.") for row in target.encoder),
                *(_renamed(row, "decoder.") for row in head),
                *rows.hf_dense("enc_to_dec_proj", "memory_projection"),
            )
        },
        any_head=r"^(decoder|enc_to_dec_proj)\.",
        old_names=source.old_names,
        ignorable=source.ignorable + target.ignorable,
        tied={TASK: tuple((f"decoder.{one}", f"decoder.{other}") for one, other in tied)},
        unused={TASK: r"^encoder\.pooler\."},
    )


def _renamed(row, before, ours=""):
    return replace(row, theirs=tuple(before + name for name in row.names), ours=ours + row.ours)


def bert_head(target):
    """The head for masked words, by which a BERT tells the next one: (list of Row, what is tied).

    Args:
      target: Layout of BERT.
    """
    head = (*target.heads["MaskedLM"], *target.untied["MaskedLM"])
    ours = [row.ours.replace("masked_lm_head", "next_word_head") for row in head]
    found = [replace(row, ours=path) for row, path in zip(head, ours, strict=True)]
    return found, target.tied["MaskedLM"]


def _gpt2_head(target):
    return target.heads["CausalLM"], target.tied["CausalLM"]


# model_type of a decoder -> function of its Layout: the rows of its head, and what is tied.
_HEADS = {"bert": bert_head, "gpt2": _gpt2_head}


def config_of(model, encoder, tokenizer=None):
    """The config.json of a model in this format.

    Args:
      model: Seq2Seq.
      encoder: dict, the config of its encoder as a file of its own has it.
      tokenizer: Tokenizer or None.
    Returns:
      dict, without what is ours; None where the format cannot express the model.
    """
    values = model.writer.config.to_dict()
    if "parts_of" in values:
        usual = rows.EXPRESSIBLE | _DECODES
        if any(values[key] != wanted for key, wanted in usual.items()):
            return None
        values["model_type"] = values["parts_of"]
        for key in (*rows.EXPRESSIBLE, *OF_TRANSFORMER):
            del values[key]
    if values["model_type"] not in _HEADS or model.share_embeddings:
        return None
    special = model.special_ids(tokenizer)
    return {
        "model_type": MODEL_TYPE,
        "architectures": [CLASS],
        "is_encoder_decoder": True,
        "encoder": encoder,
        "decoder": values | _DECODES,
        _START: special["start"],
        _END: special["end"],
        "pad_token_id": special["pad"],
    }


def decoder_sizes(contents, config, families):
    """What the tensors of files tell of the sizes of a decoder, before it is built.

    Args:
      contents: Contents, of this format or of our own.
      config: config of the decoder.
      families: dict of model_type -> Family.
    Returns:
      dict of config key to Size; without what the decoder shares with its encoder.
    """
    family = families[getattr(config, "parts_of", config.model_type)]
    tensors = contents.tensors
    if contents.is_own:
        paths = [f"writer.{row.ours}" for row in family.layouts["bert_tf"].encoder]
        named = [Row(path, path) for path in paths]
    else:
        table = contents.layout.task_table(TASK)
        named, tensors = table.rows, canonical_names(table, tensors, contents.weights_file)
    found = sizes_of(family.sizes, named, tensors, "writer.")
    shared = contents.is_own and contents.options.get("share_embeddings")
    return {key: size for key, size in found.items() if not shared or size.value is not None}
