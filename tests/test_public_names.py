"""The public names are there, and importing the package costs next to nothing."""

import inspect
import subprocess
import sys

import pytest

import bert_tf

# name -> the arguments that users may give by name
PUBLIC = {
    "AdamW": {"learning_rate", "weight_decay"},
    "AlbertConfig": {"vocab_size", "hidden_size", "embedding_size", "num_hidden_groups"},
    "BertConfig": {"vocab_size", "hidden_size", "num_hidden_layers"},
    "BidirectionalLM": {"encoder", "sampled_words"},
    "BlankInfilling": {"encoder", "generation"},
    "CausalLM": {"encoder"},
    "DebertaV2Config": {"vocab_size", "hidden_size", "position_buckets", "pos_att_type"},
    "DependencyParser": {"encoder", "num_labels", "label_names"},
    "Distillation": {"student", "teachers", "losses"},
    "DistilBertConfig": {"vocab_size", "hidden_size", "sinusoidal_pos_embds"},
    "ElectraConfig": {"vocab_size", "hidden_size", "embedding_size"},
    "ConfigError": set(),
    "ElmoConfig": {"vocab_size", "hidden_size", "intermediate_size"},
    "ElectraPretraining": {"encoder", "generator"},
    "ExtractiveQA": {"encoder", "unanswerable", "no_answer_threshold", "max_answer_length"},
    "Gpt2Config": {"vocab_size", "hidden_size", "tie_word_embeddings"},
    "InputError": set(),
    "MaskedLM": {"encoder"},
    "ModernBertConfig": {"vocab_size", "hidden_size", "local_attention", "classifier_pooling"},
    "MobileBertConfig": {"vocab_size", "hidden_size", "normalization_type"},
    "MultiTask": {"encoder", "tasks", "task_weights", "learned_weights"},
    "MultipleChoice": {"encoder", "ranking", "pooling"},
    "Pretraining": {"encoder"},
    "RobertaConfig": {"vocab_size", "hidden_size", "pad_token_id"},
    "SentenceEncoder": {"encoder", "pooling", "normalize", "dense", "objective", "matryoshka"},
    "Seq2Seq": {"encoder", "decoder", "share_embeddings", "label_smoothing", "generation"},
    "SequenceClassifier": {
        "encoder",
        "num_labels",
        "label_names",
        "problem_type",
        "pooling",
        "head_layers",
    },
    "SkipGram": {"encoder"},
    "TokenClassifier": {"encoder", "num_labels", "label_names", "crf"},
    "Tokenizer": set(),
    "TransformerConfig": {"position_embedding", "norm", "parts_of"},
    "LstmConfig": {"vocab_size", "hidden_size", "score"},
    "Word2VecConfig": {"vocab_size", "hidden_size"},
    "XLMRobertaConfig": {"vocab_size", "hidden_size", "pad_token_id"},
    "build_encoder": {"config"},
    "convert": {"source", "target", "format"},
    "export_saved_model": {"model", "tokenizer", "directory", "max_length"},
    "load_adapters": {"directory", "adapters"},
    "load_encoder": {"directory", "keep_layers", "adapter"},
    "load_export": {"directory"},
    "load_task": {"directory", "keep_layers", "adapter"},
    "pipeline": {"directory"},
    "read_dataset": {
        *("file", "tokenizer", "batch_size", "max_length", "text", "text_pair", "label"),
        *("shuffle_seed", "task", "columns"),
    },
    "read_documents": {"paths", "layout", "language", "policy", "field", "duplicates", "counts"},
    "read_word_vectors": {"path", "binary"},
    "split_sentences": {"text", "language"},
    "squad_score": {"dataset", "predictions"},
    "train_vocabulary": {"texts", "size", "min_frequency", "lowercase"},
    "write_word_vectors": {"path", "words", "vectors", "binary"},
}
TOKENIZER = (
    "tokenize decode save_pretrained vocab_size vocabulary pad_id unk_id cls_id sep_id mask_id"
)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_takes_its_arguments(name):
    value = getattr(bert_tf, name)
    assert name in bert_tf.__all__ and name in dir(bert_tf)
    if PUBLIC[name]:
        assert PUBLIC[name] <= set(inspect.signature(value).parameters)


def test_the_tokenizer_has_its_names():
    tokenizer = bert_tf.Tokenizer
    given = set(inspect.signature(tokenizer.from_pretrained).parameters)
    assert {"directory", "lowercase"} <= given
    wanted = {
        *("texts", "text_pairs", "max_length", "padding", "special_tokens_in_text"),
        "return_offsets",
    }
    assert wanted <= set(inspect.signature(tokenizer.__call__).parameters)


def test_the_tokenizer_has_its_attributes(tmp_path):
    import tiny

    tokenizer = tiny.tokenizer(tmp_path)
    assert all(hasattr(tokenizer, name) for name in TOKENIZER.split())


def test_a_name_that_is_not_there_is_no_attribute():
    with pytest.raises(AttributeError, match="no attribute 'load_encoders'"):
        bert_tf.load_encoders  # noqa: B018


def test_import_brings_neither_tensorflow_nor_keras():
    code = "import sys, bert_tf; print(*{'tensorflow', 'keras', 'numpy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_encoders_and_loading_bring_nothing_beyond_what_keras_brings():
    code = (
        "import sys, keras; before = {*sys.modules}; import bert_tf.encoders;"
        "new = {name.split('.')[0] for name in {*sys.modules} - before};"
        "print(*sorted(new & {'tensorflow_text', 'keras_hub', 'sklearn', 'scipy', 'yaml'}));"
        "import bert_tf.loading; print(*{'tensorflow_text', 'keras_hub'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
