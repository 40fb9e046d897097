"""BERT-family encoders for TensorFlow 2.21 and Keras 3, from raw text to an answered request.

The public names below load on first use, so that `import bert_tf` costs what importing
TensorFlow costs, and the encoders import where TensorFlow is not installed.
"""

import importlib

__version__ = "0.2.0.dev0"

# Public name -> the module it is imported from.
_MODULES = {
    "AlbertConfig": "encoders",
    "BertConfig": "encoders",
    "BidirectionalLM": "tasks",
    "BlankInfilling": "tasks",
    "CausalLM": "tasks",
    "DebertaV2Config": "encoders",
    "DependencyParser": "tasks",
    "DistilBertConfig": "encoders",
    "Distillation": "compression.distillation",
    "ElectraConfig": "encoders",
    "ElectraPretraining": "tasks",
    "ElmoConfig": "encoders",
    "AdamW": "training.optimizers",
    "ExtractiveQA": "tasks",
    "Gpt2Config": "encoders",
    "InputError": "errors",
    "ConfigError": "errors",
    "MaskedLM": "tasks",
    "ModernBertConfig": "encoders",
    "MobileBertConfig": "encoders",
    "MultiTask": "tasks",
    "MultipleChoice": "tasks",
    "Pretraining": "tasks",
    "Reranker": "tasks",
    "RobertaConfig": "encoders",
    "SentenceEncoder": "tasks",
    "Seq2Seq": "tasks",
    "SequenceClassifier": "tasks",
    "SkipGram": "tasks",
    "TokenClassifier": "tasks",
    "Tokenizer": "text",
    "TransformerConfig": "encoders",
    "LstmConfig": "encoders",
    "Word2VecConfig": "encoders",
    "XLMRobertaConfig": "encoders",
    "build_encoder": "encoders",
    "convert": "loading",
    "export_saved_model": "export",
    "load_adapters": "loading",
    "load_encoder": "loading",
    "load_export": "export",
    "load_task": "loading",
    "pipeline": "export",
    "read_dataset": "datasets",
    "read_documents": "pretraining_data.corpus.documents",
    "read_word_vectors": "conversion.word2vec_file",
    "split_sentences": "text",
    "squad_score": "tasks.squad_metrics",
    "train_vocabulary": "text",
    "write_word_vectors": "conversion.word2vec_file",
}

__all__ = sorted(_MODULES)


def __getattr__(name):
    if name in _MODULES:
        value = getattr(importlib.import_module(f"bert_tf.{_MODULES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'bert_tf' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_MODULES])
