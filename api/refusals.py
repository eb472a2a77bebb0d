"""Why single reductions of a submission were not recorded, in words."""

from api.values import show_time
from chain.calendar import Calendar
from chain.classes import LineClass
from chain.effects import Refused
from keys.catalogue import text
from keys.strict import dump_date


def refusal_text(
    why: Refused, of: LineClass, platform: str | None, calendar: Calendar, lang: str
) -> str:
    """Why a reduction was refused, with local times.

    of: the class of the claim that was refused.  platform: who holds the stretch that it met.
    """
    platform = platform or "–"
    if why.code == "span-taken" and of.axis == "whole":
        return text("line-taken", lang, name=of.name, platform=platform)
    details: dict[str, object] = {"day": dump_date(why.day), "platform": platform}
    if why.met is not None:
        start, end = (show_time(at, calendar) for at in (why.met.start, why.met.end))
        details |= {"start": start[11:19], "end": end[11:19]}
    return text(why.code, lang, **details)
