"""Measuring: galleries, chance levels, intervals and tests."""
