"""Pretraining records: their schema, writing shards of them, reading them by row."""
