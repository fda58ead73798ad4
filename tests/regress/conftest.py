"""What the tests of bisections share: a machine whose kernel can be switched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .machine import Machine, machine


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Machine]:
    with machine(tmp_path) as made:
        yield made
