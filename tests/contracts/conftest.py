from __future__ import annotations

from collections.abc import Iterator

import pytest
from metric_store import Store


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store()
    yield made
    made.close()
