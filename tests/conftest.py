"""What all tests share: pytester for the plugin's tests, a Hypothesis profile that fits the machine, the quick set.

`pytest` alone leaves out what is marked `slow` and draws fewer examples. Whoever names tests (a path, `-m`, `-k`,
`--lf`) gets all of those: so a slow file can be run by its name, and `pytest tests` runs everything.
"""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

QUICK = "not slow"

settings.register_profile("default", deadline=None, max_examples=50)
settings.register_profile("quick", deadline=None, max_examples=10)
settings.register_profile("thorough", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow])


def pytest_configure(config: pytest.Config) -> None:
    """The choice is made once, as the option `-m`, which xdist hands on to its workers."""
    option = config.option
    by_path = config.args_source is pytest.Config.ArgsSource.ARGS
    if not (by_path or option.markexpr or option.keyword or config.getoption("lf", False)):
        option.markexpr = QUICK
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick" if option.markexpr == QUICK else "default"))


def pytest_report_header(config: pytest.Config) -> str | None:
    """Said in the run itself, since xdist counts no deselected tests."""
    chosen = config.option.markexpr == QUICK
    return "quick: tests marked slow are left out; `pytest tests` runs all" if chosen else None


def pytest_collection_finish() -> None:
    """Thousands of tests and their parameters stay until the end: no garbage collection need look at them again."""
    gc.collect()
    gc.freeze()
