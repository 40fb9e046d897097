"""Pictures of attention: which there are, and that the words in them stay words."""

import numpy as np
import pytest

from bert_tf import ConfigError, InputError
from bert_tf.recipes.attention import draw_attention


class Attentive:
    """Gives the attention of a model without one."""

    def attention(self, sources, tokenizer):
        row = {"source": ["[CLS]", "film", "[SEP]"], "target": ["$", "电", "[SEP]"]}
        return [{**row, "attention": np.full((3, 3), 1 / 3)} for _ in sources]


@pytest.mark.parametrize("count", [1, 4])
def test_a_picture_has_a_panel_a_text_and_its_words_as_text(tmp_path, count):
    path = tmp_path / "attention.svg"
    draw_attention(Attentive(), None, ["film"] * count, str(path))
    drawn = path.read_text(encoding="utf-8")
    assert drawn.count(">film<") == drawn.count(">电<") == count
    assert "[CLS]" in drawn


def test_what_cannot_be_drawn_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match="a.gif: wanted a name that ends in .png, .pdf or .svg"):
        draw_attention(Attentive(), None, ["film"], str(tmp_path / "a.gif"))
    with pytest.raises(InputError, match="a str, which attends to no source"):
        draw_attention("", None, ["film"], str(tmp_path / "a.png"))
