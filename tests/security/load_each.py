"""Loads each folder that a line of the standard input names; says in a line what came of it."""

import dataclasses
import hashlib
import logging
import os
import resource
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Family -> fields of its config that nothing reads.
NOT_READ = {
    "lstm": {"attention_probs_dropout_prob", "intermediate_size", "hidden_act", "layer_norm_eps"},
    "elmo": {"attention_probs_dropout_prob", "hidden_act", "layer_norm_eps"},
    "distilbert": {"layer_norm_eps", "type_vocab_size"},
    "transformer": set(),
}
NOT_READ["lstm"] |= {"is_decoder"}  # a decoder's layers have other names
NOT_READ["elmo"] |= {"hidden_size"}  # twice its `embedding_size`
NOT_READ["word2vec"] = NOT_READ["elmo"] | {"intermediate_size", "initializer_range"}


def outcome(folder):
    from bert_tf.conversion.contents import opened
    from bert_tf.conversion.files import TOKENIZER_FILES
    from bert_tf.errors import InputError
    from bert_tf.loading import load_encoder, load_task, load_with_tokenizer
    from bert_tf.text import Tokenizer

    try:
        if os.path.isdir(os.path.join(folder, "adapter")):
            base, adapter = (os.path.join(folder, name) for name in ("base", "adapter"))
            return _told(load_task(base, adapter=adapter))
        inside = os.listdir(folder)
        if len(inside) == 1 and inside[0].endswith((".zip", ".tar.gz")):
            folder = os.path.join(folder, inside[0])
        with opened(folder) as contents:
            task, names = contents.task, {path.name for path in contents.folder.iterdir()}
        if task is None:
            model = load_encoder(folder)
        elif names & {*TOKENIZER_FILES}:
            model, tokenizer = load_with_tokenizer(folder)
            assert isinstance(tokenizer, Tokenizer)
        else:
            model = load_task(folder)
    except InputError as error:
        said = str(error)
        return "refused" if said.isprintable() else f"several lines: {said!r}"
    except BaseException as error:  # whatever it is, it is what is looked for
        return f"raw {type(error).__name__}: {str(error)[:300]!r}"
    return _told(model)


def _told(model):
    parts = (getattr(model, name, None) for name in ("encoder", "writer", "generator"))
    encoders = [getattr(x, "encoder", x) for x in (model, *parts) if hasattr(x, "weights")]
    config = repr([_read(encoder.config) for encoder in encoders])
    config = hashlib.sha1(config.encode()).hexdigest()[:12]
    weights = hashlib.sha1()
    for weight in model.weights:
        weights.update(weight.numpy().tobytes())
    told = " warned" if warnings.count else ""
    return f"loaded {config} {weights.hexdigest()[:12]} {type(model).__name__}{told}"


def _read(config):
    """The fields of a config that something reads, list of (name, value)."""
    names = [field.name for field in dataclasses.fields(config)]
    unread = NOT_READ.get(config.model_type, ())
    return [(name, getattr(config, name)) for name in names if name not in unread]


class Warnings(logging.Handler):
    """How many warnings there were since it was last set to 0 that name a value that was taken."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.count = 0

    def emit(self, record):
        self.count += "without being told" in record.getMessage()


warnings = Warnings()


def main():
    from tests.security.mutate import BYTES

    out = os.dup(1)
    os.dup2(2, 1)  # what libraries print does not answer for us
    import bert_tf.loading  # noqa: F401

    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    os.write(out, b"ready\n")
    logging.getLogger("absl").addHandler(warnings)
    for line in sys.stdin:
        warnings.count = 0
        said = outcome(line.rstrip("\n")).replace("\n", " ")
        os.write(out, f"{said}\n".encode())


if __name__ == "__main__":
    main()
