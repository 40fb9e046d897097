"""Files of before 2021 hold a pooler whatever their head: what nothing reads is set aside."""

import logging

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bert_tf import ExtractiveQA, SequenceClassifier, TokenClassifier, build_encoder, load_task
from bert_tf.conversion.contents import opened
from bert_tf.encoders import FAMILIES
from tests import tiny

KINDS = {
    "bert": (ExtractiveQA, TokenClassifier),
    "albert": (ExtractiveQA, TokenClassifier),
    "roberta": (ExtractiveQA, TokenClassifier, SequenceClassifier),
    "mobilebert": (ExtractiveQA, TokenClassifier),
}
MORE = {"albert": {"embedding_size": 6}, "mobilebert": {"embedding_size": 6}}
MORE["mobilebert"] |= {"intra_bottleneck_size": 4, "num_feedforward_networks": 1}


@pytest.mark.parametrize(
    ("family", "kind"), [(family, kind) for family, kinds in KINDS.items() for kind in kinds]
)
def test_a_pooler_that_no_head_reads_is_set_aside_in_one_warning(family, kind, tmp_path, caplog):
    config = FAMILIES[family].config(**tiny.sizes(), **MORE.get(family, {}))
    model = kind(build_encoder(config))
    model.save_pretrained(str(tmp_path))
    file = tmp_path / "model.safetensors"
    with opened(tmp_path) as contents:
        prefix, names = contents.layout.prefix, contents.layout.encoder_names("pooler")
    further = {prefix + name: np.ones((8,) * (2 - name.endswith("bias")), "f") for name in names}
    assert len(further) == 2
    save_file(load_file(file) | further, file)
    with caplog.at_level(logging.WARNING, logger="absl"):
        back = load_task(tmp_path)
    assert f"{kind.__name__} has no use for 2 tensors ({prefix}pooler" in caplog.text
    assert back.encoder.pooler is None
    for one, other in zip(model.weights, back.weights, strict=True):
        np.testing.assert_array_equal(one, other)
