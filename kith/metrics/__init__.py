"""How good an embedding is: retrieval across and within modalities, with intervals and tests. NumPy; torch on a GPU only."""
