"""Parameters that several routes take."""

from typing import Annotated

from fastapi import Path, Query

from keys.strict import INTEGER_MAX

NAME = r"^[a-z0-9]+(?:[-.][a-z0-9]+)*$"
DATE = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
HASH = "^[0-9a-f]{64}$"
LINE = "^[0-9a-f]{48}$"
NAME_CHARS_MAX = 64

_name = {"pattern": NAME, "max_length": NAME_CHARS_MAX}

PlatformName = Annotated[str | None, Query(**_name, description="Only of this platform.")]
ScenarioName = Annotated[str | None, Query(**_name, description="Only under this scenario.")]
From = Annotated[
    str | None, Query(alias="from", pattern=DATE, description="Only days from this date on.")
]
Until = Annotated[str | None, Query(pattern=DATE, description="Only days before this date.")]

PlatformPath = Annotated[str, Path(**_name, description="The id of a platform.")]
ScenarioPath = Annotated[str, Path(**_name, description="The id of a scenario.")]
DayPath = Annotated[str, Path(pattern=DATE, description="A day of the ledger, as a date.")]
Leaf = Annotated[str, Path(pattern=HASH, description="The leaf hash of a reduction.")]
StatementId = Annotated[str, Path(pattern=HASH, description="A statement's id.")]
Root = Annotated[str, Path(pattern=HASH, description="The root of a file.")]
Folder = Annotated[
    str, Path(pattern="^[0-9a-f]{2}$", description="The first two digits of the root.")
]
LinePath = Annotated[str, Path(pattern=LINE, description="A line, as 24 bytes.")]
LineQuery = Annotated[str, Query(pattern=LINE, description="A line, as 24 bytes.")]
Index = Annotated[int, Query(ge=0, le=INTEGER_MAX, description="A log index.")]
Size = Annotated[int, Query(ge=0, le=INTEGER_MAX, description="A size of the log.")]
Point = Annotated[
    int, Query(ge=0, le=INTEGER_MAX, description="Where a stretch begins on the line's axis.")
]
End = Annotated[
    int, Query(ge=0, le=INTEGER_MAX, description="Where it ends, not included; at most 2^63 - 1.")
]
