"""The registry of sources, and what is light about it."""

import subprocess
import sys

import pytest

from kith.data import sources
from kith.errors import KithError


def test_what_the_schema_reads_is_light():
    heavy = ("torch", "pandas", "pyarrow", "scipy", "PIL", "matplotlib", "fontTools", "pooch", "requests")
    program = f"import sys, kith.data.sources; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "[]\n"


def test_every_source_says_what_it_is():
    for name, source in sources.SOURCES.items():
        assert sources.find(name) is source
        assert source.name == name
        assert source.layout
        assert "\n" not in sources.table_row(source)
    assert list(sources.SOURCES)[:2] == ["glyphs", "table"]
    with pytest.raises(KithError, match=r"no source 'flickr8'; did you mean 'flickr8k'\?"):
        sources.find("flickr8")
