"""What can be imported from the package, at what cost, with what documentation."""

import subprocess
import sys

import pytest

import diffeo_stability


@pytest.mark.parametrize("name", diffeo_stability.__all__)
def test_public_names_are_there_and_documented(name):
    member = getattr(diffeo_stability, name)
    if name != "__version__":
        assert member.__doc__ and len(member.__doc__) > 60


def test_unknown_names_are_errors():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        diffeo_stability.nothing  # noqa: B018


def test_the_package_itself_imports_in_no_time():
    code = "import sys, diffeo_stability; assert 'torch' not in sys.modules and 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_version_is_that_of_the_project(root):
    assert f'version = "{diffeo_stability.__version__}"' in (root / "pyproject.toml").read_text()
