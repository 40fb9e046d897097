"""Models made smaller: distillation, pruning."""
