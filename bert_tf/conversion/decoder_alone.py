"""A BERT that reads from left to right and tells the next word, as transformers' `BertLMHeadModel`
keeps it: BERT's names, and the head for masked words.

Here it is an encoder of our family `transformer` with `is_decoder`, under the task CausalLM.
"""

from dataclasses import replace

from bert_tf.conversion import rows
from bert_tf.conversion.encoder_decoder import OF_TRANSFORMER, bert_head
from bert_tf.errors import InputError, shown

CLASS, TASK, MODEL_TYPE = "BertLMHeadModel", "CausalLM", "bert"
# What the class has otherwise than our family may have, and what it means.
_FIXED = {key: x for key, x in rows.EXPRESSIBLE.items() if key != "is_decoder"}


def family_of_class(family):
    """BERT's names as those of this class.

    Args:
      family: Family of BERT.
    Returns:
      Family.
    """
    bert = family.layouts["huggingface"]
    head, tied = bert_head(bert)
    layout = replace(
        bert,
        heads={TASK: tuple(head)},
        tied={TASK: tied},
        untied={},
        unused={TASK: r"^(bert\.pooler|cls\.seq_relationship)\."},
    )
    return replace(
        family,
        classes={TASK: CLASS},
        pooled=(),
        layouts={**family.layouts, "huggingface": layout},
        expressible=_FIXED,
        fuller={},
        read_as={},
    )


def read_config(config, config_file):
    """The config of this class as our family `transformer` has it.

    Args:
      config: dict, the parsed config.json.
      config_file: Path, for messages.
    Returns:
      dict.
    Raises:
      InputError: it does not read from left to right.
    """
    if config.get("is_decoder") is not True:
        raise InputError(
            f"{config_file}: is_decoder: {shown(config.get('is_decoder'))}, wanted true: a {CLASS} "
            "that sees later words tells none"
        )
    return {**config, "parts_of": MODEL_TYPE}


def written_config(model):
    """The config.json of a language model in this format, without what is ours.

    Args:
      model: task model.
    Returns:
      dict; None where the format cannot express the model.
    """
    values = model.encoder.config.to_dict()
    if TASK not in [kind.__name__ for kind in type(model).__mro__] or not values.get("is_decoder"):
        return None
    usual = all(values.get(key) == wanted for key, wanted in _FIXED.items())
    if values.get("parts_of") != MODEL_TYPE or not usual or model.encoder.config.has_own_sizes:
        return None
    values = {x: v for x, v in values.items() if x not in (*_FIXED, *OF_TRANSFORMER)}
    return {**values, "model_type": MODEL_TYPE, "architectures": [CLASS]}
