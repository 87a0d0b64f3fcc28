"""Print the JSON schema of params.yaml."""

import json
import sys

from stages.params.schema import schema

json.dump(schema(), sys.stdout, indent=2)
sys.stdout.write("\n")
