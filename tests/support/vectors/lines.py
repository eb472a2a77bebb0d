"""Days, the registry of classes, lines and what is possible on them, pseudonyms, holders."""

import json
from typing import Any

from support import oprf
from support.city import NOON, OFFSET, PSEUDONYMS, TODAY, key
from support.vectors.common import Case, Vectors, accepted, digits, refused
from support.vectors.lots import RECORDS, kind_of
from support.vectors.lots import content as content_of

from api.normalisers import normalise
from chain.calendar import Calendar
from chain.classes import Classes
from chain.genesis import default_classes, library
from chain.spans import FOREVER, make_holder, make_line
from chain.state import epoch_holder
from keys.participants import key_holder, role_holder
from keys.pseudonyms import Epoch, message
from keys.strict import dump_cbor, dump_json

REGISTRY = default_classes(
    {
        "ticket": ["city-bus", "metro"],
        "order": ["canteen"],
        "parcel": ["post"],
        "bill": ["power-grid"],
    }
)
CALENDAR = Calendar(OFFSET)
CLASSES = Classes(REGISTRY, CALENDAR)
PERSON, OTHER = "ab" * 16, "cd" * 16
GIVEN = {"classes": REGISTRY.decode(), "utc_offset": OFFSET}


def line_vectors() -> Vectors:
    """lines.json."""
    return Vectors(
        "Days at a fixed offset, the registry of classes, lines, spans on them, pseudonyms and "
        "holders.",
        [4, 9, 10, 11, 38],
        {
            "days": _days(),
            "cuts": _cuts(),
            "periods": _periods(),
            "registries": _registries(),
            "lines": _lines(),
            "allows": _allows(),
            "pseudonyms": _pseudonyms(),
            "oblivious": _oblivious(),
            "holders": _holders(),
        },
        GIVEN,
    )


# --- days ---


def _days() -> list[Case]:
    midnight = CALENDAR.start(TODAY)
    tried = [
        ("the second zero", 0, 0),
        ("the second zero, east of UTC", 0, OFFSET),
        ("the second zero, west of UTC: the day before the first", 0, -3600),
        ("the last second of a day", midnight - 1, OFFSET),
        ("midnight", midnight, OFFSET),
        ("noon", NOON, OFFSET),
        ("the farthest east", NOON, 50_400),
        ("the farthest west", NOON, -50_400),
        ("an offset that is no whole hour", NOON, 20_700),
        ("the last second of the last day", Calendar(0).start(65_536) - 1, 0),
    ]
    made = []
    for name, time, offset in tried:
        calendar = Calendar(offset)
        made.append(
            accepted(
                f"day of {name}",
                time=time,
                utc_offset=offset,
                day=calendar.day(time),
                second=calendar.seconds(time),
            )
        )
    return made


def _cuts() -> list[Case]:
    midnight = CALENDAR.start(TODAY)
    tried = [
        ("within a day", NOON, NOON + 300, OFFSET),
        ("up to midnight", midnight - 300, midnight, OFFSET),
        ("from midnight", midnight, midnight + 300, OFFSET),
        ("over midnight", midnight - 300, midnight + 300, OFFSET),
        ("one second on each side", midnight - 1, midnight + 1, OFFSET),
        ("a whole day", midnight, midnight + 86_400, OFFSET),
        ("three days", midnight - 10, midnight + 86_400 + 10, OFFSET),
        ("the same at UTC", midnight - 10, midnight + 86_400 + 10, 0),
        ("the same west of UTC", midnight - 10, midnight + 86_400 + 10, -5 * 3600),
    ]
    return [
        accepted(
            f"cut {name}",
            start=digits(start),
            end=digits(end),
            utc_offset=offset,
            pieces=[
                {"day": day, "start": digits(first), "end": digits(last)}
                for day, first, last in Calendar(offset).cut(start, end)
            ],
        )
        for name, start, end, offset in tried
    ]


def _periods() -> list[Case]:
    days = {
        "1970-01-01": 0,
        "1999-12-31": 10_956,
        "2000-02-01": 10_988,
        "2026-02-28": 20_512,
        "2026-03-02": TODAY,
        "2028-02-29": 21_243,
        "2100-02-01": 47_514,
    }
    return [
        accepted(
            f"the {period} of {date}",
            day=day,
            period=period,
            end=CALENDAR.period_end(day, period),
        )
        for date, day in days.items()
        for period in ("day", "month", "year")
    ]


# --- the registry ---


def _small() -> Any:
    """A registry of three classes."""
    document = json.loads(REGISTRY)
    named = ("traveller", "vehicle", "ticket")
    classes = [item for item in document["classes"] if item["name"] in named]
    return {**document, "classes": classes, "issuers": {"ticket": ["city-bus"]}}


def _registry(**changes: Any) -> str:
    """A registry with its first class changed."""
    document = _small()
    document["classes"][0] |= changes
    return dump_json(document).decode()


def _edited(**changes: Any) -> str:
    return dump_json(_small() | changes).decode()


def _registries() -> list[Case]:
    classes = _small()["classes"]
    part = {"name": "subject", "grammar": "pseudonym", "normaliser": "identity"}
    cap = {"axis": "seats", "dated": True, "longest": 5}
    tried: list[tuple[str, str | None, str]] = [
        ("as it comes with the project", None, default_classes().decode()),
        ("of three classes", None, _registry()),
        ("without classes", None, _edited(classes=[], issuers={})),
        ("of another format", "format-unknown", _edited(format=2)),
        ("with a field more", "field-unknown", _edited(more=1)),
        ("a number twice", "class-twice", _registry(number=2)),
        ("a name twice", "class-twice", _registry(name="vehicle")),
        ("a class twice", "class-twice", _edited(classes=[*classes, classes[0]])),
        ("number 0", "field-type", _registry(number=0)),
        ("number 256", "field-type", _registry(number=256)),
        ("a name in capitals", "field-type", _registry(name="Traveller")),
        ("an axis that there is not", "field-type", _registry(axis="metres")),
        ("seconds without days", "field-type", _registry(dated=False)),
        ("tickets with days", "field-type", _registry(axis="whole")),
        ("seats without a period", "field-type", _registry(**cap)),
        ("a grammar that there is not", "field-type", _registry(parts=[{**part, "grammar": "x"}])),
        ("a part without a normaliser", "field-missing", _registry(parts=[{"name": "subject"}])),
        ("no length", "field-type", _registry(longest=0)),
        ("a text in one language", "field-missing", _registry(stops={"en": "x"})),
        ("issuers of a class that has none", "class-unknown", _edited(issuers={"traveller": []})),
        ("issuers of no class", "class-unknown", _edited(issuers={"x": []})),
        ("an issuer that is no name", "field-type", _edited(issuers={"ticket": ["Bus"]})),
    ]
    return [
        accepted(f"registry: {name}", document=document)
        if code is None
        else refused(f"registry: {name}", code, document=document)
        for name, code, document in tried
    ]


# --- lines ---


def _lines() -> list[Case]:
    good: list[tuple[str, str, list[str], int | None]] = [
        ("a traveller's", "traveller", [PERSON], TODAY),
        ("the same on the next day", "traveller", [PERSON], TODAY + 1),
        ("on the first day", "traveller", [PERSON], 0),
        ("on the last day", "traveller", [PERSON], 65_535),
        ("another's", "traveller", [OTHER], TODAY),
        ("a vehicle's", "vehicle", [PERSON], TODAY),
        ("a meter's", "meter", [PERSON], TODAY),
        ("a ticket", "ticket", ["city-bus", PERSON], None),
        ("the same number of another issuer", "ticket", ["metro", PERSON], None),
        ("an order", "order", ["canteen", PERSON], None),
        ("a parcel", "parcel", ["post", PERSON], None),
        ("a bill", "bill", ["power-grid", PERSON, "2026-02"], None),
        ("a cap of a day", "cap", ["clean-plate-lunch", "day", PERSON], TODAY),
        ("a cap of a month, on its last day", "cap", ["walk", "month", PERSON], TODAY + 29),
        ("a key's", "key", ["metro-app"], None),
        ("a role's", "role", ["metro-app", "platform"], None),
        ("a methodology's", "methodology", ["bus-ride-by-code"], None),
        ("a scenario's", "scenario", ["city-bus"], None),
        ("serial numbers", "serial", ["registry", "A/2026_1"], None),
        ("the books", "books", [], None),
        ("the classes", "classes", [], None),
        ("the rules", "rules", [], None),
    ]
    bad: list[tuple[str, str, str, list[str], int | None]] = [
        ("of no class", "class-unknown", "walker", [PERSON], TODAY),
        ("a traveller's without a day", "line-day", "traveller", [PERSON], None),
        ("a ticket with a day", "line-day", "ticket", ["city-bus", PERSON], TODAY),
        ("a part too few", "line-parts", "ticket", ["city-bus"], None),
        ("a part too many", "line-parts", "traveller", [PERSON, PERSON], TODAY),
        ("books with a part", "line-parts", "books", ["x"], None),
        ("a pseudonym in capitals", "line-part", "traveller", [PERSON.upper()], TODAY),
        ("a pseudonym too short", "line-part", "traveller", [PERSON[:-2]], TODAY),
        ("a pseudonym too long", "line-part", "traveller", [PERSON + "00"], TODAY),
        ("a name instead of a pseudonym", "line-part", "traveller", ["ann"], TODAY),
        ("an issuer that is not listed", "issuer-unknown", "ticket", ["ferry", PERSON], None),
        ("an issuer that is no name", "line-part", "ticket", ["City Bus", PERSON], None),
        ("the issuer of another class", "issuer-unknown", "order", ["city-bus", PERSON], None),
        ("a month that there is not", "line-part", "bill", ["power-grid", PERSON, "2026-13"], None),
        ("a month with a day", "line-part", "bill", ["power-grid", PERSON, "2026-02-01"], None),
        ("a period that there is not", "line-part", "cap", ["walk", "week", PERSON], TODAY),
        ("a series with a space", "line-part", "serial", ["registry", "A 1"], None),
        ("a series of 65", "line-part", "serial", ["registry", "A" * 65], None),
        ("an empty series", "line-part", "serial", ["registry", ""], None),
    ]
    made = [
        accepted(
            f"line: {name}",
            **{"class": of},
            parts=parts,
            day=day,
            parts_cbor=dump_cbor(parts),
            line=CLASSES.line(of, parts, day),
        )
        for name, of, parts, day in good
    ]
    return made + [
        refused(f"line: {name}", code, **{"class": of}, parts=parts, day=day)
        for name, code, of, parts, day in bad
    ]


def _allows() -> list[Case]:
    traveller = CLASSES.line("traveller", [PERSON], TODAY)
    ticket = CLASSES.line("ticket", ["city-bus", PERSON])
    cap = CLASSES.line("cap", ["walk", "day", PERSON], TODAY)
    serial = CLASSES.line("serial", ["registry", "A"])
    midnight, following = CALENDAR.start(TODAY), CALENDAR.start(TODAY + 1)
    good = [
        ("an hour", traveller, NOON, NOON + 3600),
        ("one second", traveller, NOON, NOON + 1),
        ("the whole day", traveller, midnight, following),
        ("a ticket", ticket, 0, FOREVER),
        ("the first seat", cap, 0, 1),
        ("the last seat that there can be", cap, 9_999, 10_000),
        ("serial numbers", serial, 5, 50),
        ("all serial numbers", serial, 0, FOREVER),
    ]
    bad = [
        ("nothing", "span-class", traveller, NOON, NOON),
        ("an end before the start", "span-class", traveller, NOON, NOON - 1),
        ("a second before the day", "span-class", traveller, midnight - 1, NOON),
        ("a second after the day", "span-class", traveller, NOON, following + 1),
        ("another day", "span-class", traveller, following, following + 60),
        ("half a ticket", "span-class", ticket, 0, 1),
        ("a ticket but its start", "span-class", ticket, 1, FOREVER),
        ("a ticket with a day", "span-day", make_line(4, ["city-bus", PERSON], TODAY), 0, FOREVER),
        ("two seats", "span-class", cap, 0, 2),
        ("serial numbers beyond for ever", "span-class", serial, 0, FOREVER + 1),
        ("a line of class 0", "class-unknown", make_line(0, ["x"]), 0, 1),
        ("a line of a class that there is not", "class-unknown", make_line(255, ["x"]), 0, 1),
    ]
    return [
        *(
            accepted(f"allows: {name}", line=line, start=digits(start), end=digits(end))
            for name, line, start, end in good
        ),
        *(
            refused(f"allows: {name}", code, line=line, start=digits(start), end=digits(end))
            for name, code, line, start, end in bad
        ),
    ]


def _pseudonyms() -> list[Case]:
    written = [
        ("traveller", "110101199003070000"),
        ("traveller", "１１０１０１ 19900307 ００００"),
        ("traveller", "11010119900307000x"),
        ("cap", "110101199003070000"),
        ("vehicle", "京A·12345"),
        ("vehicle", "京a12345"),
        ("vehicle", "京A-12345 "),
        ("meter", "3301 0000 1234"),
        ("ticket", "T-2026 03 02"),
        ("order", "ＯＲＤＥＲ１"),
        ("parcel", "SF 1234 5678"),
        ("bill", "ACC-001"),
    ]
    made = []
    for of, identifier in written:
        normalised = normalise(of, identifier)
        made.append(
            accepted(
                f"pseudonym of {of} {identifier!r}",
                secret=PSEUDONYMS.secret,
                **{"class": of},
                written=identifier,
                normalised=normalised,
                pseudonym=PSEUDONYMS.pseudonyms(of, 0, [normalised])[0],
            )
        )
    return made


def _oblivious() -> list[Case]:
    made = []
    for number, (of, identifier) in enumerate(
        [("traveller", "110101 19900307 123x"), ("vehicle", "京Ａ·12345"), ("ticket", "T 1")]
    ):
        seed, normalised = bytes([number + 1]) * 32, normalise(of, identifier)
        private, data = oprf.derive(seed, b"tally/pseudonyms/v1"), message(of, normalised)
        [evaluated] = oprf.evaluate(private, [oprf.blind(data, 1)])
        output = oprf.output(data, 1, evaluated)
        made.append(
            accepted(
                f"oblivious pseudonym of {of} {identifier!r}",
                seed=seed,
                **{"class": of},
                written=identifier,
                normalised=normalised,
                message=data,
                public=oprf.public(private),
                output=output,
                pseudonym=output[:16],
            )
        )
    return made


def _holders() -> list[Case]:
    public = key("metro-app").public
    document = library()["bus-ride-by-code"]
    number = public.alg.to_bytes(8, "big", signed=True)
    contents: list[tuple[str, bytes, bytes]] = [
        ("reduction", bytes(range(32)), make_holder("reduction", bytes(range(32)))),
        ("key", number + public.raw, key_holder(public)),
        ("role", dump_cbor(["metro-app", "platform"]), role_holder("metro-app", "platform")),
        ("methodology", document, make_holder("methodology", document)),
        ("scenario", b"{}", make_holder("scenario", b"{}")),
        ("classes", b"{}", make_holder("classes", b"{}")),
        ("policy", b"{}", make_holder("policy", b"{}")),
        ("rules", (1).to_bytes(8, "big"), make_holder("rules", (1).to_bytes(8, "big"))),
        ("books", b"", make_holder("books", b"")),
        ("pseudonyms", bytes(range(32)), epoch_holder(Epoch(0, bytes(range(32))))),
    ]
    made = {kind_of(record): record for record in RECORDS.values()}
    contents += [(kind, content_of(record), record.holder) for kind, record in made.items()]
    return [
        accepted(f"holder: a {kind}", kind=kind, content=content, holder=holder)
        for kind, content, holder in contents
    ]
