"""One module per node of the DAG: read files and parameters, call kith, write files, track the run."""

import os

# Threads that wait for others sleep instead of spinning: on a busy machine spinning makes torch several times
# slower. OpenMP reads this once, when it is loaded, so it stands here, before any stage imports torch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
