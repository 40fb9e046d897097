"""Models made smaller: distillation."""
