import crossfade
import crossfade_steps


def test_both_packages_import_without_hera() -> None:
    assert crossfade.__version__
    assert crossfade_steps.__doc__
