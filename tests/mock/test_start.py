"""What a start loads: nothing that only some tests need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mockserver.errors import ScriptError
from mockserver.faults import kinds, parse_fault
from mockserver.faults.fault import find
from mockserver.faults.where import HOME, MODULES

LATER = {"yaml", "jinja2", "jsonschema_rs", "starlette", "pytest", "httpx", "hypothesis", "pydantic", "websockets"}


def loaded(code: str) -> set[str]:
    """The modules that are loaded once `code` has run in a process of its own."""
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return set(told.stdout.split())


def test_each_kind_is_where_the_table_says() -> None:
    """The table of kinds is what the modules register, in the order of the catalogue."""
    homes = {kind: cls.__module__.rpartition(".")[2] for kind, cls in kinds().items()}
    assert homes == HOME
    assert list(homes) == [kind for kinds_ in MODULES.values() for kind in kinds_]


def test_a_server_loads_no_fault_before_it_is_named() -> None:
    """Nor what reads YAML, renders templates, checks schemas or shows pages."""
    found = loaded("import mockserver.serving.server")
    assert not {f"mockserver.faults.{module}" for module in MODULES} & found
    assert not {name for name in LATER if name in found}


def test_one_fault_loads_its_own_kind() -> None:
    """Another kind stays where it is; a class can be had from the package all the same."""
    found = loaded("from mockserver.faults import parse_fault, Cut\nassert type(parse_fault('cut')) is Cut")
    assert "mockserver.faults.cut" in found
    assert "mockserver.faults.meaning" not in found


def test_an_unknown_kind_is_told_all_names_without_loading_them() -> None:
    """Did you mean, and what is known, from the table."""
    with pytest.raises(ScriptError, match=r"unknown fault kind 'gzp'.*did you mean 'gzip'"):
        parse_fault("gzp")
    assert find("gzp") is None
    code = "from mockserver.faults import parse_fault\ntry:\n    parse_fault('gzp')\nexcept ValueError:\n    pass"
    assert "mockserver.faults.encoding" not in loaded(code)


def test_the_words_of_the_model_wait_until_it_speaks() -> None:
    """The classes of characters of all scripts are worked out for the first text that is not ASCII."""
    code = "import mockserver.model.model, mockserver.model.grapheme as g\nassert g._pattern.cache_info().currsize == 0"
    assert "mockserver.model.words" in loaded(code)


def test_names_that_are_not_there() -> None:
    """The packages that load late refuse like any other."""
    import mockserver.faults
    import mockserver.scripting.dsl

    with pytest.raises(AttributeError, match="no attribute 'Cutt'"):
        _ = mockserver.faults.Cutt
    with pytest.raises(AttributeError, match="no attribute 'cutt'"):
        _ = mockserver.scripting.dsl.cutt
    assert mockserver.scripting.dsl.cut is mockserver.faults.Cut


def test_the_plugin_loads_nothing_that_pytest_has_not() -> None:
    """A run that does not use it pays for one small file."""
    assert loaded("import pytest, _pytest.pytester, _inferneo_pytest") - loaded("import pytest, _pytest.pytester") == {
        "_inferneo_pytest"
    }
