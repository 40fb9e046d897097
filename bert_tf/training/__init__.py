"""From a task model and batches to trained weights: the step, the optimizers, the loop."""
