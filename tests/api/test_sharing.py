"""`tally payout`, `sample` and `erase`: what is made of the activities once days are certified."""

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.books import DAY, UNIT
from support.certified import PLATFORM, SCENARIO, CertifiedCity
from support.city import NOON, TODAY, key, pseudonym
from support.commands import Run, set_up

from api.payouts import share
from chain.certifications import Certification
from keys.errors import Malformed, VerificationError
from keys.signer import save
from keys.statements import Statement
from keys.strict import dump_date
from verifier import cli as verifier
from verifier.samples import read_sample

pytestmark = pytest.mark.usefixtures("database")

PEOPLE = ("ann", "ben", "cat", "dan", "eve")
FIRST = TODAY - 2
NONCE = "ab" * 16


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    set_up(monkeypatch, tmp_path, str(NOON))
    Path("city-keys").mkdir()
    save(key("operator"), "city-keys/operator.pem", b"a passphrase")
    return Run(capsys)


@pytest.fixture
def city(tmp_path: Path) -> CertifiedCity:
    """Three days of rides; each person rides once more often than the one before, at 80 g."""
    city = CertifiedCity.open(tmp_path / "city")
    for day in range(3):
        rides = [
            city.ride(person, NOON + (day - 2) * DAY + hour * 3600)
            for number, person in enumerate(PEOPLE)
            for hour in range(number + 1)
        ]
        city.submit(rides[::2])
        city.submit(rides[1::2])
    city.shut(FIRST + 3)
    return city


def name(person: str) -> str:
    return pseudonym("traveller", person)


def leaves(city: CertifiedCity, person: str, day: int | None = None) -> list[bytes]:
    """The leaf hashes of a person's rides."""
    found = []
    with city.store.snapshot() as snapshot:
        for logged in snapshot.logged(["submission"]):
            root = bytes.fromhex(logged.statement.body["root"])
            for line, of in zip(
                city.store.activities(root), city.store.reductions(root), strict=True
            ):
                if name(person).encode() in line and day in (None, of.day):
                    found.append(of.leaf)
    return found


def paid(run: Run, of: Statement, amount: str = "100.00") -> dict[str, Any]:
    run("payout", "city", of.id.hex(), "--amount", amount, "--currency", "CNY", "--out", "p.json")
    shares: dict[str, Any] = json.loads(Path("p.json").read_text("utf-8"))
    return shares


# --- payouts ---


def test_each_certified_gram_is_paid_once_with_the_issuance_that_uses_it(
    run: Run, city: CertifiedCity
) -> None:
    issuances = []
    for day in (FIRST + 1, FIRST, FIRST + 2):  # not in the order of the days
        issuances.append(city.issue(city.certify(day, day + 1)))
    total: Counter[str] = Counter()
    for statement in issuances:
        shares = paid(run, statement)
        assert shares["units"] == 1 and shares["grams"] == UNIT
        grams = {row["subject"]: row["grams"] for row in shares["shares"]}
        assert sum(grams.values()) == UNIT
        assert {
            row["subject"]: round(float(row["amount"]) * 100) for row in shares["shares"]
        } == share(10_000, grams)
        total.update(grams)
    every = {name(person): 240 * number for number, person in enumerate(PEOPLE, 1)}
    assert city.carry is not None
    assert sum((Counter(every) - total).values()) == city.carry.grams == 600
    assert all(total[subject] <= grams for subject, grams in every.items())


def test_what_is_carried_and_corrected_is_shared_by_the_issuance_that_uses_it(
    run: Run, city: CertifiedCity
) -> None:
    first = city.issue(city.certify(FIRST, FIRST + 1, leaves(city, "eve", FIRST)))
    command = ("payout", "city", first.id.hex(), "--amount", "1", "--currency", "CNY")
    answer = run.json(*command, "--out", "p.csv", expected=2)
    assert answer["error"]["code"] == "payout-nothing"
    city.correct(first, 500)  # 300 g of the first day wait
    second = city.issue(city.certify(FIRST + 1, FIRST + 2))
    shares = paid(run, second)
    assert (shares["units"], shares["grams"], city.carry and city.carry.grams) == (1, UNIT, 500)
    city.correct(second, 700)  # 200 g are owed
    third = city.issue(city.certify(FIRST + 2, FIRST + 3))
    assert city.carry is not None and city.carry.grams == 1200 - 200 - UNIT
    assert paid(run, third)["grams"] == UNIT
    assert paid(run, second) == shares


def test_the_share_of_the_erased_goes_to_the_reserve(run: Run, city: CertifiedCity) -> None:
    of = city.certify(FIRST, FIRST + 3)
    issuance = city.issue(of)
    before = {row["subject"]: row["grams"] for row in paid(run, issuance)["shares"]}
    assert sum(before.values()) == 3 * UNIT and "reserve" not in before
    run("erase", "city", "--subject", name("eve"), "--reason", "asked for")
    shares = paid(run, issuance)
    after = {row["subject"]: row["grams"] for row in shares["shares"]}
    assert after.pop("reserve") == before.pop(name("eve")) == shares["reserve"]["grams"]
    assert after == before
    text = Path("p.json").read_text("utf-8")
    assert name("eve") not in text


def test_shares_are_written_as_csv_for_the_platform_alone(run: Run, city: CertifiedCity) -> None:
    issuance = city.issue(city.certify(FIRST, FIRST + 3))
    index = str(city.answer(issuance).index)
    command = ("payout", "city", index, "--amount", "12345.67", "--currency", "CNY")
    about = run.json(*command, "--out", "shares.csv")
    assert Path("shares.csv").stat().st_mode & 0o777 == 0o600
    with Path("shares.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert sum(round(float(row["amount"]) * 100) for row in rows) == 1_234_567
    assert sum(int(row["grams"]) for row in rows) == about["grams"] == 3 * UNIT
    assert [row["subject"] for row in rows] == sorted(map(name, PEOPLE))
    assert about["amount"] == "12345.67" and about["subjects"] == 5
    assert not any(name(person) in run.out for person in PEOPLE)
    assert "入准备金" in run(*command, "--out", "shares.csv", "--lang", "zh")
    run(*command, "--out", "shares.txt", expected=2)
    run("payout", "city", "1", "--amount", "1", "--currency", "CNY", "--out", "a.csv", expected=2)
    bad = ("payout", "city", index, "--out", "a.csv", "--amount")
    run(*bad, "1.001", "--currency", "CNY", expected=2)
    run(*bad, "1", "--currency", "yuan", expected=2)
    assert not Path("a.csv").exists()


def test_nothing_is_paid_by_activities_that_are_not_those_submitted(
    run: Run, city: CertifiedCity
) -> None:
    issuance = city.issue(city.certify(FIRST, FIRST + 3))
    for path in (city.folder / "activities").rglob("*.ndjson"):
        path.write_bytes(path.read_bytes().replace(name("ann").encode(), name("eve").encode()))
    command = ("payout", "city", issuance.id.hex(), "--amount", "1", "--currency", "CNY")
    answer = run.json(*command, "--out", "a.csv", expected=4)
    assert answer["error"]["code"] == "activities-differ"


# --- samples ---


def period(first: int = FIRST, last: int = FIRST + 2) -> list[str]:
    return [PLATFORM, SCENARIO, dump_date(first), dump_date(last)]


def drawn(run: Run, *more: str, count: int = 10, nonce: str = NONCE) -> Any:
    command = ["sample", "city", *period(), "--for", "verifier", "--nonce", nonce]
    return run.json(*command, "--count", count, "--out", "sample.json", *more)


def test_a_sample_shows_what_was_drawn_and_where_it_stands(run: Run, city: CertifiedCity) -> None:
    about = drawn(run)
    data = Path("sample.json").read_bytes()
    found = read_sample(data)
    assert sum(one.times for one in found) == about["draws"] == 10
    assert len(found) == about["reductions"] and about["erased"] == 0
    assert about["lots"] == 3 and about["grams"] == 3600
    for one in found:
        assert one.activity is not None
        assert one.activity.digest == one.reduction.digest
        assert one.activity.fields["evidence"]["digest"] == "0" * 64
    for part in json.loads(data)["lots"]:
        for one in part["reductions"]:
            with city.store.snapshot() as snapshot:
                root = bytes.fromhex(snapshot.statement(one["index"]).body["root"])
            assert city.store.activities(root)[one["position"]].decode() == one["activity"]
    assert Path("sample.json").stat().st_mode & 0o777 == 0o600
    assert drawn(run) == about and Path("sample.json").read_bytes() == data
    drawn(run, nonce="cd" * 16)
    assert Path("sample.json").read_bytes() != data


def test_a_verifier_reads_a_sample_with_nothing_but_the_file(
    run: Run, city: CertifiedCity, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn(run)
    assert verifier.main(["sample", "sample.json", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert sum(row["times"] for row in rows) == 10
    assert {row["evidence"] for row in rows} == {"0" * 64}
    assert verifier.main(["sample", "sample.json", "--lang", "zh"]) == 0
    assert "抽取 10 次" in capsys.readouterr().out
    text = Path("sample.json").read_text("utf-8")
    Path("other.json").write_text(text.replace(NONCE, "cd" * 16), "utf-8")
    assert verifier.main(["sample", "other.json"]) == 1
    Path("other.json").write_text(text[:-9], "utf-8")
    assert verifier.main(["sample", "other.json", "--json"]) == 3
    assert verifier.main(["sample", "nowhere.json"]) == 3


def test_heavy_reductions_are_drawn_by_their_grams_and_erased_ones_as_well(
    run: Run, city: CertifiedCity
) -> None:
    run("sample", "city", *period(), "--for", "verifier", "--nonce", NONCE, "--count", 900,
        "--out", "sample.json")  # fmt: skip
    found = read_sample(Path("sample.json").read_bytes())
    assert len(found) == 45
    of = city.certify(FIRST, FIRST + 3)
    city.done(city.erasure(of, leaves(city, "ann")))
    assert drawn(run, count=900)["erased"] == 3
    assert sum(one.activity is None for one in read_sample(Path("sample.json").read_bytes())) == 3


def test_a_sample_that_was_changed_does_not_read(run: Run, city: CertifiedCity) -> None:
    drawn(run)
    good = json.loads(Path("sample.json").read_text("utf-8"))
    place = next(n for n, part in enumerate(good["lots"]) if len(part["reductions"]) > 1)

    def code(change: Any) -> str:
        made = json.loads(json.dumps(good))
        change(made, made["lots"][place])
        with pytest.raises((Malformed, VerificationError)) as caught:
            read_sample(json.dumps(made).encode())
        return caught.value.code

    assert code(lambda made, part: made.update(nonce="cd" * 16)).startswith("sample-")
    assert code(lambda made, part: made.update(draws=11)) in ("sample-missing",)
    assert code(lambda made, part: made.update(draws=0)) == "sample-draws"
    assert code(lambda made, part: made.update(nonce="ab")) == "nonce-length"
    assert code(lambda made, part: made.update(format="tally-sample/2")) == "format-unknown"
    assert code(lambda made, part: made["lots"].reverse()) == "sample-lots"
    assert code(lambda made, part: made["lots"].clear()) == "sample-lots"
    assert code(lambda made, part: part["reductions"].pop()) == "multiproof-leaves"
    assert code(lambda made, part: part["reductions"].reverse()) == "multiproof-order"
    assert code(lambda made, part: part.update(proof=None)) == "sample-missing"
    assert code(lambda made, part: part["lot"].update(grams=1)) == "lot-root-differs"
    other = good["lots"][place]["reductions"][1]["activity"]
    assert code(lambda made, part: part["reductions"][0].update(activity=other)) == (
        "activity-differs"
    )


def test_a_reduction_that_was_not_drawn_is_not_shown(run: Run, city: CertifiedCity) -> None:
    drawn(run, count=900)
    wide = json.loads(Path("sample.json").read_text("utf-8"))
    wide["draws"] = 10
    with pytest.raises(VerificationError) as caught:
        read_sample(json.dumps(wide).encode())
    assert caught.value.code == "sample-not-drawn"


def test_a_sample_is_for_a_verifier_and_of_closed_days(run: Run, city: CertifiedCity) -> None:
    def code(days: list[str], verifier: str, nonce: str, expected: int) -> str:
        command = ["sample", "city", *days, "--for", verifier, "--nonce", nonce, "--count", "1"]
        answer = run.json(*command, "--out", "sample.json", expected=expected)
        assert not Path("sample.json").exists()
        return str(answer["error"]["code"])

    assert code(period(), "governor", NONCE, 1) == "verifier-needed"
    assert code(period(), "nobody", NONCE, 1) == "verifier-needed"
    assert code(period(), "verifier", "abc", 1) == "nonce-length"
    assert code(period(FIRST + 5, FIRST + 9), "verifier", NONCE, 2) == "lot-unknown"


# --- erasing ---


def test_a_person_is_erased_by_pseudonym_as_far_as_days_are_certified(
    run: Run, city: CertifiedCity
) -> None:
    city.certify(FIRST, FIRST + 2)
    command = ("erase", "city", "--subject", name("eve"), "--reason", "asked for")
    answer = run.json(*command)
    assert (answer["erased"], answer["left"], len(answer["indexes"])) == (10, 5, 1)
    assert len(leaves(city, "eve")) == 5
    assert len(leaves(city, "dan")) == 12
    assert "5 笔" in run(*command, "--lang", "zh")
    city.certify(FIRST + 2, FIRST + 3)
    again = run.json(*command)
    assert (again["erased"], again["left"], len(again["indexes"])) == (5, 0, 1)
    assert run.json(*command) == {"erased": 0, "left": 0, "indexes": []}
    assert not any(
        name("eve").encode() in path.read_bytes()
        for path in city.folder.rglob("*")
        if path.is_file()
    )


def test_reductions_are_erased_by_their_hashes(run: Run, city: CertifiedCity) -> None:
    ann = leaves(city, "ann")
    of = certified_day(city)
    names = [leaf.hex() for leaf in ann]
    answer = run.json("erase", "city", *names, "--reason", "asked for", expected=2)
    assert answer["error"]["code"] == "erase-too-early"
    assert run.json("erase", "city", names[0], "--reason", "asked for")["erased"] == 1
    assert leaves(city, "ann") == ann[1:]
    run("prove", "reduction", "city", names[0], "--out", "bundle.json")
    answer = run.json("prove", "reduction", "city", names[0], "--disclose", expected=2)
    assert answer["error"]["code"] == "activity-erased"
    assert of.grams == 1200
    for wrong in (
        ["--reason", "x"],
        names,
        ["--subject", name("ann")],
        [*names, "--subject", "ab"],
    ):
        assert run.json("erase", "city", *wrong, expected=2)["error"]["code"] == "erased-what"


def test_what_was_put_back_is_erased_again(run: Run, city: CertifiedCity) -> None:
    certified_day(city)
    files = {path: path.read_bytes() for path in (city.folder / "activities").rglob("*.ndjson")}
    run("erase", "city", leaves(city, "ann")[0].hex(), "--reason", "asked for")
    for path, data in files.items():
        path.write_bytes(data)
    assert run.json("erase", "city")["erased"] == 1
    assert "0" in run("erase", "city")
    assert len(leaves(city, "ann")) == 2


def certified_day(city: CertifiedCity) -> Certification:
    return city.certify(FIRST, FIRST + 1)
