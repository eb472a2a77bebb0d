"""What comes after the books are closed: lots, certifications, issuances, units; open to anyone.

Only the file of a lot, which holds its reductions, is for members, and for the lot's platform.
"""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool

from api.certificates import write_certificate
from api.exporting import dump_lot, write_lot
from api.records import Held, Records, read_records
from api.service import models
from api.service.access import Insider
from api.service.completing import Final, proved
from api.service.parameters import DayPath, PlatformName, PlatformPath, ScenarioName, ScenarioPath
from api.service.responses import Json, Paging
from api.service.service import Of
from chain.certifications import Certification
from chain.holdings import Units
from chain.issuances import issued
from chain.lots import Lot
from chain.records import check_range
from chain.spans import FOREVER
from chain.store.snapshot import Logged
from keys.errors import NotAllowed
from keys.strict import parse_date

router = APIRouter(tags=["lots and units"])
Serial = Annotated[int, Query(ge=1, le=FOREVER)]


@router.get("/v1/lots", response_model=models.Lots, summary="The lots of closed days")
def lots(
    of: Of, page: Paging, platform: PlatformName = None, scenario: ScenarioName = None
) -> Response:
    """The lots by platform, scenario and day."""
    with of.reading() as (snapshot, state):
        size = page.size(state.index)
        after = page.after(int, str, str, int) or [state.closed_until]
        # What is closed later is of later days.
        until, *last = after
        found = snapshot.lots(
            platform,
            scenario,
            days=(0, until),
            after=(last[0], last[1], last[2]) if last else None,
            limit=page.limit + 1,
        )
    return page.of(
        size, found, lambda lot: [until, lot.platform, lot.scenario, lot.day], Lot.as_json
    )


@router.get(
    "/v1/lots/{platform}/{scenario}/{day}", response_model=models.Lot, summary="The lot of a day"
)
def lot(of: Of, platform: PlatformPath, scenario: ScenarioPath, day: DayPath) -> Response:
    """The lot of a platform, a scenario and a closed day."""
    with of.reading() as (snapshot, _):
        return Json(snapshot.lot(platform, scenario, parse_date(day)).as_json())


@router.get(
    "/v1/lots/{platform}/{scenario}/{day}/file",
    response_model=models.LotFile,
    summary="A lot with all its reductions",
)
async def file(
    of: Of,
    reader: Insider,
    platform: PlatformPath,
    scenario: ScenarioPath,
    day: DayPath,
    final: Final = False,
) -> Response:
    """The file `tally-lot/1`, that `tally-verify check` takes."""
    if not reader.may_see(platform):
        raise NotAllowed("read-not-allowed", participant=reader.participant)
    make = partial(write_lot, of.store, platform, scenario, parse_date(day))
    document = await proved(of, make, final)
    made = await run_in_threadpool(dump_lot, document)
    return Response(made, headers={"Cache-Control": "no-store"}, media_type="application/json")


@router.get(
    "/v1/certifications", response_model=models.Certifications, summary="The certifications"
)
def certifications(of: Of, page: Paging) -> Response:
    """The certifications in the order of the log, and whether each still stands, now."""
    with of.reading() as (snapshot, state):
        size = page.size(state.index)
        first = page.after(int) or [0]
        found = [
            (logged, record)
            for logged in snapshot.logged(["certification"], first[0], page.limit + 1)
            for record in read_records(logged, state.calendar)
            if logged.index < size and isinstance(record, Certification)
        ]
        wanted = [
            (
                state.classes.line("certification", [record.platform, record.scenario]),
                record.since,
                record.until,
            )
            for _, record in found
        ]
        met = snapshot.register().overlapping(wanted, 1)
    standing = {span.holder for spans in met for span in spans}

    def show(one: tuple[Logged, Certification]) -> dict[str, Any]:
        logged, record = one
        return {
            "index": logged.index,
            **record.as_json(),
            "stands": record.holder in standing,
        }

    return page.of(size, found, lambda one: [one[0].index + 1], show)


@router.get("/v1/issuances", response_model=models.Issuances, summary="The issuances")
def issuances(of: Of, page: Paging) -> Response:
    """The issuances in the order of the log."""
    with of.reading() as (snapshot, state):
        size = page.size(state.index)
        first = page.after(int) or [0]
        found = [
            logged
            for logged in snapshot.logged(["issuance"], first[0], page.limit + 1)
            if logged.index < size
        ]
    return page.of(
        size,
        found,
        lambda logged: [logged.index + 1],
        lambda logged: {"index": logged.index, **issued(logged.statement).as_json()},
    )


@router.get("/v1/holdings", response_model=models.Holdings, summary="Whose the units are")
def holdings(of: Of, page: Paging) -> Response:
    """The units by registry, series and serial number.  Each page tells how they stand now; each
    serial number is told once, whatever becomes of it meanwhile."""
    with of.reading() as (snapshot, state):
        page.size(state.index)
        registry, series, serial = page.after(str, str, int) or ("", "", 0)
        records = Records(snapshot, state, of.origins)
        found = records.holdings((registry, series, serial), page.limit + 1)
    return page.of(
        state.index,
        found,
        lambda held: [held.units.registry, held.units.series, held.units.end],
        _holding,
    )


def _holding(held: Held) -> dict[str, Any]:
    return {"units": held.units._asdict(), "holding": held.holding.as_json()}


@router.get(
    "/v1/certificates", response_model=models.Certificate, summary="The certificate of units"
)
async def certificate(
    of: Of,
    registry: Annotated[
        str, Query(pattern="^[!-~]{1,64}$", description="The registry that numbered the units.")
    ],
    series: Annotated[str, Query(pattern="^[!-~]{1,64}$", description="Their series.")],
    first: Annotated[Serial, Query(description="The first serial number.")],
    end: Annotated[Serial, Query(description="The one after the last.")],
    final: Final = False,
) -> Response:
    """The file `tally-certificate/1` of units of one issuance and one holding, that
    `tally-verify check` takes."""
    check_range(first, end)
    of.certificates.take("-", of.clock())
    units = Units(registry, series, first, end)

    def make() -> dict[str, Any]:
        return write_certificate(of.store, units, origins=of.origins).document

    return Json(await proved(of, make, final))
