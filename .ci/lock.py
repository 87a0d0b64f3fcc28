"""Write requirements.lock anew: every package that requirements-dev.txt brings, with the checksums of its files.

python .ci/lock.py          (`make lock`; needs `pip install uv` and the network)

It holds for Python 3.11 to 3.14. PyTorch and what its CUDA build brings are left out: each machine takes the build that
fits it, of the version in requirements.txt.
"""

import re
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OF_TORCH = re.compile(r"(torch|triton|nvidia-[\w-]+|cuda-[\w-]+)==")
HEAD = """\
# Every package of requirements-dev.txt, with checksums, as `make lock` found it; for `make setup LOCKED=1`.
# PyTorch is not here: the build that fits the machine, of the version in requirements.txt.
"""


def kept(lines: list[str]) -> list[str]:
    """Without the packages of `OF_TORCH` and the checksums below them."""
    found, keep = [], True
    for line in lines:
        if not line.startswith(" "):
            keep = not OF_TORCH.match(line)
        if keep:
            found.append(line)
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lock.txt"
        options = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate"]
        command = ["uv", "pip", "compile", "--quiet", *options, "requirements-dev.txt", "--output-file", str(path)]
        subprocess.run(command, cwd=ROOT, check=True)
        lines = kept(path.read_text(encoding="utf-8").splitlines())
    (ROOT / "requirements.lock").write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
