"""The one reader of what the pipeline leaves: prepared data, runs, and both as inputs of a model."""
