"""One module per node of the DAG: read files and parameters, call kith, write files, track the run."""

import os

# Threads that wait for others spin only briefly, then sleep: on a busy machine endless spinning makes a small
# training six times slower. OpenMP reads this once, when it is loaded: here, before any stage imports torch.
os.environ.setdefault("GOMP_SPINCOUNT", "100000")
