"""Shards of records made by Apache Beam (extra `beam`): on Flink, Spark, Dataflow, or right here.

The corpus, the tokenizer and the output have to be in folders that every machine sees under the
same names. A shard is made by the same function as without Beam, and has the same bytes.
"""

from bert_tf.errors import ConfigError, InputError


def require_beam():
    """Raises InputError where Apache Beam is not installed."""
    try:
        import apache_beam  # noqa: F401
    except ImportError as error:
        raise InputError(
            "--runner needs Apache Beam, which is not installed: pip install 'bert_tf[beam]'"
        ) from error


def run(job, numbers, runner, options=()):
    """Makes shards.

    Args:
      job: RecordJob.
      numbers: list of int, the shards to make.
      runner: str, such as DirectRunner, FlinkRunner, SparkRunner or DataflowRunner.
      options: list of str, flags for the runner.
    Returns:
      Iterator of int, the numbers of the finished shards, when all of them are.
    Raises:
      InputError: Beam is not installed, or a shard cannot be made.
      ConfigError: there is no such runner.
    """
    require_beam()
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    def make(number):
        job.make(number)

    try:
        pipeline = beam.Pipeline(options=PipelineOptions([f"--runner={runner}", *options]))
    except ValueError as error:
        raise ConfigError(f"--runner={runner}: {str(error).splitlines()[0]}") from None
    try:
        # Reshuffle keeps a runner from making all shards one after the other in one place.
        shards = pipeline | "Shards" >> beam.Create(numbers) | beam.Reshuffle()
        _ = shards | "Make" >> beam.Map(make)
        pipeline.run().wait_until_finish()
    except RuntimeError as error:  # Beam wraps what was raised on a worker
        cause = error.__cause__ if isinstance(error.__cause__, InputError) else error
        raise InputError(str(cause).splitlines()[0]) from error
    return iter(numbers)
