"""What all tests share: golden files that can be rewritten, and the guest image, built once a session."""

import asyncio
import fcntl
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.boot.site import Site, open_site
from harness.errors import HostError
from harness.scenario.model import Guest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files anew instead of comparing")


@pytest.fixture(autouse=True)
def _turn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # The folder that holds those of all workers of this session; without workers, its own.
    base = tmp_path_factory.getbasetemp()
    folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    alone = request.node.get_closest_marker("alone") is not None
    with (folder / "turn").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compare text with a file, or write the file anew with --update-golden."""
    update = request.config.getoption("--update-golden")

    def compare(path: Path, text: str) -> None:
        if update:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert path.exists(), f"{path} is missing; pytest --update-golden writes it"
        assert text == path.read_text(), f"{path} differs; if that is meant, pytest --update-golden"

    return compare


@pytest.fixture(scope="session")
def site() -> Site:
    """Be this machine with its guest image built, so that no test's time limit holds the build.

    Workers of pytest-xdist ask at the same time; build_image lets one of them build and the others wait.
    """
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("QEMU is not installed")

    async def look() -> Site:
        found = await open_site(os.environ)
        await found.image(Guest())
        return found

    try:
        return asyncio.run(look())
    except HostError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def program() -> Path:
    """Be the installed command, beside the Python that runs the tests."""
    path = Path(sys.executable).with_name("svsm-harness")
    if not path.exists():
        pytest.skip("svsm-harness is not installed beside this Python; pip install -e .")
    return path
