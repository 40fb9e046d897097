"""Checkpoints of other libraries, in and out: a strict engine over tables of names.

    table.py              Row, Table, fill, read_out: the engine
    family.py, rows.py    what a family says about its files, and the rows that several share
    bert.py, albert.py, ...   what a family is called in each format
    huggingface.py, safetensors_file.py, google.py, files.py   the files themselves
    transformers_h5.py, hdf5_file.py   tf_model.h5 of transformers 4
    model_garden.py       BERTs of the TF Model Garden and of TF-Hub, under Google's names
    openai.py             GPT-2 as OpenAI published it, under Hugging Face's names
    word2vec_file.py      files of word vectors, in and out
    keras_hub/            presets of KerasHub, in and out
    tokenizer_assets.py   tokenizers under other homes' names
    contents.py           what a directory, an archive or a checkpoint holds, before any is built
    formats.py            which format it is in
    vocabulary_size.py    how many ids its vocabulary has
    recognition.py        which family and task it is of, by its config or by its tensors
    leftovers.py          what training and other code left beside the model
    sizes.py, labels.py   sizes and labels as the tensors have them, against the config
    encoder_decoder.py    an encoder before a decoder, as transformers keeps both in one
    decoder_alone.py      a BERT that tells the next word
    saving.py             save_encoder, save_task, save_google, for `save_pretrained` and `convert`
    vocabulary_rows.py    a model written again with other vocabulary rows

Nothing here builds a model or imports another room.
"""

from bert_tf.conversion.family import Family
from bert_tf.conversion.saving import FAMILIES, save_encoder, save_google, save_task

__all__ = ["FAMILIES", "Family", "save_encoder", "save_google", "save_task"]
