"""Statistics: how many reductions stand and their grams, for anyone."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from api.service import models
from api.service.parameters import From, PlatformName, ScenarioName, Until
from api.service.responses import Paging
from api.service.service import Of
from chain.store.snapshot import Statistic
from keys.strict import dump_date
from verifier.books import read_days

router = APIRouter(tags=["statistics"])


@router.get(
    "/v1/statistics",
    response_model=models.Statistics,
    summary="Reductions and grams by day, platform or scenario",
)
def statistics(
    of: Of,
    page: Paging,
    by: Annotated[
        Literal["day", "platform", "scenario"], Query(description="What each item adds up.")
    ] = "day",
    platform: PlatformName = None,
    scenario: ScenarioName = None,
    first: From = None,
    until: Until = None,
) -> Response:
    """What is recorded and not voided, in the order of days or names.  Each page tells how it
    stands now."""
    with of.reading() as (snapshot, state):
        page.size(state.index)
        last = page.after(int if by == "day" else str)
        found = snapshot.statistics(
            by,
            read_days(first, until),
            platform=platform,
            scenario=scenario,
            after=last[0] if last else None,
            limit=page.limit + 1,
        )
    return page.of(state.index, found, lambda one: [one.of], _shown)


def _shown(one: Statistic) -> dict[str, Any]:
    key = dump_date(one.of) if isinstance(one.of, int) else one.of
    return {"key": key, "count": one.count, "grams": one.grams}
