"""What is wrong with a command line is said before anything is computed."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from serve.command import UserError
from train.arguments import add_options, read_persons, read_slices_of


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser()
    add_options(found, "--seed", "--epochs", "--output", "--cache", "--slices", "--patients")
    return found


@pytest.mark.parametrize("seed", ["-1", "4294967296", "1.5", "many", "", "٣"])
def test_a_seed_that_is_none(seed, parser, capsys):
    with pytest.raises(SystemExit):
        parser.parse_args([f"--seed={seed}"])
    assert f"--seed: {seed} is not a number from 0 to 4294967295" in capsys.readouterr().err


@pytest.mark.parametrize("epochs", ["0", "-1", "many", "1.5"])
def test_epochs_that_are_none(epochs, parser, capsys):
    with pytest.raises(SystemExit):
        parser.parse_args([f"--epochs={epochs}"])
    assert f"--epochs: {epochs} is not a number from 1" in capsys.readouterr().err


def test_a_seed_may_be_large(parser):
    assert parser.parse_args(["--seed", "4294967295"]).seed == 4294967295


@pytest.mark.parametrize("option", ["--output", "--cache"])
@pytest.mark.parametrize("below", ["", "new", "new/newer"])
def test_a_folder_that_cannot_be_written(option, below, parser, tmp_path, capsys):
    (tmp_path / "file").touch()
    path = tmp_path / "file" / below if below else Path("/proc")
    with pytest.raises(SystemExit):
        parser.parse_args([option, str(path)])
    assert f"{option}: cannot write to {path}: " in capsys.readouterr().err


def test_a_folder_need_not_be_there_and_is_not_made(parser, tmp_path):
    path = tmp_path / "new" / "newer"
    assert parser.parse_args(["--output", str(path)]).output == path
    assert list(tmp_path.iterdir()) == []
    assert isinstance(parser.parse_args([]).cache, Path)


def test_an_empty_table(parser, tmp_path):
    slices, patients = tmp_path / "slices.csv", tmp_path / "patients.csv"
    slices.write_text("split,class,file,figshare_index,figshare_class,mirrored\n", encoding="utf-8")
    patients.write_text("figshare_index,person,author_fold\n", encoding="utf-8")
    args = parser.parse_args(["--slices", str(slices), "--patients", str(patients)])
    with pytest.raises(UserError, match=r"slices\.csv: names no slice"):
        read_slices_of(args)
    with pytest.raises(UserError, match=r"patients\.csv: names no slice"):
        read_persons(args, [], {"Training/glioma/one.jpg": None})
