"""Retrieval embeddings of pictures and texts: sources, towers, losses, training, metrics, pictures of results.

Arrays and tensors in, arrays and tensors out; nothing here reads params.yaml or knows DVC, Snakemake or MLflow.
"""
