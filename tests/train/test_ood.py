"""python -m train.ood fits its score to what the checkpoint was trained on."""

from __future__ import annotations

import pytest

from serve.command import UserError
from serve.metrics import write_metrics
from train import ood
from train.data.collections import collection_of


class Fitted(Exception):
    """The sides that the score is to be fitted to."""


@pytest.fixture
def command(placed_scans, hospitals, tmp_path, monkeypatch):
    """Runs the command as far as the fit, on the scans and hospitals of the tests."""

    def fit(pooled, sides):
        raise Fitted(sides)

    monkeypatch.setattr(ood, "read_others", lambda folder: {})
    monkeypatch.setattr(ood, "find_all_scans", lambda data: placed_scans)
    monkeypatch.setattr(ood, "read_collected", lambda args, scans: hospitals)
    monkeypatch.setattr(ood, "load_checkpoint", lambda path: None)
    monkeypatch.setattr(ood, "PooledCache", lambda *given: None)
    monkeypatch.setattr(ood, "fit_to_sides", fit)
    words = "--data", "DATA", "--br35h", "BR35H", "--collections", "COLLECTIONS", "--others", "DIR"
    return lambda: ood.main([*words, "--output", str(tmp_path), "--cache", str(tmp_path / "cache")])


@pytest.mark.parametrize(("recipe", "with_it"), [("broad", True), ("open", False)])
def test_a_collection_that_the_recipe_leaves_out_is_not_fitted_to(
    recipe, with_it, command, tmp_path
):
    write_metrics(tmp_path, "model", {"recipe": recipe}, {})
    with pytest.raises(Fitted) as found:
        command()
    (sides,) = found.value.args
    for side in (sides.training, sides.validation):
        fitted = {collection_of(scan) for scan in side}
        assert fitted >= {"", "tcga_lgg_t1c"}
        assert ("feltrin44" in fitted) == with_it


def test_a_checkpoint_of_no_known_recipe_is_refused(command):
    with pytest.raises(UserError, match="by which recipe"):
        command()
