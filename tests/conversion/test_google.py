"""Google's TensorFlow 1 checkpoints: read, written, and every damage named."""

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.conversion.contents import opened
from bert_tf.conversion.google import config_file, read_google, write_google
from bert_tf.errors import InputError

ARRAYS = {
    "bert/pooler/dense/kernel": np.arange(6, dtype="float32").reshape(2, 3),
    "bert/pooler/dense/bias": np.array([1.5, -2, 3], "float32"),
}


@pytest.fixture
def folder(tmp_path):
    write_google(tmp_path, {"hidden_size": 2}, ARRAYS)
    return tmp_path


def copy(folder, name):
    for path in list(folder.glob("bert_model.ckpt.*")):
        target = folder / path.name.replace("bert_model.ckpt", name)
        target.write_bytes(path.read_bytes())


def test_what_is_written_is_a_name_based_checkpoint_bit_for_bit(folder):
    assert sorted(p.name for p in folder.iterdir()) == [
        "bert_config.json",
        "bert_model.ckpt.data-00000-of-00001",
        "bert_model.ckpt.index",
    ]
    reader = tf.train.load_checkpoint(str(folder / "bert_model.ckpt"))
    assert reader.get_variable_to_shape_map().keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(reader.get_tensor(name), array)


def test_a_place_that_cannot_be_written_is_one_plain_line(tmp_path):
    (tmp_path / "bert_model.ckpt.index").mkdir()
    with pytest.raises(InputError, match="bert_model.ckpt: cannot be written: ") as caught:
        write_google(tmp_path, {}, ARRAYS)
    assert "\n" not in str(caught.value) and "{{" not in str(caught.value)
    assert not (tmp_path / "bert_config.json").exists()


def test_tensorflow_1_code_restores_what_is_written(folder):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        made = {
            name: tf.compat.v1.get_variable(name, array.shape, use_resource=False)
            for name, array in ARRAYS.items()
        }
        tf.compat.v1.train.Saver(list(made.values())).restore(
            session, str(folder / "bert_model.ckpt")
        )
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(session.run(made[name]), array)


@pytest.mark.parametrize("of_folder", [True, False])
def test_a_folder_and_a_prefix_are_read_alike(folder, of_folder):
    source = folder if of_folder else folder / "bert_model.ckpt"
    tensors, prefix = read_google(source)
    assert prefix == folder / "bert_model.ckpt"
    assert config_file(source) == folder / "bert_config.json"
    for name, array in ARRAYS.items():
        assert tensors[name].shape == array.shape and tensors[name].dtype == "float32"
        np.testing.assert_array_equal(tensors[name].read(), array)


def test_of_several_checkpoints_the_one_named_latest_is_read(folder):
    copy(folder, "model.ckpt-7")
    with pytest.raises(InputError, match="bert_model.ckpt, model.ckpt-7; name one of them"):
        read_google(folder)
    (folder / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-7"\n')
    assert read_google(folder)[1] == folder / "model.ckpt-7"


def test_a_missing_part_is_named(folder):
    data, index = "bert_model.ckpt.data-00000-of-00001", "bert_model.ckpt.index"
    whole = (folder / index).read_bytes()
    (folder / index).unlink()
    for source in (folder, folder / "bert_model.ckpt"):
        with pytest.raises(InputError, match=f"{data} is there, its .index file is not"):
            read_google(source)
    (folder / index).write_bytes(whole)
    held = (folder / data).read_bytes()
    (folder / data).unlink()
    with pytest.raises(InputError, match=f"the data file {data} is not"):
        read_google(folder)
    (folder / "bert_config.json").unlink()
    assert config_file(folder) is None
    (folder / data).write_bytes(held)
    for source in (folder, folder / "bert_model.ckpt"):
        with pytest.raises(InputError, match="no bert_config.json beside the checkpoint"):
            with opened(source):
                pass


def read_everything(folder):
    return {name: tensor.read() for name, tensor in read_google(folder)[0].items()}


@pytest.mark.parametrize("share", [0, 0.3, 0.6, 0.95])
def test_a_truncated_index_is_one_line(folder, share):
    path = folder / "bert_model.ckpt.index"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(InputError, match="bert_model.ckpt: damaged") as caught:
        read_everything(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [0, 5, 35])
def test_truncated_data_is_one_line_before_anything_is_read(folder, size):
    path = folder / "bert_model.ckpt.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(InputError, match=f"names tensors of 36 bytes, the data files hold {size}"):
        read_google(folder)


def test_a_flipped_byte_in_the_data_is_found(folder):
    path = folder / "bert_model.ckpt.data-00000-of-00001"
    damaged = bytearray(path.read_bytes())
    damaged[17] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(InputError, match="damaged checkpoint data at bert/pooler/"):
        read_everything(folder)
