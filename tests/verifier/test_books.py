"""Books: what they prove and add up, and forgeries of every part of them that fail."""

import copy
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.bundles import QUORUM, rotation, sign_reductions
from support.city import NOON, ORIGIN, TODAY, City, key, pseudonym
from support.mutations import mutate

from api.books import Asked, find_rows, write_book
from api.proving import Proving
from chain import merkle
from chain.admission import admit
from chain.store.snapshot import Place
from keys.errors import Usage
from keys.strict import dump_base64, dump_json, parse_base64
from verifier import books
from verifier.check import check_file
from verifier.policies import policy_text
from verifier.policy import parse_policy
from verifier.reports import INVALID, PROVISIONAL, UNWITNESSED, VALID, Report

DAY = 86_400
POLICY = parse_policy(policy_text(ORIGIN, key("operator").public).encode())
ANN, ANN_2, BEN = (pseudonym("traveller", name) for name in ("ann", "ann in another epoch", "ben"))
WHOSE = tuple(sorted((ANN, ANN_2)))
Book = dict[str, Any]


def build(folder: Path) -> City:
    """Rides and meals of three days, on two platforms: a void, a refusal, a rotated key."""
    city = City.found(folder, acceptance_days=2)
    city.submit([city.ride(name, NOON) for name in ("ann", "ben", "cat")])
    city.submit([city.meal(name, NOON) for name in ("ben", "ann")])
    city.submit([city.ride("ann", NOON - 3 * DAY), city.ride("ann in another epoch", NOON)])
    city.submit([city.ride("ann", NOON), city.ride("ann", NOON + 7_200)], "pay-app")
    voided = city.submit([city.ride("ann", NOON + 3_600)])
    city.post(city.void(voided, [0], "metro-app"))
    city.govern(rotation("metro-app", key("metro-app"), key("metro-app/2")))
    lines = [city.ride("dan", NOON + 60), city.ride("ann", NOON + DAY)]
    signed = sign_reductions(city.reduce(lines), city.state.genesis.id, key("metro-app/2"))
    city.sequencer.submit([admit(city.state, signed, lines)])
    city.sequencer.seal_all(city.now)
    return city


def close(city: City) -> None:
    city.now += 5 * DAY
    city.govern({"action": "threshold", "governors": 1, "instead_of": 1})
    city.post(statement := city.close(TODAY + 2))
    city.answer(statement)


def written(city: City, *subjects: str, platform: str = "metro-app", **more: Any) -> Book:
    return write_book(city.store, Asked(platform, subjects or WHOSE, **more)).document


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return build(tmp_path_factory.mktemp("books") / "city")


@pytest.fixture(scope="module")
def honest(city: City) -> Book:
    return written(city)


def check(book: Book) -> Report:
    return check_file(dump_json(book), POLICY)


def failed(book: Book) -> str:
    """The code of the check that failed, and of its error."""
    report = check(book)
    assert report.verdict == INVALID
    error = report.checks[-1].error
    assert error is not None
    for lang in ("en", "zh"):
        assert report.checks[-1].text(lang)
    return f"{report.checks[-1].code}: {error.code}"


# --- what it shows ---


def test_a_book_shows_and_adds_up_what_a_platform_recorded(honest: Book) -> None:
    report = check(honest)
    assert report.verdict == PROVISIONAL, [check.text("en") for check in report.checks]
    facts = report.facts
    assert (facts["platform"], facts["subjects"]) == ("metro-app", list(WHOSE))
    assert (facts["count"], facts["grams"], facts["points"]) == (5, 4 * 80 + 144, 4 * 10 + 5)
    assert facts["behaviours"] == [
        {
            "scenario": "city-bus",
            "methodology": "bus-ride-by-code",
            "count": 4,
            "grams": 320,
            "points": 40,
        },
        {
            "scenario": "city-plate",
            "methodology": "clean-plate",
            "count": 1,
            "grams": 144,
            "points": 5,
        },
    ]
    assert facts["months"] == [
        {"month": "2026-02", "count": 1, "grams": 80, "points": 10},
        {"month": "2026-03", "count": 4, "grams": 384, "points": 35},
    ]
    assert sum(row["grams"] for row in facts["reductions"]) == facts["grams"]
    assert [row["day"] for row in facts["reductions"]] == [
        *("2026-03-02", "2026-03-02", "2026-02-27", "2026-03-02", "2026-03-03")
    ]
    json.dumps(report.as_json())


def test_what_a_book_does_not_show_is_said_in_both_languages(honest: Book) -> None:
    report = check(honest)
    assert "does not show that these are all" in report.text("en")
    assert "不证明这些即为全部" in report.text("zh")
    for check_ in report.checks:
        assert check_.text("en") and check_.text("zh")


def test_each_activity_is_there_as_it_was_submitted(city: City, honest: Book) -> None:
    shown = [row[1] for one in honest["submissions"] for row in one["reductions"]]
    assert {json.loads(line)["subject"] for line in shown} == set(WHOSE)
    with city.store.snapshot() as snapshot:
        for one in honest["submissions"]:
            root = bytes.fromhex(snapshot.statement(one["index"]).body["root"])
            lines = city.store.activities(root)
            assert all(lines[at].decode() == line for at, line, _ in one["reductions"])


def test_once_the_books_of_its_days_are_closed_it_is_final(tmp_path: Path) -> None:
    city = build(tmp_path / "city")
    close(city)
    report = check(written(city))
    assert report.verdict == VALID
    assert "final" in report.text("en")
    city.submit([city.ride("ann", city.now)], "pay-app")
    assert check(written(city, platform="pay-app")).verdict == PROVISIONAL


def test_it_keeps_to_the_days_and_the_scenario_that_were_asked_for(city: City) -> None:
    march = written(city, first=TODAY, until=TODAY + 1)
    assert (march["from"], march["until"]) == ("2026-03-02", "2026-03-03")
    assert check(march).facts["count"] == 3
    assert check(written(city, until=TODAY)).facts["count"] == 1
    assert check(written(city, first=TODAY + 1)).facts["count"] == 1
    assert check(written(city, scenario="city-plate")).facts["behaviours"][0]["grams"] == 144
    assert check(written(city, platform="pay-app")).facts["count"] == 1
    assert check(written(city, ANN_2)).facts["count"] == 1


def test_without_its_quorum_it_is_not_yet_witnessed(honest: Book) -> None:
    report = check_file(dump_json(honest), QUORUM)
    assert (report.verdict, report.said) == (UNWITNESSED, None)


def test_there_is_no_book_of_nothing_nor_of_too_much(
    city: City, honest: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    for of, code in (
        (Asked("metro-app", [pseudonym("traveller", "zoe")]), "book-empty"),
        (Asked("metro-app", WHOSE, until=TODAY - 9), "book-empty"),
        (Asked("metro-app", []), "book-subjects"),
        (Asked("metro-app", [f"{n:032x}" for n in range(65)]), "book-subjects"),
    ):
        with pytest.raises(Usage, match=code):
            write_book(city.store, of)
    monkeypatch.setattr("api.books.BOOK_REDUCTIONS_MAX", 4)
    with pytest.raises(Usage, match="book-too-large"):
        write_book(city.store, Asked("metro-app", WHOSE))
    monkeypatch.setattr(books, "BOOK_REDUCTIONS_MAX", 4)
    assert failed(honest) == "form: book-too-large"


# --- forgeries ---


def forged(honest: Book, alter: Callable[[Book], None]) -> Book:
    book = copy.deepcopy(honest)
    alter(book)
    return book


def other_activity(book: Book, **changes: Any) -> str:
    """The first activity, changed."""
    line = book["submissions"][0]["reductions"][0][1]
    return json.dumps({**json.loads(line), **changes}, separators=(",", ":"), ensure_ascii=False)


def set_activity(**changes: Any) -> Callable[[Book], None]:
    def alter(book: Book) -> None:
        book["submissions"][0]["reductions"][0][1] = other_activity(book, **changes)

    return alter


def a_space(book: Book) -> None:
    book["submissions"][0]["reductions"][0][1] += " "


def anothers_activity_of_the_same_person(book: Book) -> None:
    rows = [one["reductions"][0] for one in book["submissions"]]
    rows[0][1] = rows[2][1]


def reduction_left_out(book: Book) -> None:
    del book["submissions"][2]["reductions"][0]


def submission_left_out(book: Book) -> None:
    del book["submissions"][1]


def everything_left_out(book: Book) -> None:
    book["submissions"] = []


def reduction_twice(book: Book) -> None:
    rows = book["submissions"][0]["reductions"]
    rows.append(rows[0])


def submission_twice(book: Book) -> None:
    book["submissions"].insert(1, book["submissions"][0])


def submissions_reordered(book: Book) -> None:
    book["submissions"].reverse()


def reductions_reordered(book: Book) -> None:
    book["submissions"][2]["reductions"].reverse()


def other_index(book: Book) -> None:
    book["submissions"][0]["index"] -= 1


def other_position(book: Book) -> None:
    book["submissions"][0]["reductions"][0][0] = 2


def other_cover(book: Book) -> None:
    book["submissions"][0]["cover"] = book["submissions"][3]["cover"]


def other_log(book: Book) -> None:
    data = parse_base64(book["log"])
    book["log"] = dump_base64(data[32:] + data[:32])


def seat_left_out(book: Book) -> None:
    book["submissions"][1]["reductions"][0][2] = []


def seat_more(book: Book) -> None:
    book["submissions"][0]["reductions"][0][2] = [0]


def other_seat(book: Book) -> None:
    book["submissions"][1]["reductions"][0][2] = [1]


def signer_left_out(book: Book) -> None:
    del book["signers"][1]


def signers_key_of_another(book: Book) -> None:
    book["signers"][0]["key"] = book["signers"][1]["key"]


def other_statement(book: Book) -> None:
    book["submissions"][0]["data"] = book["submissions"][2]["data"]


def signature_changed(book: Book) -> None:
    data = bytearray(parse_base64(book["submissions"][0]["data"]))
    data[-1] ^= 1
    book["submissions"][0]["data"] = dump_base64(bytes(data))


def subject_left_out(book: Book) -> None:
    book["subjects"].remove(ANN_2)


def subjects_of_another(book: Book) -> None:
    book["subjects"] = [BEN]


def subjects_reordered(book: Book) -> None:
    book["subjects"].reverse()


def other_platform(book: Book) -> None:
    book["platform"] = "pay-app"


def fewer_days(book: Book) -> None:
    book["until"] = "2026-03-03"


def later_days(book: Book) -> None:
    book["from"] = "2026-03-02"


def no_scenario(book: Book) -> None:
    del book["scenarios"][0]


def no_methodology(book: Book) -> None:
    del book["methodologies"][0]


def more_points(book: Book) -> None:
    document = json.loads(book["methodologies"][0]["document"])
    book["methodologies"][0]["document"] = json.dumps({**document, "points": 99})


def claims_left_out(book: Book) -> None:
    book["claims"] = dump_base64(parse_base64(book["claims"])[:-32])


def a_field_more(book: Book) -> None:
    book["total"] = {"grams": 1_000_000}


def data_instead_of_activity(book: Book) -> None:
    book["submissions"][0]["reductions"][0][1] = "AAAA"


@pytest.mark.parametrize(
    ("alter", "expected"),
    [
        (set_activity(subject=BEN), "book-activities: book-other-subject"),
        (set_activity(subject=ANN_2), "book-activities: inclusion-invalid"),
        (set_activity(start=NOON + 1, end=NOON + 1), "book-activities: inclusion-invalid"),
        (set_activity(id="another"), "book-activities: inclusion-invalid"),
        (set_activity(scenario="city-bike"), "book-activities: not-in-force"),
        (set_activity(scenario="city-plate"), "book-activities: activity-field-missing"),
        (set_activity(start=NOON + 1), "book-activities: field-type"),
        (a_space, "book-activities: inclusion-invalid"),
        (anothers_activity_of_the_same_person, "book-activities: inclusion-invalid"),
        (data_instead_of_activity, "book-activities: json-invalid"),
        (reduction_left_out, "book-activities: inclusion-invalid"),
        (submission_left_out, "book-submissions: inclusion-invalid"),
        (everything_left_out, "book-submissions: inclusion-invalid"),
        (reduction_twice, "book-activities: book-order"),
        (submission_twice, "book-submissions: book-order"),
        (submissions_reordered, "book-submissions: book-order"),
        (reductions_reordered, "book-activities: book-order"),
        (other_index, "book-submissions: inclusion-invalid"),
        (other_position, "book-activities: inclusion-invalid"),
        (other_cover, "book-activities: inclusion-invalid"),
        (other_log, "book-submissions: inclusion-invalid"),
        (seat_left_out, "book-claims: claims-incomplete"),
        (seat_more, "book-claims: claims-incomplete"),
        (other_seat, "book-claims: seat-beyond-cap"),
        (signer_left_out, "book-submissions: not-in-force"),
        (signers_key_of_another, "book-submissions: held-other-holder"),
        (other_statement, "book-submissions: inclusion-invalid"),
        (signature_changed, "book-submissions: inclusion-invalid"),
        (subject_left_out, "book-activities: book-other-subject"),
        (subjects_of_another, "book-activities: book-other-subject"),
        (subjects_reordered, "form: book-subjects"),
        (other_platform, "book-submissions: held-other-line"),
        (fewer_days, "book-activities: book-other-day"),
        (later_days, "book-activities: book-other-day"),
        (no_scenario, "book-activities: not-in-force"),
        (no_methodology, "book-activities: not-in-force"),
        (more_points, "book-definitions: held-other-holder"),
        (claims_left_out, "book-claims: multiproof-malformed"),
        (a_field_more, "form: field-unknown"),
    ],
)
def test_a_forged_book_proves_nothing(
    alter: Callable[[Book], None], expected: str, honest: Book
) -> None:
    assert failed(forged(honest, alter)) == expected


def test_a_book_under_another_register_root_proves_nothing(city: City, honest: Book) -> None:
    other = written(city, ANN_2)
    assert check(other).verdict == PROVISIONAL
    for name in ("claims", "log", "submissions"):
        assert failed({**honest, name: other[name]}).startswith(
            "book-claims" if name == "claims" else "book-"
        )


def reproved(city: City, book: Book) -> Book:
    """A book with the checkpoint, the register and the log of today."""
    with city.store.snapshot() as snapshot:
        proving = Proving(city.store, snapshot)
        indices = [one["index"] for one in book["submissions"]]
        log = dump_base64(b"".join(proving.tree.cover(indices, proving.head.size)))
        return {**book, **proving.anchor(proving.head.size - 1), "log": log}


def test_what_was_voided_since_is_in_no_book_of_today(tmp_path: Path) -> None:
    city = City.found(tmp_path / "city")
    answer = city.submit([city.ride("ann", NOON), city.ride("ann", NOON + 3_600)])
    book = written(city, ANN)
    assert check(book).facts["count"] == 2
    city.post(city.void(answer, [0], "metro-app"))
    assert check(written(city, ANN)).facts["count"] == 1
    # The old one is provisional still; under today's checkpoint nothing holds its claims.
    assert check(book).verdict == PROVISIONAL
    assert failed(reproved(city, book)).startswith("book-")
    today = reproved(city, book)
    today |= {name: written(city, ANN)[name] for name in ("scenarios", "methodologies", "signers")}
    assert failed(today) == "book-claims: held-root-differs"
    today["claims"] = written(city, ANN)["claims"]
    assert failed(today) == "book-claims: multiproof-leaves"


def test_a_reduction_that_was_refused_is_shown_by_no_book(city: City) -> None:
    """Ann's first ride by the second platform met the one by the first."""
    book = written(city, ANN, platform="pay-app")
    [submission] = book["submissions"]
    with city.store.snapshot() as snapshot:
        root = bytes.fromhex(snapshot.statement(submission["index"]).body["root"])
    leaves = merkle.leaf_hashes(city.store.reduction_bytes(root))
    lines = city.store.activities(root)
    submission["reductions"] = [[at, lines[at].decode(), []] for at in (0, 1)]
    submission["cover"] = dump_base64(b"".join(merkle.cover(leaves, [0, 1])))
    assert failed(book) == "book-claims: multiproof-leaves"
    submission["reductions"] = submission["reductions"][:1]
    submission["cover"] = dump_base64(b"".join(merkle.cover(leaves, [0])))
    assert failed(book) == "book-claims: multiproof-order"


def test_one_reduction_in_two_submissions_is_counted_once(tmp_path: Path) -> None:
    city = City.found(tmp_path / "city")
    lines = [city.ride("ann", NOON), city.ride("ben", NOON)]
    first = city.submit(lines)
    city.post(city.void(first, [0], "metro-app"))
    city.now += 60
    city.submit(lines[:1])
    book = written(city, ANN)
    assert check(book).facts["count"] == 1
    with city.store.snapshot() as snapshot:
        proving = Proving(city.store, snapshot)
        [row] = find_rows(snapshot, Asked("metro-app", [ANN]))
        old = Place(first.index, 0, None)
        twice = proving.excerpt([old, row.place], lambda *_: [lines[0].decode()])
    assert failed({**book, **twice}) == "book-claims: multiproof-leaves"


# --- mutations ---


def test_no_mutated_book_says_anything_untrue(city: City, honest: Book) -> None:
    """Whatever is changed: the file is refused, or what it says is true."""
    random = Random(7)
    pool = [
        honest,
        written(city, ANN_2),
        written(city, BEN),
        written(city, platform="pay-app"),
        written(city, first=TODAY, until=TODAY + 1),
    ]
    true = {}
    for book in pool:
        for row, one in zip(
            check(book).facts["reductions"],
            (row for of in book["submissions"] for row in of["reductions"]),
            strict=True,
        ):
            true[row["leaf"]] = (row, json.loads(one[1])["subject"], book["platform"])
    ended: Counter[str] = Counter()
    for _ in range(600):
        report = check_file(mutate(random, pool), POLICY)
        ended[report.verdict] += 1
        if report.verdict == INVALID:
            continue
        facts = report.facts
        rows = facts["reductions"]
        assert len({row["leaf"] for row in rows}) == len(rows) == facts["count"] > 0
        assert facts["grams"] == sum(row["grams"] for row in rows)
        assert facts["points"] == sum(row["points"] for row in rows)
        for row in rows:
            expected, subject, platform = true[row["leaf"]]
            assert row == expected
            assert subject in facts["subjects"] and platform == facts["platform"]
    assert ended[INVALID] > 300 and ended[PROVISIONAL] > 10


def test_every_altered_byte_is_refused_or_changes_nothing_that_is_said(honest: Book) -> None:
    data, random = dump_json(honest), Random(3)
    facts = check_file(data, POLICY).facts
    for _ in range(300):
        changed = bytearray(data)
        changed[random.randrange(len(data))] ^= 1 << random.randrange(8)
        report = check_file(bytes(changed), POLICY)
        if report.verdict != INVALID:
            same = ("platform", "count", "grams", "points", "behaviours", "months", "reductions")
            assert {name: report.facts[name] for name in same} == {
                name: facts[name] for name in same
            }
