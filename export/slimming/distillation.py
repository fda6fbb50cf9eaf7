"""The published network teaches the slim one, an epoch at a time, each kept on disk.

Hinton et al., "Distilling the knowledge in a neural network", 2015; what is inside is compared as
well: Romero et al., "FitNets: hints for thin deep nets", ICLR 2015.

What the published network says of a view is kept on disk until the training is done: it takes
longer than a step of the training, and every view is learned from once an epoch.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from keras import ops

from export.slimming.sides import Scan
from export.slimming.views import view
from serve.artifacts import replacing
from serve.command import UserError, one_line
from serve.formats.raster import load_pixels
from serve.names import INPUT_SIZE

BATCH = 32
PICTURES = 20480  # views
BYTES_A_VIEW = 550_000  # of disk, until the training is done
EPOCHS = 6
WATCHED = 512  # scans of the validation side, after every epoch
LEARNING_RATE = 1e-4  # of Adam, falling to zero along a cosine
WARM_UP = 100  # steps
SOFTNESS = 2.0  # temperature of the answers
WEIGHTS = {  # of the losses
    "block3_pool": 0.5,
    "block4_pool": 1.0,
    "block5_conv3": 1.0,
    "hidden": 1.0,
    "logits": 2.0,
    "maps": 1.0,
}


class Lessons(keras.utils.PyDataset):
    """Batches of views of scans, and what the published network says of each.

    Args:
        scans: to draw from.
        teacher: see `export.slimming.network.observed`.
        folder: of the batches that were made before; is made.
        views: how many are drawn; by default every scan is shown once, as it is.
        seed: of what is drawn.
    """

    def __init__(
        self,
        scans: Sequence[Scan],
        teacher: keras.Model,
        folder: Path,
        views: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=4)
        rng = np.random.default_rng(seed)
        size, every = views or len(scans), len(scans)
        drawn = rng.choice(every, size, replace=size > every) if views else np.arange(every)
        self._scans, self._teacher, self._folder = [scans[i] for i in drawn], teacher, folder
        self._seed = seed if views else None
        self._order = np.arange(-(-size // BATCH))
        folder.mkdir(parents=True, exist_ok=True)

    def __len__(self) -> int:
        return len(self._order)

    def shuffled(self, epoch: int) -> Lessons:
        """The same batches in the order of an epoch."""
        self._order = np.random.default_rng(epoch).permutation(len(self))
        return self

    def __getitem__(self, index: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        number = int(self._order[index])
        path = self._folder / f"{number:04}.npz"
        if not path.is_file():
            pixels = self._pixels(number)
            found = self._teacher.predict_on_batch(pixels.astype(np.float32))
            with replacing(path) as temporary, temporary.open("wb") as file:
                np.savez(file, pixels=pixels, **{k: v.astype(np.float16) for k, v in found.items()})
        with np.load(path) as stored:
            batch = {name: stored[name].astype(np.float32) for name in stored.files}
        return batch.pop("pixels"), batch

    def _pixels(self, number: int) -> np.ndarray:
        own = self._scans[number * BATCH : (number + 1) * BATCH]
        pixels = [load_pixels(scan.path, INPUT_SIZE) for scan in own]
        if self._seed is not None:
            rng = np.random.default_rng([self._seed, number])
            pixels = [view(p, pixels[rng.integers(len(own))], rng) for p in pixels]
        return np.stack(pixels)


def distil(
    student: keras.Model,
    teacher: keras.Model,
    scans: Sequence[Scan],
    watched: Sequence[Scan],
    folder: Path,
    seed: int,
) -> None:
    """Train the epochs that `folder` still lacks.

    Args:
        student, teacher: see `export.slimming.network.observed`.
        scans: to learn from.
        watched: to see after every epoch how often both answer alike.
        folder: of the checkpoints, and of the batches until all is done.
        seed: of what is drawn.

    Raises:
        UserError: a checkpoint cannot be read, or the disk is too full.
    """
    steps = EPOCHS * -(-PICTURES // BATCH)
    student.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(
                0.0, steps - WARM_UP, warmup_target=LEARNING_RATE, warmup_steps=WARM_UP
            ),
            global_clipnorm=1.0,
        ),
        loss={name: _answers if name == "logits" else _relative for name in WEIGHTS},
        loss_weights=WEIGHTS,
        metrics={"logits": [same_class]},
    )
    done = _restore(student, folder)
    if done < EPOCHS:
        _require_space(folder)
    batches = folder / "batches"
    lessons = Lessons(scans, teacher, batches / "training", PICTURES, seed)
    seen = Lessons(watched[:: -(-len(watched) // WATCHED)], teacher, batches / "validation")
    for epoch in range(done + 1, EPOCHS + 1):
        student.fit(
            lessons.shuffled(epoch),
            validation_data=seen,
            initial_epoch=epoch - 1,
            epochs=epoch,
            shuffle=False,
            verbose=1 if sys.stdout.isatty() else 2,
        )
        with replacing(_checkpoint(folder, epoch)) as temporary:
            student.save_weights(temporary)
        _checkpoint(folder, epoch - 1).unlink(missing_ok=True)
    shutil.rmtree(batches)


def _require_space(folder: Path) -> None:
    made = sum(path.stat().st_size for path in folder.rglob("*.npz"))
    wanted, free = PICTURES * BYTES_A_VIEW - made, shutil.disk_usage(folder).free
    if free < wanted:
        raise UserError(
            f"{folder}: {free / 1e9:.1f} GB are free, {wanted / 1e9:.1f} GB are needed meanwhile"
        )


def same_class(answers: keras.KerasTensor, own: keras.KerasTensor) -> keras.KerasTensor:
    """Share of the scans that get the published network's class."""
    return ops.mean(ops.cast(ops.argmax(answers, 1) == ops.argmax(own, 1), "float32"))


def _answers(answers: keras.KerasTensor, own: keras.KerasTensor) -> keras.KerasTensor:
    """Kullback-Leibler divergence of the softened probabilities."""
    wanted, found = (ops.log_softmax(one / SOFTNESS, axis=1) for one in (answers, own))
    return SOFTNESS**2 * ops.sum(ops.exp(wanted) * (wanted - found), axis=1)


def _relative(wanted: keras.KerasTensor, found: keras.KerasTensor) -> keras.KerasTensor:
    """Squared error, as a share of the mean square of what is wanted."""
    axes = tuple(range(1, len(wanted.shape)))
    return ops.mean((found - wanted) ** 2, axis=axes) / (ops.mean(wanted**2) + 1e-6)


def _restore(student: keras.Model, folder: Path) -> int:
    """How many epochs are done, their weights and optimizer put in place."""
    found = sorted(folder.glob("epoch-*.weights.h5"))
    if not found:
        return 0
    student.optimizer.build(student.trainable_variables)
    try:
        student.load_weights(found[-1])
    except Exception as error:  # h5py's, Keras's and the system's own types
        raise UserError(
            f"{found[-1]}: the checkpoint is damaged ({one_line(error)}); delete the folder "
            f"{folder}, and the same command begins anew"
        ) from None
    done = int(found[-1].name.split(".")[0].removeprefix("epoch-"))
    print(f"resuming after epoch {done} of {EPOCHS}")
    return done


def _checkpoint(folder: Path, epoch: int) -> Path:
    return folder / f"epoch-{epoch:02}.weights.h5"
