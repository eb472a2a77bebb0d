"""An example activity for every methodology of the library: what an honest platform would send.

All of them are of one person in one city, on 2 March 2026 and at different hours of it, so that
each can be recorded beside the others where nothing excludes it.
"""

from typing import Any

from support.city import NOON, pseudonym

ISSUERS = {
    "ticket": ["cinema", "city-bus", "metro", "railway", "toll-roads"],
    "order": ["canteen", "hospital", "pay-app"],
    "parcel": ["post"],
    "bill": ["grid"],
}
"""Who gave the numbers in the examples, by class."""
MIDNIGHT = NOON - 12 * 3600


def _base(methodology: str, start: int, seconds: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "format": 1,
        "id": f"example-{methodology}",
        "scenario": methodology,
        "start": start,
        "end": start + seconds,
        "evidence": {"tier": "platform-record", "digest": "0" * 64},
        "authorisation": "1" * 64,
        "nonce": "2" * 32,
        **more,
    }


def number(line_class: str, issuer: str, of: str) -> dict[str, str]:
    """A ticket, an order or a parcel."""
    first = "carrier" if line_class == "parcel" else "issuer"
    return {first: issuer, "number": pseudonym(line_class, of)}


def evidence(tier: str) -> dict[str, str]:
    """Evidence of another tier than the platform's own record."""
    return {"tier": tier, "digest": "0" * 64}


def examples(who: str = "1") -> dict[str, dict[str, Any]]:
    """The example of each methodology, by its id; each reports under a scenario of that name.

    who: whose they are; no identifier is another person's.
    """
    subject = pseudonym("traveller", f"person {who}")
    car, bike = pseudonym("vehicle", f"car {who}"), pseudonym("vehicle", f"bike {who}")

    def hour(hours: float) -> int:
        return MIDNIGHT + int(hours * 3600)

    made = [
        _base("bike-share-trip", hour(6), 900, vehicle=bike),
        _base("bus-ride-by-code", hour(7), ticket=number("ticket", "city-bus", f"ride 1 of {who}")),
        _base("bus-wuhan", hour(7.5), evidence=evidence("screenshot")),
        _base("car-free-day", MIDNIGHT, 86_400, vehicle=car, quantities={"metres": 22_000}),
        _base("carton-returned", hour(8), parcel=number("parcel", "post", f"carton 1 of {who}")),
        _base("cinema-e-ticket", hour(8.5), ticket=number("ticket", "cinema", f"seat 1 of {who}")),
        _base("clean-plate", hour(12), order=number("order", "canteen", f"meal 1 of {who}")),
        _base("clinic-booking", hour(9), order=number("order", "hospital", f"visit 1 of {who}")),
        _base("e-payment", hour(9.5), order=number("order", "pay-app", f"payment 1 of {who}")),
        _base(
            "etc-payment",
            hour(10),
            vehicle=car,
            ticket=number("ticket", "toll-roads", f"toll 1 of {who}"),
        ),
        _base(
            *("ev-charging", hour(13), 3_600),
            vehicle=car,
            meter=pseudonym("meter", f"charger {who}"),
            quantities={"watthours": 30_000},
        ),
        _base(
            *("ev-driving", hour(15), 1_800),
            vehicle=car,
            quantities={"metres": 22_000, "watthours": 3_300},
        ),
        _base("metro-entry", hour(16), ticket=number("ticket", "metro", f"entry 1 of {who}")),
        _base("metro-guangzhou", hour(16.5), 1_200),
        _base("metro-ride", hour(17), 1_200),
        _base("metro-wuhan", hour(17.5), evidence=evidence("self-declared")),
        _base("no-cutlery", hour(18), 1_800, order=number("order", "canteen", f"meal 2 of {who}")),
        _base(
            *("old-clothes", hour(18.5)),
            parcel=number("parcel", "post", f"clothes 1 of {who}"),
            quantities={"grams": 2_500},
        ),
        _base(
            *("old-clothes-bir", hour(19)),
            parcel=number("parcel", "post", f"clothes 2 of {who}"),
            quantities={"grams": 2_500},
        ),
        _base(
            *("passenger-km-by-city", hour(19.5), 2_400),
            attributes={"city": "beijing", "mode": "metro"},
            quantities={"metres": 22_000},
        ),
        _base(
            *("passenger-km-defra-2007", hour(20.5), 1_800),
            attributes={"mode": "bus"},
            quantities={"metres": 10_000},
        ),
        _base("train-e-ticket", hour(21.5), ticket=number("ticket", "railway", f"seat 1 of {who}")),
        _base(
            *("utility-e-bill", hour(22)),
            bill={
                "issuer": "grid",
                "account": pseudonym("bill", f"account {who}"),
                "month": "2026-02",
            },
        ),
        _base(
            *("walking", MIDNIGHT, 86_400),
            meter=pseudonym("meter", f"counter {who}"),
            quantities={"steps": 7_250},
        ),
    ]
    return {item["scenario"]: {"subject": subject, **item} for item in made}
