"""The segment catalogue: one YAML file a segment, validated as a whole when it is loaded."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from regulars.errors import ConfigurationError
from regulars.home import Home
from regulars.segment_rule import RuleError, SegmentRule
from regulars.yaml_file import Settings, YamlFile

Days = Annotated[int, Field(ge=1, le=3650)]


class Segment(Settings):
    """config/segments/<name>.yml; the file's name is the segment's name."""

    name: str = ""
    """The name of its file."""
    title: str = Field(max_length=60, description="Name that a marketer reads, and that the list bears in the tool.")
    who: str = Field(description="SQL predicate over the columns of customer_features and customer_scores.")
    why: str = Field(description="What the segment is for, in one sentence.")
    offer: str = Field(description="What its customers are offered.")
    offer_valid_days: Days = Field(default=14, description="Days that the offer holds.")
    channel: Literal["email", "sms", "post", "ads"] = Field(
        default="email", description="Channel of the contact; its permission is asked for."
    )
    priority: int = Field(ge=1, le=1000, description="1 goes first when a customer fits several segments on one channel.")
    membership: Literal["lasting", "transient"] = Field(
        description="lasting: as long as the rule fits. transient: for held_days from entry, or until the customer orders."
    )
    held_days: Days | None = Field(
        default=None, description="Days that a transient membership is held at most, whether the rule still fits or not."
    )
    cool_down_days: Days = Field(
        default=30,
        description="Days without a play on the channel before this segment may contact a customer; "
        "days that a transient membership rests after it ended.",
    )
    size_cap: int | None = Field(default=None, ge=1, description="Most customers on the list, those with the highest value_at_risk first.")
    control_share: float = Field(default=0.1, ge=0.0, le=0.5, description="Share of customers left alone, so that uplift can be measured.")
    measurement_days: Days = Field(default=30, description="Days after entry in which the uplift is measured.")

    @field_validator("who")
    @classmethod
    def _is_a_rule(cls, text: str) -> str:
        try:
            SegmentRule(text)
        except RuleError as error:
            raise ValueError(str(error)) from None
        return text

    @model_validator(mode="after")
    def _transient_is_held(self) -> Segment:
        if (self.membership == "transient") != (self.held_days is not None):
            raise ValueError("held_days belongs to transient memberships, and only to those")
        return self

    @property
    def rule(self) -> SegmentRule:
        return SegmentRule(self.who)


def load_segments(home: Home) -> list[Segment]:
    """All segments of the home, by priority then name.

    Raises:
        ConfigurationError: a file is at fault, or there is none.
    """
    files = sorted((home.config / "segments").glob("*.yml"))
    if not files:
        raise ConfigurationError("there is no segment; expected at least one file NAME.yml", file=home.config / "segments")
    segments = []
    for path in files:
        if not path.stem.replace("_", "a").isalnum() or path.stem != path.stem.lower():
            raise ConfigurationError("a segment's file name is its name: expected lower-case letters, digits and underscores", file=path)
        file = YamlFile(path)
        if "name" in file.content:
            raise file.error("the file's name is the segment's name; leave the key out", ("name",))
        segments.append(file.validated(Segment).model_copy(update={"name": path.stem}))
    titles = [segment.title for segment in segments]
    for segment in segments:
        if titles.count(segment.title) > 1:
            problem = f"two segments have the title {segment.title!r}; a tool could not tell their lists apart"
            raise ConfigurationError(problem, file=home.config / "segments")
    return sorted(segments, key=lambda segment: (segment.priority, segment.name))
