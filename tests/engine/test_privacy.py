"""What lies in the data folder is nobody else's business."""

from pathlib import Path

import pytest
from workshop import opened, settings_for


@pytest.mark.parametrize("made_by_hand", [False, True])
async def test_nobody_else_can_look_into_the_data_folder(tmp_path: Path, made_by_hand: bool) -> None:
    data = tmp_path / "data"
    if made_by_hand:
        data.mkdir(mode=0o755)
    async with opened(settings_for(tmp_path), tmp_path):
        assert data.stat().st_mode & 0o777 == 0o700
