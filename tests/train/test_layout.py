"""The rooms of the house lean on each other in one direction, and none is too full."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

TRAIN = ROOT / "train"
# each may lean on itself and on later ones
ROOMS = ("report", "evaluation", "learning", "pictures", "network", "data")
ALONE = "other_pictures"  # leans on no room, and none on it
COMMANDS = {"fit", "evaluate", "attention", "ood", "audit", "collect", "folds", "benchmark"}
TOP = COMMANDS | {"recipes", "arguments", "__init__"}
MOST_LINES = 330


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imported_by(path: Path) -> set[str]:
    """Every module, or name in a module, that a file imports, in full: train.data.folds.place."""
    package = path.relative_to(ROOT).parent.parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join((*base, *filter(None, [node.module])))
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def parts_of_train(path: Path) -> set[str]:
    """The rooms and the top files of train/ that a file imports from."""
    return {name.split(".")[1] for name in imported_by(path) if name.startswith("train.")}


@pytest.mark.parametrize("room", [*ROOMS, ALONE])
def test_a_room_leans_only_on_later_ones(room):
    later = {ALONE} if room == ALONE else set(ROOMS[ROOMS.index(room) :])
    for path in files_of(TRAIN / room):
        assert parts_of_train(path) <= later | {"recipes"}, path


def test_recipes_lean_on_nothing_and_no_command_on_another():
    assert not parts_of_train(TRAIN / "recipes.py")
    for path in TRAIN.glob("*.py"):
        assert not parts_of_train(path) & COMMANDS, path


@pytest.mark.parametrize(
    ("part", "others"),
    [("serve", {"train", "export"}), ("train", {"export"}), ("export", {"train"})],
)
def test_the_parts_meet_in_serve_alone(part, others):
    for path in files_of(ROOT / part):
        assert not {name.split(".")[0] for name in imported_by(path)} & others, path


def test_at_the_top_of_train_are_commands():
    assert {path.stem for path in TRAIN.glob("*.py")} == TOP
    rooms = {path.parent.name for path in TRAIN.glob("*/__init__.py")}
    assert rooms == {*ROOMS, ALONE}


def test_no_file_is_long():
    for path in files_of(TRAIN):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES, path


def test_a_room_says_in_one_line_what_is_in_it():
    for room in (*ROOMS, ALONE):
        text = (TRAIN / room / "__init__.py").read_text(encoding="utf-8")
        says, *rest = ast.parse(text).body
        assert isinstance(says.value, ast.Constant), room
        assert says.lineno == says.end_lineno, room
        assert {ast.unparse(one.targets[0]) for one in rest} <= {"VERSION"}, room
