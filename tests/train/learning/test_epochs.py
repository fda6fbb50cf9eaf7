"""Two commands at the same training: the second takes up what the first did."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from serve.command import UserError
from train.learning.epochs import Run, train_epochs

EPOCHS = 2


class Batches(keras.utils.PyDataset):
    """Four points of a line."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        points = np.arange(4, dtype=np.float32)[:, None]
        return points, np.arange(4) > 1


@pytest.fixture
def network():
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(0.1), loss, metrics=["accuracy"])
    return network


def test_a_run_that_was_read_before_it_was_trained_goes_on_where_it_is(network, tmp_path, capsys):
    early = Run(tmp_path)
    train_epochs(Run(tmp_path), network, lambda _: Batches(), Batches(), EPOCHS, EPOCHS, seed=0)
    trained = network.get_weights()
    assert early.history == []
    train_epochs(early, network, lambda _: Batches(), Batches(), EPOCHS, EPOCHS, seed=0)
    assert [entry["epoch"] for entry in early.history] == [1, 2]
    assert "resuming after epoch 2 of 2" in capsys.readouterr().out
    for ours, theirs in zip(network.get_weights(), trained, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("damage", [lambda whole: b"", lambda whole: whole[: len(whole) // 2]])
@pytest.mark.parametrize("name", ["epoch-02.weights.h5", "history.csv"])
def test_what_is_damaged_is_named_and_how_to_go_on(name, damage, network, tmp_path):
    train_epochs(Run(tmp_path), network, lambda _: Batches(), Batches(), EPOCHS, EPOCHS, seed=0)
    path = tmp_path / name
    path.write_bytes(damage(path.read_bytes()))
    if name == "history.csv" and not path.stat().st_size:
        assert Run(tmp_path).history == []  # as if nothing had happened yet
        return
    with pytest.raises(UserError, match=f"{name}: .* is damaged .*; delete the folder") as refused:
        train_epochs(Run(tmp_path), network, lambda _: Batches(), None, 3, 3, seed=0)
    assert len(str(refused.value).splitlines()) == 1
