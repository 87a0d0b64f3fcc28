"""Vectors from anywhere: read from files, and measured by the metrics of a study or by judgments of relevance."""
