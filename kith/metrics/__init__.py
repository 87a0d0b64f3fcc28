"""How good an embedding is: retrieval across and within modalities, with intervals and tests. NumPy; torch for GPUs."""
