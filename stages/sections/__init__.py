"""The sections of params.yaml, by what they are about; stages.params puts them together."""
