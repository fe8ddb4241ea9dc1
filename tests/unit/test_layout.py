import re
from pathlib import Path

import crossfade
import crossfade_steps


def test_both_packages_import_without_hera() -> None:
    assert crossfade.__version__
    assert crossfade_steps.__doc__


def test_nothing_of_a_run_on_a_cluster_listens() -> None:
    """C79: there is no dashboard; who may promote is for the cluster's own rights to say."""
    folder = Path(crossfade_steps.__file__).parent
    for file in [*folder.glob("*.py"), *(folder / "cluster").glob("*.py")]:
        text = file.read_text()
        assert not re.search(r"^\s*(import|from) (http\.server|aiohttp|socketserver)", text, re.M)
