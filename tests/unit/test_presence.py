"""Which workers live, as far as it can be told, and which died and left claims that somebody else is to take back."""

from pathlib import Path

from engine.presence import Presence


def test_a_worker_whose_process_has_ended_is_gone_and_one_that_works_is_alive(tmp_path: Path) -> None:
    one, other = Presence(tmp_path), Presence(tmp_path)
    (tmp_path / "workers" / "killed.lock").touch()
    assert one.alive() == {one.worker, other.worker}
    assert list(one.gone()) == ["killed"]
    assert list(one.gone()) == []
    other.close()
    assert one.alive() == {one.worker}
    one.close()


def test_a_worker_of_whom_it_cannot_be_told_counts_as_alive_and_ends_nobody_else(tmp_path: Path) -> None:
    one = Presence(tmp_path)
    (tmp_path / "workers" / "unreadable.lock").mkdir()
    assert one.alive() == {one.worker, "unreadable"}
    assert list(one.gone()) == []
    one.close()


def test_whose_lock_cannot_be_removed_may_end_all_the_same(tmp_path: Path) -> None:
    one = Presence(tmp_path)
    (tmp_path / "workers" / f"{one.worker}.lock").unlink()
    one.close()


def test_who_ends_in_order_is_not_missed_and_who_left_claims_is(tmp_path: Path) -> None:
    orderly, hasty, next_one = Presence(tmp_path), Presence(tmp_path), Presence(tmp_path)
    hasty.leave_claims()
    orderly.close()
    hasty.close()
    assert list(next_one.gone()) == [hasty.worker]
    assert list(next_one.gone()) == []
    next_one.close()
