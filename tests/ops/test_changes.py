"""Settings that are taken over reach whoever holds a part of them."""

from engine.changes import Changes
from engine.settings import Settings


def test_whoever_listens_late_hears_of_the_latest_too() -> None:
    changes, early, late = Changes(), list[Settings](), list[Settings]()
    first, second = Settings(), Settings()
    changes.listen(early.append)
    assert early == []
    changes.tell(first)
    changes.tell(second)
    changes.listen(late.append)
    assert ([id(one) for one in early], [id(one) for one in late]) == ([id(first), id(second)], [id(second)])
