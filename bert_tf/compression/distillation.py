"""A student that learns from a teacher: the task model that training sees."""

import keras
from keras import ops

from bert_tf.compression.answer_losses import answer_losses, check_alike
from bert_tf.compression.loss_settings import OF_TOKENS, settings_of
from bert_tf.compression.matching import MATCHES
from bert_tf.compression.replacing import Replacing
from bert_tf.compression.vectors import Vectors
from bert_tf.encoders.watching import watched
from bert_tf.errors import ConfigError, InputError
from bert_tf.layers import key_for
from bert_tf.tasks.grouped_rows import present
from bert_tf.tasks.losses import mean_there, weight_of_rows, weighted_sum
from bert_tf.tasks.soft_answers import mask_of
from bert_tf.tasks.task_model import TaskModel

# The figure of validation that is what all teachers' losses come to.
TEACHERS_LOSS = "distillation_loss"


class Distillation(TaskModel):
    """A student and its teachers over the same rows (Hinton et al. 2015, arXiv 1503.02531).

    It trains, is measured and saved as the student is; the teachers are no part of it: their
    weights are neither trained nor kept in checkpoints.

    Args:
      student: TaskModel.
      teachers: TaskModel of the student's class and labels; several in a list are an ensemble;
        an empty list if all that they would say is among the labels.
      losses: dict of name -> dict with `weight` and further settings, or the weight alone. What is
        not there is no loss:
        `labels`, the student's own;
        `logits`, the teachers' answers (`temperature`, 2), see `answer_losses`;
        `vectors`, of sentence encoders their vectors (`distance`, "cosine" or "squared");
        `hidden`, `attentions`, `relations`, `cosine`, `patient`: what goes on inside a single
        teacher, see the classes of `compression.matching` and the settings of `loss_settings`.
      replacing: dict of `start` and `steps`: a single teacher's layers stand in the student at
        first, see `compression.replacing`; None: no.
      own_inputs: list of bool, which teachers have inputs of their own, named as
        `name_for_teacher` says; None: all read the student's.
      asks: bool, whether the teachers are asked; False: labels have `kept`.

    Labels: as the student's; or a dict with these as `labels` and `kept` float32 [B, T, ...], what
    T further teachers answer, or those that are not asked: logits, of tokens perhaps for longer
    rows, or vectors [B, 1, texts, D]. `sample_weight` weighs the student's own loss alone: with 0 a
    row without a label is one to learn from the teacher.
    """

    def __init__(
        self, student, teachers, losses=None, replacing=None, own_inputs=None, asks=True, **kwargs
    ):
        teachers = list(teachers) if isinstance(teachers, list | tuple) else [teachers]
        settings = settings_of({"logits": 1.0} if losses is None else losses)
        taught = [name for name in settings if name != "labels"]
        self.loss_names = (*student.loss_names, *taught)
        self.metric_names = student.metric_names
        super().__init__(student.encoder, **kwargs)
        self.student, self.settings, self.asks = student, settings, asks
        share = settings.get("labels", {"weight": 0.0})["weight"]
        own = {name: share * student.factor(name) for name in student.loss_names}
        self.loss_factors = own | {name: settings[name]["weight"] for name in taught}
        for teacher in teachers:
            check_alike(student, teacher)
            teacher.trainable = False
        self.matches = self._matches(student, teachers, own_inputs or [])
        replacing = replacing and self._replacing(student, teachers, replacing)
        # Where Keras does not look for layers.
        self._apart = _Apart(teachers, own_inputs or [False] * len(teachers), replacing)
        self.build()

    def compile(self, *arguments, **options):
        """As TaskModel.compile.

        Raises:
          ConfigError: a batch is to be read in parts, and its rows' labels are about each other.
        """
        if options.get("accumulate", 1) > 1 and self.student.in_batch and "labels" in self.settings:
            raise ConfigError(
                f"accumulate: {options['accumulate']}, and losses.labels tells rows apart from all "
                "others of their batch: wanted 1"
            )
        super().compile(*arguments, **options)

    @property
    def teachers(self):
        """The teachers, list of TaskModel."""
        return self._apart.teachers

    @property
    def learns_answers(self):
        """bool, whether labels or a teacher's answers train the student's head."""
        return any(name in self.settings for name in ("labels", "logits"))

    @property
    def monitors(self):
        """The student's, and how near it is to its teachers; that is the usual one where nothing
        that the student's figures tell of is trained."""
        own = self.student.monitors
        if set(self.settings) == {"labels"}:
            return own
        return (*own, TEACHERS_LOSS) if self.learns_answers else (TEACHERS_LOSS, *own)

    def measured_on(self, table):
        """As the student has it."""
        self.student.measured_on(table)

    def higher_is_better(self, name):
        """As the student has it."""
        return name != TEACHERS_LOSS and self.student.higher_is_better(name)

    def figures(self, means):
        """What the means of losses over a data set say of student and teachers.

        Args:
          means: dict of floats, as `training.evaluation.mean_terms` gives them.
        Returns:
          dict: each loss to the teachers, and `distillation_loss`, the sum of all by their weights.
        """
        found = {name: means[name] for name in self.settings if name != "labels"}
        total = sum(self.settings[name]["weight"] * value for name, value in found.items())
        return {**found, TEACHERS_LOSS: total}

    def complete_labels(self, inputs, labels):
        own, kept = _parts(labels)
        own = self.student.complete_labels(inputs, own)
        return own if kept is None else {"labels": own, "kept": kept}

    def call(self, inputs, training=False, key=None):
        """What the student answers, and its teachers.

        Args:
          inputs: dict, the student's and perhaps some teachers' own.
          training: bool, with dropout in the student; a teacher has none.
          key: integer [2], the dropout key of this step, or None.
        Returns:
          dict: `student`, what it returns; `inputs`; `teachers`, a list of the same; and where a
          loss reads it `inside`, a list of what goes on in all of them.
        """
        key = key_for(training, key)
        replacing, blocks = self._apart.replacing, None
        if replacing is not None and key is not None:
            blocks = replacing.blocks(self.optimizer.iterations)
        how = {"training": key is not None, "key": key}
        outputs = {"inputs": inputs}
        outputs["student"], inside = self._asked(self.student, inputs, blocks, **how)
        # Told so: Keras would hand them the `training` of the call that they are part of.
        asked = [
            self._asked(teacher, self._inputs(inputs, number), training=False)
            for number, teacher in enumerate(self._askable)
        ]
        asked = keras.tree.map_structure(ops.stop_gradient, asked)
        outputs["teachers"] = [answered for answered, _ in asked]
        if self._looks_inside:
            outputs["inside"] = [inside, *(theirs for _, theirs in asked)]
        return outputs

    @property
    def _askable(self):
        """The teachers that are asked."""
        teach = self.asks and any(name != "labels" for name in self.settings)
        return self.teachers if teach else []

    @property
    def _looks_inside(self):
        return any(name in MATCHES for name in self.settings)

    def _asked(self, model, inputs, blocks=None, **how):
        """What a task model answers, and if need be what its encoder was given and gave; `blocks`
        in the place of its encoder's."""
        if not self._looks_inside and blocks is None:
            return model(inputs, **how), {}
        with watched(model.encoder, blocks) as watch:
            answered = model(inputs, **how)
        if not self._looks_inside:
            return answered, {}
        ((rows, outputs),) = watch.calls
        names = ("hidden_states", "attentions")
        read = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
        rows = {name: rows[name] for name in read if rows.get(name) is not None}
        return answered, {"inputs": rows} | {x: outputs[x] for x in names if x in outputs}

    def _inputs(self, inputs, number):
        """What a teacher reads of the inputs."""
        if not self._apart.own_inputs[number]:
            # Adversarial training moves words' vectors, the student's alone.
            return {name: x for name, x in inputs.items() if name != "embedding_shift"}
        before = name_for_teacher(number, "")
        found = {x.removeprefix(before): y for x, y in inputs.items() if x.startswith(before)}
        if not found:
            raise InputError(f"inputs: none is called {before}..., which a teacher reads")
        return found

    def loss_weights(self, labels, sample_weight=None):
        own, _ = _parts(labels)
        weights = dict(self.student.loss_weights(own, sample_weight))
        rows = weight_of_rows(own, None)
        return weights | {name: rows for name in self.settings if name != "labels"}

    def loss_terms(self, outputs, labels, sample_weight=None):
        """The student's own losses and those to its teachers, a row's mean each."""
        own, kept = _parts(labels)
        terms = dict(self.student.loss_terms(outputs["student"], own, sample_weight))
        rows, inputs = weight_of_rows(own, None), outputs["inputs"]
        if "logits" in self.settings:
            answers = self.student.soft_answers(outputs["student"], inputs)
            if any(self._apart.own_inputs) and any(answer.of_tokens for answer in answers):
                raise InputError(
                    "losses.logits: answers about tokens, and a teacher has another vocabulary"
                )
            taught = self._told("soft_answers", outputs)
            if kept is not None:
                values = kept[:, :, : ops.shape(answers[0].values)[1]]
                taught += [[answers[0]._replace(values=x)] for x in ops.unstack(values, axis=1)]
            temperature = self.settings["logits"]["temperature"]
            losses = answer_losses(answers, taught, temperature)
            terms["logits"] = (weighted_sum(losses, None), rows)
        if "vectors" in self.settings:
            vectors = self.student.soft_vectors(outputs["student"], inputs)
            taught = self._told("soft_vectors", outputs)
            if kept is not None:
                taught.append((kept[:, 0], vectors[1][:, : kept.shape[2]]))
            losses = self.matches["vectors"](vectors, taught)
            terms["vectors"] = (weighted_sum(losses, None), rows)
        for name in self.settings:
            if name in MATCHES:
                losses = self._match(name, outputs)
                terms[name] = (weighted_sum(losses, None), rows)
        return terms

    def _told(self, method, outputs):
        """What a method says of each teacher's outputs, a list."""
        return [
            getattr(teacher, method)(told, self._inputs(outputs["inputs"], number))
            for number, (teacher, told) in enumerate(
                zip(self._askable, outputs["teachers"], strict=True)
            )
        ]

    def _match(self, name, outputs):
        """The loss of each row of a batch, of one that compares what goes on inside."""
        models = (self.student, *self.teachers)
        own, theirs = (
            {**inside, "encoder": model.encoder}
            for model, inside in zip(models, outputs["inside"], strict=True)
        )
        losses_X = self.matches[name].compare(own, theirs, mask_of(own["inputs"]))
        inputs = outputs["inputs"]
        if len(inputs["input_ids"].shape) == 2:
            return losses_X
        rows = ops.shape(inputs["input_ids"])[0]
        there_BX = ops.reshape(present(inputs), (rows, -1))
        return mean_there(ops.reshape(losses_X, (rows, -1)), there_BX)

    def _replacing(self, student, teachers, given):
        if len(teachers) != 1 or self._looks_inside:
            what = "other losses than labels and logits" if len(teachers) == 1 else "several"
            raise InputError(f"replacing: {what}, wanted one teacher and labels, perhaps logits")
        return Replacing(student.encoder, teachers[0].encoder, given["start"], given["steps"])

    def _matches(self, student, teachers, own_inputs):
        """The losses that have to be made, dict of name -> layer."""
        methods = {"logits": "soft_answers", "vectors": "soft_vectors"}
        for name, method in methods.items():
            if name in self.settings and not hasattr(student, method):
                raise InputError(f"losses.{name}: a {type(student).__name__} answers none")
        found = {}
        crf = [getattr(model, "crf", False) for model in (student, *teachers)]
        if "logits" in self.settings and len(set(crf)) > 1:
            raise InputError(
                "losses.logits: logits of a model with a crf are not yet its answers, and not all "
                "of student and teachers have one; wanted all or none (model.options.crf)"
            )
        for name, settings in self.settings.items():
            if name not in ("vectors", *MATCHES):
                continue
            if len(teachers) != 1:
                raise InputError(f"losses.{name}: {len(teachers)} teachers, wanted one")
            if name in OF_TOKENS and any(own_inputs):
                raise InputError(
                    f"losses.{name}: compares token by token, and the teacher has another "
                    "vocabulary than the student"
                )
            if name in MATCHES and getattr(student, "objective", None) == "simcse":
                raise InputError(
                    f"losses.{name}: objective simcse reads a text twice; wanted losses.vectors "
                    "alone, or another objective"
                )
            if name == "vectors":
                found[name] = Vectors(student, teachers[0], settings)
            else:
                found[name] = MATCHES[name](student.encoder, teachers[0].encoder, settings)
        return found

    def metric_terms(self, outputs, labels, sample_weight=None):
        """The student's."""
        return self.student.metric_terms(outputs["student"], _parts(labels)[0], sample_weight)

    def save_pretrained(self, directory, tokenizer=None):
        """Writes the student."""
        self.student.save_pretrained(directory, tokenizer)


class _Apart:
    """What belongs to a model and is no part of it."""

    def __init__(self, teachers, own_inputs, replacing):
        self.teachers, self.own_inputs, self.replacing = teachers, own_inputs, replacing


def name_for_teacher(number, name):
    """What an input of a teacher with a tokenizer of its own is called among the student's, str."""
    return f"teacher_{number}_{name}"


def _parts(labels):
    """(the student's labels, what teachers are known to answer or None)."""
    if isinstance(labels, dict) and "kept" in labels:
        return labels["labels"], labels["kept"]
    return labels, None
