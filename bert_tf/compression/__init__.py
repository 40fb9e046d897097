"""Models made smaller: distillation, pruning, factorization."""
