"""The short form of `python -m tests.campaigns.kills`: one night, killed again and again, ends as the one that was not."""

from pathlib import Path

from tests.campaigns.kills import Kill, shop


def test_a_night_that_is_killed_again_and_again_ends_like_its_twin(tmp_path: Path) -> None:
    with shop(tmp_path) as killed_shop:
        names = killed_shop.step_names()
        boundaries = [Kill(before=names.index(name)) for name in ("build features", "push newsletter")]
        killed = killed_shop.history([*boundaries, *killed_shop.moments(1, seed=5)])
        assert killed.differs == []
        assert killed.hits >= len(boundaries)
        assert killed_shop.twin["tool's violations"] == []
        assert killed_shop.twin["tool's lists"]
