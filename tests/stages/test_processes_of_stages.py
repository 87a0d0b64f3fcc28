"""The stages encode and embed write the same bytes, however many processes share their rows."""

import shutil
import threading
import time
from pathlib import Path

import psutil
import pytest

from kith import processes
from kith.errors import KithError
from stages import embed, encode
from tests.made_encoders import write_encoder
from tests.made_notes import embed_files
from tests.stages.test_encode import CLIP, methods
from tests.stages.test_train_stage import DATA, digest, edit


@pytest.fixture
def encoded(study, monkeypatch) -> dict[str, str]:
    """What one process has encoded, in batches of four: the checksums of all files, those that are kept too."""
    pytest.importorskip("transformers")
    monkeypatch.setattr(processes, "FEW", 1)
    write_encoder("clip", Path("clip"))
    methods(heads={"losses": {"info_nce": {}}})
    edit(encode={"batch_size": 4})
    encode.main(encoder="hf_clip", sides="image,text", **DATA, out=CLIP)
    found = written()
    shutil.rmtree(CLIP)
    shutil.rmtree(encode.CACHE)
    return found


def written() -> dict[str, str]:
    return {str(path): digest(path) for root in (CLIP, encode.CACHE) for path in root.rglob("*") if path.is_file()}


def test_two_processes_encode_the_bytes_of_one(encoded):
    encode.main(encoder="hf_clip", sides="image,text", **DATA, out=CLIP, processes=2)
    assert written() == encoded


def test_a_killed_process_ends_the_stage_with_a_sentence_and_nothing_half_written(encoded):
    def kill_one() -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            for each in psutil.Process().children():
                if "spawn_main" in " ".join(each.cmdline()):
                    each.kill()
                    return
            time.sleep(0.01)

    killer = threading.Thread(target=kill_one)
    killer.start()
    with pytest.raises(
        KithError, match=r"^hf:\./clip: one of the 2 processes was killed, .* give the same command again"
    ):
        encode.main(encoder="hf_clip", sides="image,text", **DATA, out=CLIP, processes=2)
    killer.join()
    assert list(CLIP.parent.iterdir()) == []
    encode.main(encoder="hf_clip", sides="image,text", **DATA, out=CLIP)
    assert {name: each for name, each in written().items() if name.startswith(str(CLIP))} == {
        name: each for name, each in encoded.items() if name.startswith(str(CLIP))
    }


@pytest.mark.parametrize("name", ["infonce-0", "hierarchy_ce-0"])
def test_two_processes_embed_the_bytes_of_one(trained, name, monkeypatch):
    monkeypatch.setattr(processes, "FEW", 1)
    edit(embed={"batch_size": 5})
    given = embed_files(Path("runs/shapes", name))
    found = []
    for count in (1, 2):
        embed.main(**DATA, **given, processes=count)
        found.append({option: digest(path) for option, path in given.items()})
    assert found[0] == found[1]
