"""What can be imported from the package, at what cost, with what documentation."""

import inspect
import subprocess
import sys

import pytest

import diffeo_stability


@pytest.mark.parametrize("name", diffeo_stability.__all__)
def test_public_names_are_there_and_documented(name):
    member = getattr(diffeo_stability, name)
    if name != "__version__":
        assert member.__doc__ and len(member.__doc__) > 60


FUNCTIONS = [name for name in diffeo_stability.HOMES if inspect.isfunction(getattr(diffeo_stability, name))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_public_functions_say_what_they_return_and_spell_out_their_arguments(name):
    function = getattr(diffeo_stability, name)
    assert "\n    Returns:\n" in function.__doc__
    parameters = inspect.signature(function).parameters
    assert all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters.values())


def test_measures_of_stability_have_the_same_settings():
    def settings(function):
        parameters = inspect.signature(function).parameters.values()
        return {
            parameter.name: (parameter.default, parameter.annotation)
            for parameter in parameters
            if parameter.kind is parameter.KEYWORD_ONLY
        }

    expected = settings(diffeo_stability.relative_stability)
    assert settings(diffeo_stability.stability_by_operation) == expected
    metric = settings(diffeo_stability.RelativeStabilityMetric.__init__)
    assert {**metric, "seed": expected["seed"], "generator": expected["generator"]} == {
        **expected,
        "images": metric["images"],
    }


def test_unknown_names_are_errors():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        diffeo_stability.nothing  # noqa: B018


def test_the_package_itself_imports_in_no_time():
    code = "import sys, diffeo_stability; assert 'torch' not in sys.modules and 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_version_is_that_of_the_project(root):
    assert f'version = "{diffeo_stability.__version__}"' in (root / "pyproject.toml").read_text()
