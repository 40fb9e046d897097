"""null in a config.json: of each key what it means to transformers, or one line that refuses it."""

import dataclasses

import pytest

from bert_tf import DebertaV2Config, InputError, ModernBertConfig
from bert_tf.encoders import FAMILIES

SMALL = dict(
    vocab_size=60,
    hidden_size=24,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=40,
    max_position_embeddings=32,
)
# What transformers takes and no row is read by, or what packed rows need here.
STRICTER = {
    ("mobilebert", "pad_token_id"),
    *(("deberta-v2", x) for x in ("conv_act", "norm_rel_ebd", "position_buckets")),
    ("deberta-v2", "conv_kernel_size"),
}
# What transformers 4 took for the global layers' value, and 5 cannot build.
OLDER = {("modernbert", "local_rope_theta")}
PUBLISHED = sorted(set(FAMILIES) - {"transformer", "word2vec", "lstm", "elmo"})


@pytest.mark.parametrize("family", PUBLISHED)
def test_a_size_that_is_null_is_refused(family):
    config = FAMILIES[family].config
    for field in (
        *SMALL,
        "initializer_range",
        "hidden_dropout_prob",
        "layer_norm_eps",
        "hidden_act",
    ):
        name = config.names_in_files.get(field, field)
        is_left_out = field != "intermediate_size" or family != "gpt2"
        if is_left_out and (family, field) != ("distilbert", "layer_norm_eps"):
            with pytest.raises(InputError, match=f"^{field}: None, wanted"):
                config.from_dict({name: None})


def test_null_means_nothing_or_what_the_layers_make_of_it():
    for family in set(PUBLISHED) - {"mobilebert", "roberta", "xlm-roberta"}:
        assert FAMILIES[family].config.from_dict({"pad_token_id": None}).pad_token_id is None
    found = DebertaV2Config.from_dict({"pos_att_type": None, "share_att_key": None})
    assert found.pos_att_type == () and found.share_att_key is False
    found = ModernBertConfig.from_dict({"local_rope_theta": None, "global_rope_theta": 7.0})
    assert found.local_rope_theta == 7.0
    assert ModernBertConfig.from_dict({"local_rope_theta": None}).local_rope_theta == 160000.0


@pytest.mark.slow
@pytest.mark.parametrize("family", PUBLISHED)
def test_null_is_taken_where_transformers_takes_it_and_means_the_same(family):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    config = FAMILIES[family].config
    theirs = transformers.CONFIG_MAPPING[family]
    small = {config.names_in_files.get(name, name): x for name, x in SMALL.items()}
    small |= {x: None for x in ("bos_token_id", "eos_token_id")}
    small |= {"pad_token_id": 1, "cls_token_id": None, "sep_token_id": None}
    small |= {"embedding_size": 24} if family in ("albert", "electra", "mobilebert") else {}
    small |= {"intra_bottleneck_size": 16} if family == "mobilebert" else {}
    for field in dataclasses.fields(config):
        key = config.names_in_files.get(field.name, field.name)
        if (family, key) in STRICTER | OLDER or not hasattr(theirs(), key) or key in SMALL:
            continue
        values = {**small, key: None}
        try:
            read = theirs.from_dict(values)
            model = transformers.AutoModel.from_config(read).eval()
            model(torch.arange(2, 9)[None])
            taken = True
        except Exception:  # of many kinds
            taken = False
        if not taken:
            with pytest.raises(InputError, match="None"):
                config.from_dict(values)
            continue
        ours, want = getattr(config.from_dict(values), field.name), getattr(read, key)
        meant = {("deberta-v2", "pos_att_type"): (), ("deberta-v2", "share_att_key"): False}
        meant |= {("gpt2", "n_inner"): 4 * 24, ("modernbert", "layer_types"): None}
        want = meant.get((family, key), want)
        usual = getattr(config.from_dict(small), field.name)
        assert ours == want or (want is None and ours == usual), (key, ours, want)
