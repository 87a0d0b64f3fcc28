"""One DAG, two engines: dvc.yaml is the definition, Snakemake reads it."""
