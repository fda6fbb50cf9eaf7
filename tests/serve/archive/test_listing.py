"""Sources become shards: each file in one of them, what belongs together together."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from serve.formats.errors import InvalidImageError

pa = pytest.importorskip("pyarrow", reason="needs the extra archive")
pq = pytest.importorskip("pyarrow.parquet")

from serve.archive import listing  # noqa: E402
from serve.archive.listing import Shard, digest, shards  # noqa: E402

NOTHING = np.zeros(0, np.uint64)


def touched(folder: Path, *names: str) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return [str(folder / name) for name in names]


def test_every_file_is_in_one_shard(tmp_path):
    pictures = touched(tmp_path, *(f"{number}.jpg" for number in range(5)))
    found = list(shards([str(tmp_path)], NOTHING, size=2))
    assert [len(shard.names) for shard in found] == [2, 2, 1]
    assert [name for shard in found for name in shard.names] == pictures
    assert all(shard.gathered for shard in found)


def test_what_may_be_slices_of_one_series_is_not_parted(tmp_path):
    first = touched(tmp_path / "1", "IM1", "IM2", "IM3.dcm")
    second = touched(tmp_path / "2", "IM1", "IM2")
    touched(tmp_path / "1", "key.png")
    found = [shard.names for shard in shards([str(tmp_path)], NOTHING, size=2)]
    assert found == [first, second, [str(tmp_path / "1" / "key.png")]]


def test_what_is_done_is_left_out(tmp_path):
    one, two = touched(tmp_path, "1.jpg", "2.jpg")
    done = np.array([digest(one)], np.uint64)
    assert [shard.names for shard in shards([str(tmp_path)], done)] == [[two]]
    done = np.sort(np.array([digest(one), digest(two)], np.uint64))
    assert list(shards([str(tmp_path)], done)) == []


def test_a_list_is_read_a_line_at_a_time_and_names_what_it_likes(tmp_path):
    picture, other = touched(tmp_path / "in", "1.jpg", "2.jpg")
    names = tmp_path / "names.txt"
    names.write_bytes(f"{picture}\r\n{other}\n\nf\udce4lle.jpg\n".encode(errors="surrogateescape"))
    (found,) = shards([f"@{names}"], NOTHING)
    assert found.names[:2] == [picture, other]
    assert found.names[2].endswith("f\udce4lle.jpg")
    assert not found.gathered
    assert Shard(**listing.json.loads(found.to_json())) == found


def test_an_object_stores_folder_is_walked_as_a_folder_is(tmp_path):
    touched(tmp_path / "b", "2.jpg", ".hidden.jpg")
    touched(tmp_path, "1.jpg", "Thumbs.db")
    (local,) = shards([str(tmp_path)], NOTHING)
    (remote,) = shards([f"file://{tmp_path}"], NOTHING)
    assert remote.names == [f"file://{name}" for name in local.names]
    assert len(remote.names) == 2
    assert remote.gathered


def test_a_parquet_file_is_a_shard_a_row_group(tmp_path):
    path = str(tmp_path / "pictures.parquet")
    pq.write_table(pa.table({"bytes": [b"1", b"2", b"3"]}), path, row_group_size=2)
    found = list(shards([path], NOTHING))
    assert [shard.row_group for shard in found] == [0, 1]
    assert found[0].identity != found[1].identity
    done = np.array([digest(found[0].keys[0])], np.uint64)
    assert list(shards([path], done)) == found[1:]


def test_a_damaged_parquet_file_says_so(tmp_path):
    (tmp_path / "pictures.parquet").write_bytes(b"none")
    (found,) = shards([str(tmp_path)], NOTHING)
    assert found.names == [str(tmp_path / "pictures.parquet")]
    assert "Parquet" in found.error


def test_what_is_not_there_is_said_before_anything_begins(tmp_path):
    listing.check([str(tmp_path)])
    with pytest.raises(InvalidImageError, match="no such file"):
        listing.check([str(tmp_path / "none")])


def test_ten_times_the_names_take_no_more_memory(tmp_path):
    names = tmp_path / "names.txt"

    def peak(count: int) -> int:
        with names.open("w") as file:
            file.writelines(
                f"/scans/{number // 1000:04}/{number:07}.jpg\n" for number in range(count)
            )
        tracemalloc.start()
        found = sum(len(shard.names) for shard in shards([f"@{names}"], NOTHING))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert found == count
        return most

    few = peak(10_000)
    assert peak(100_000) < few + 2**20  # their names alone are nine times that
