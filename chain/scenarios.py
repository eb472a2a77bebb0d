"""Scenarios (减排场景): where, for whom and from when a methodology is applied.

As JSON::

    format, id     1, its name
    title          {"en": …, "zh": …}
    region         where it applies
    methodology    the id of its methodology
    owner          the participant who answers for it
    platforms      the participants who may submit under it
    authority      the participant who signs its issuances
    crediting      {"from": date, "to": date}, both included
"""

from collections.abc import Mapping

from chain.classes import is_slug
from chain.spans import make_holder
from keys.errors import Malformed
from keys.strict import fields, parse_date, parse_json

SCENARIO_BYTES_MAX = 32_768


class Scenario:
    """A scenario, read from its document; raises `Malformed`."""

    def __init__(self, document: bytes) -> None:
        self.document = document
        given = fields(
            parse_json(document, bytes_max=SCENARIO_BYTES_MAX),
            "scenario",
            {
                "format": int,
                "id": str,
                "title": dict,
                "region": str,
                "methodology": str,
                "owner": str,
                "platforms": list,
                "authority": str,
                "crediting": dict,
            },
        )
        if given["format"] != 1:
            raise Malformed("format-unknown", where="scenario", format=given["format"])
        names = (
            given["id"],
            given["methodology"],
            given["owner"],
            given["authority"],
            *given["platforms"],
        )
        if not all(map(is_slug, names)):
            raise Malformed("field-type", where="scenario", field="id", expected="names")
        self.id: str = given["id"]
        self.title: Mapping[str, str] = fields(given["title"], "title", {"en": str, "zh": str})
        self.region: str = given["region"]
        self.methodology: str = given["methodology"]
        self.owner: str = given["owner"]
        self.platforms = frozenset[str](given["platforms"])
        self.authority: str = given["authority"]
        crediting = fields(given["crediting"], "crediting", {"from": str, "to": str})
        #: The days of the crediting period, half-open.
        self.days = parse_date(crediting["from"]), parse_date(crediting["to"]) + 1
        if self.days[0] >= self.days[1]:
            raise Malformed("scenario-period", id=self.id)

    @property
    def holder(self) -> bytes:
        """What stands in the register for this definition."""
        return scenario_holder(self.document)


def scenario_holder(document: bytes) -> bytes:
    """The holder of a scenario's span, from its document."""
    return make_holder("scenario", document)
