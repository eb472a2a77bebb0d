"""Certificates: what they show, and every forgery that must fail."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.bundles import AUDITORS, PLAIN, cosignature, key
from support.certificates import (
    AUDITED,
    DAYS,
    DRAWS,
    RIDES,
    IssuedCity,
    Json,
    build,
    check,
    copy,
    dump,
    failure,
    honest,
    issued_city,
    second,
)
from support.city import NOON, TODAY

from api.certificates import Writing, write_certificate
from api.proving import Proving
from chain.holdings import Units, moved, new_holding
from chain.lots import Lot, LotEntry, LotTree
from chain.reductions import Reduction
from chain.spans import Span
from chain.store.ledger import LedgerStore
from chain.store.snapshot import Place
from keys.errors import Fault, Usage, VerificationError
from keys.notes import Note, format_note, parse_note, sign_note
from keys.strict import dump_base64, parse_base64
from verifier.reports import INVALID, UNWITNESSED, VALID
from verifier.sampling import found_share, percent

THREE = AUDITORS[:3]


# --- what it shows ---


def test_an_honest_certificate_holds_and_says_what_an_exchange_needs() -> None:
    report = check(honest(*THREE), AUDITED)
    assert report.verdict == second(honest(*THREE), AUDITED) == VALID
    facts, city = report.facts, issued_city()
    units = city.units
    assert (facts["series"], facts["first"], facts["last"]) == (units.series, 1, units.end - 1)
    assert (facts["units"], facts["unit_grams"]) == (units.end - 1, 1000)
    assert [(m["id"], m["version"]) for m in facts["methodologies"]] == [("bus-ride-by-code", 1)]
    assert (facts["platform"], facts["scenario"]) == ("metro-app", "city-bus")
    assert (facts["from"], facts["until"]) == ("2026-02-28", "2026-03-03")
    assert (facts["count"], facts["grams"]) == (3 * RIDES, 3 * RIDES * 80)
    assert [lot[1:] for lot in facts["lots"]] == [
        [lot.count, lot.grams, lot.root.hex()] for lot in city.lots(min(DAYS), TODAY + 1)
    ]
    assert facts["certification"]["verifier"] == "verifier"
    assert facts["certification"]["declarations"] == []
    assert facts["notice"]["reference"] == "a notice"
    assert (facts["owner"], facts["account"], facts["status"]) == ("holder-1", "", "held")
    assert facts["delegation"] is None
    assert facts["sample"]["cosigned_by"] == [f"{name}.example" for name in THREE]


def test_the_verdict_says_what_share_the_sample_finds() -> None:
    report = check(honest(*THREE), AUDITED)
    share = percent(found_share(DRAWS))
    for lang in ("en", "zh"):
        assert f"{share}" in report.text(lang) and str(2**40) in report.text(lang)
    assert "nothing against the operator" not in report.text("en")
    assert "seed" in [step.code for step in report.checks]


@pytest.mark.parametrize("policy", [PLAIN, AUDITED])
def test_without_cosignatures_and_nonce_it_proves_nothing_against_the_operator(
    policy: Any,
) -> None:
    certificate = honest(*AUDITORS[: 3 if policy is PLAIN else 2])
    report = check(certificate, policy)
    assert "unseeded" in [step.code for step in report.checks]
    assert report.verdict == (VALID if policy is PLAIN else UNWITNESSED)
    assert second(certificate, policy) == report.verdict
    if policy is PLAIN:
        assert "proves nothing against the operator" in report.text("en")
        assert "不构成任何证明" in report.text("zh")


def test_a_lock_and_the_nonce_that_the_exchange_gave(tmp_path: Path) -> None:
    city = copy(tmp_path / "ledger")
    city.offer(b"x" * 16)
    certificate = city.certificate()
    report = check(certificate, nonce=b"x" * 16)
    assert (report.verdict, report.facts["status"]) == (VALID, "locked")
    assert report.facts["exchange"] == "exchange-1"
    assert "seed" in [step.code for step in report.checks]
    # Whoever has given none cannot know who chose it.
    assert "unseeded" in [step.code for step in check(certificate).checks]
    assert failure(certificate, nonce=b"y" * 16) == "seed: nonce-differs"
    assert failure(honest(), nonce=b"x" * 16) == "seed: nonce-differs"


def test_units_are_shown_as_they_stand_at_the_checkpoint(tmp_path: Path) -> None:
    city = copy(tmp_path / "ledger")
    first = new_holding(city.issuance)
    given = city.move("transfer", "holder-1", 2, 3, first, to="holder-2", account="a-7")
    for number, owner, account in ((1, "holder-1", ""), (2, "holder-2", "a-7")):
        units = city.units._replace(first=number, end=number + 1)
        facts = check(city.certificate(units=units)).facts
        assert (facts["owner"], facts["account"], facts["status"]) == (owner, account, "held")
    with pytest.raises(Usage) as refused:
        city.certificate()
    assert refused.value.code == "units-two-holdings"
    city.move("retirement", "holder-2", 2, 3, moved(given), beneficiary="a fair", purpose="travel")
    report = check(city.certificate(units=city.units._replace(first=2)))
    assert (report.verdict, report.facts["status"]) == (VALID, "retired")


def test_exclusions_are_shown_and_do_not_count(tmp_path: Path) -> None:
    city = build(tmp_path / "ledger", excluded=10)
    report = check(city.certificate())
    assert report.verdict == second(city.certificate()) == VALID
    assert report.facts["certification"]["exclusions"] == 10
    assert (report.facts["count"], report.facts["grams"]) == (3 * RIDES - 10, (3 * RIDES - 10) * 80)
    sample = report.facts["sample"]
    assert sample["counted"] < sample["draws"]
    assert sample["share"] == percent(found_share(sample["counted"]))
    forged = city.certificate()
    shown = next(lot for lot in forged["sample"]["lots"] if lot and lot["excluded"])
    shown["excluded"][0][1] += 1
    assert failure(forged) == "lots: certification-sum"
    shown["excluded"].pop(0)
    assert failure(forged) == "lots: certificate-lots"


def test_a_delegation_is_named_by_its_digest() -> None:
    certificate = issued_city().certificate(delegation=b"d" * 32)
    assert check(certificate).facts["delegation"] == (b"d" * 32).hex()


def test_cosignatures_change_the_sample() -> None:
    seeds = {
        check(honest(*names)).facts["sample"]["seed"]
        for names in ((), THREE, AUDITORS, AUDITORS[1:])
    }
    assert len(seeds) == 4


def test_what_cannot_be_certified_is_said(tmp_path: Path) -> None:
    city = copy(tmp_path / "ledger")
    for units, code in (
        (city.units._replace(first=9, end=10), "units-unknown"),
        (city.units._replace(end=9), "units-two-holdings"),
    ):
        with pytest.raises(Usage) as refused:
            city.certificate(units=units)
        assert refused.value.code == code
    other = Note("elsewhere\n1\n" + dump_base64(bytes(32)) + "\n", city.note(city.size).signatures)
    with pytest.raises(Usage) as refused:
        write_certificate(city.store, city.units, notes=[other])
    assert refused.value.code == "checkpoint-not-needed"
    units = {"registry": "elsewhere", "series": "s-1", "first": 1, "end": 9}
    body = {"format": 1, "units": units, "owner": "holder-1", "account": "", "reference": "there"}
    city.done(city.sign("deposit", "authority-2", body))
    with pytest.raises(Usage) as refused:
        city.certificate(units=Units(**units))
    assert refused.value.code == "units-not-of-issuance"


# --- a later checkpoint ---


def test_a_fresher_checkpoint_in_hand_makes_an_older_certificate_fail(tmp_path: Path) -> None:
    city = copy(tmp_path / "ledger")
    city.offer()
    newer = city.note(city.size)
    assert failure(honest(), newer=newer) == "newer: checkpoint-stale"
    assert check(city.certificate(), newer=newer).verdict == VALID
    assert check(city.certificate(), newer=issued_city().note(city.own_size)).verdict == VALID


def test_a_checkpoint_in_hand_of_another_history_makes_it_fail() -> None:
    note = issued_city().note(issued_city().size)
    origin, size, _ = note.text.splitlines()
    text = f"{origin}\n{size}\n{dump_base64(bytes(32))}\n"
    forked = Note(text, (sign_note(text, origin, key("operator")),))
    assert failure(honest(), newer=forked) == "newer: checkpoint-forked"
    unsigned = Note(text, note.signatures)
    assert failure(honest(), newer=unsigned) == "newer: note-signature-invalid"


def test_a_withdrawn_certification_fails(tmp_path: Path) -> None:
    city = copy(tmp_path / "ledger")
    body = {"format": 1, "certification": city.certification.as_json(), "reason": "an error"}
    city.done(city.sign("withdrawal", "verifier", body))
    with pytest.raises(Usage) as refused:
        city.certificate()
    assert refused.value.code == "certificate-withdrawn"
    assert failure(honest(), newer=city.note(city.size)) == "newer: checkpoint-stale"
    # Written all the same, it shows what stands there now, or what stood there.
    forged = written_by(Careless, city)
    assert failure(forged) == "certification: certification-withdrawn"
    forged["certified"]["holder"] = city.certification.holder.hex()
    assert failure(forged) == "certification: held-root-differs"


class Careless(Writing):
    """A writer that does not mind whether the certification stands."""

    def _check_stands(self, span: Span) -> None:
        pass


def written_by(writer: type[Writing], city: IssuedCity) -> Json:
    """A certificate by a writer that does not do what it should."""
    with city.store.snapshot() as snapshot:
        made = writer(city.store, snapshot, city.units).write(DRAWS, (), None)
    return json.loads(json.dumps(made.document))


# --- one thing altered ---


def first_reduction(certificate: Json) -> list[Any]:
    """[position, data, seats] of the first reduction that is shown."""
    row: list[Any] = certificate["sample"]["submissions"][0]["reductions"][0]
    return row


def remake(row: list[Any], **changes: Any) -> None:
    """Change a reduction that is shown."""
    old = Reduction.parse(parse_base64(row[1]))
    fields = ("platform", "scenario", "version", "day", "grams", "claims", "digest")
    made = Reduction.make(**{**{name: getattr(old, name) for name in fields}, **changes})
    row[1] = dump_base64(made.data)


def restate(certificate: Json, statement: str, old: bytes, new: bytes) -> None:
    """Change bytes of a statement that is shown."""
    data = parse_base64(certificate[statement]["data"])
    assert len(old) == len(new) and old in data
    certificate[statement]["data"] = dump_base64(data.replace(old, new))


def swap(certificate: Json) -> None:
    """Show another reduction of the same submission in the place of one."""
    row = first_reduction(certificate)
    city = issued_city()
    index = certificate["sample"]["submissions"][0]["index"]
    with city.store.snapshot() as snapshot:
        root = bytes.fromhex(snapshot.statement(index).body["root"])
    shown = {item[0] for item in certificate["sample"]["submissions"][0]["reductions"]}
    others = [n for n in range(RIDES // 2) if n not in shown]
    row[1] = dump_base64(city.store.reduction_bytes(root)[others[0]])


def twice(certificate: Json) -> None:
    rows = certificate["sample"]["submissions"][0]["reductions"]
    rows.append(list(rows[0]))


def twice_submitted(certificate: Json) -> None:
    submissions = certificate["sample"]["submissions"]
    submissions.append(dict(submissions[0]))


def left_out(certificate: Json) -> None:
    """Take a reduction off: its claims, its place, all but its lot's proof."""
    certificate["sample"]["submissions"][0]["reductions"].pop()


def other_draws(certificate: Json) -> None:
    certificate["sample"]["draws"] += 1000


def fewer_draws(certificate: Json) -> None:
    certificate["sample"]["draws"] = 3


def lot_left_out(certificate: Json) -> None:
    certificate["sample"]["lots"].pop()


def lot_not_shown(certificate: Json) -> None:
    certificate["sample"]["lots"][0] = None


def lot_of_another(certificate: Json) -> None:
    lots = certificate["sample"]["lots"]
    lots[0], lots[1] = lots[1], lots[0]


def other_series(certificate: Json) -> None:
    certificate["units"]["series"] = "city-bike_metro-app_2026"


def one_unit_more(certificate: Json) -> None:
    certificate["units"]["end"] += 1


def other_owner(certificate: Json) -> None:
    certificate["holding"]["owner"] = "holder-2"


def other_status(certificate: Json) -> None:
    certificate["holding"]["status"] = "locked"


def other_origin(certificate: Json) -> None:
    certificate["holding"]["origin"] = "00" * 32


def longer_holding(certificate: Json) -> None:
    certificate["held"]["end"] += 1


def no_books(certificate: Json) -> None:
    certificate["books"]["end"] = TODAY


def no_policy(certificate: Json) -> None:
    certificate["policies"]["governed"].clear()


def last_cosignature_off(certificate: Json) -> None:
    note = parse_note(certificate["block"]["checkpoint"].encode())
    certificate["block"]["checkpoint"] = format_note(Note(note.text, note.signatures[:-1])).decode()


def other_cosignature(certificate: Json) -> None:
    """An auditor that signs again, at another time: another seed."""
    note = parse_note(certificate["block"]["checkpoint"].encode())
    lines = (*note.signatures[:-1], cosignature(note.text, THREE[-1], NOON - 1))
    certificate["block"]["checkpoint"] = format_note(Note(note.text, lines)).decode()


def other_block(certificate: Json) -> None:
    """A seed from an earlier block."""
    city = issued_city()
    with city.store.snapshot() as snapshot:
        height = snapshot.height_of(certificate["issuance"]["index"]) - 1
        size = snapshot.block(height).size
        before = snapshot.block(height - 1).size
        tree = city.store.tree(city.size)
        certificate["block"]["checkpoint"] = snapshot.block(height).checkpoint.decode()
        for name, index in (("seal", size - 1), ("previous", before - 1)):
            certificate["block"][name] = {
                "index": index,
                "data": dump_base64(snapshot.statement(index).data),
                "path": [h.hex() for h in tree.inclusion(index, city.size)],
            }
        path = tree.consistency(size, city.size)
        certificate["block"]["consistency"] = [digest.hex() for digest in path]


def verifiers_key(certificate: Json) -> None:
    certificate["verifier"]["key"] = key("metro-app").public.as_json()


def verifiers_role(certificate: Json) -> None:
    certificate["verifier"]["role_held"] = certificate["authority"]["role_held"]


def authoritys_key(certificate: Json) -> None:
    certificate["authority"] = certificate["verifier"]


def platforms_key(certificate: Json) -> None:
    certificate["sample"]["platform"] = []


def no_scenario(certificate: Json) -> None:
    certificate["scenarios"] = []


def no_methodology(certificate: Json) -> None:
    certificate["methodologies"] = []


def a_seat(certificate: Json) -> None:
    first_reduction(certificate)[2].append(0)


Forge = Callable[[Json], None]
ALTERED: list[tuple[Forge, str]] = [
    (lambda c: remake(first_reduction(c), grams=81), "sample: inclusion-invalid"),
    (lambda c: remake(first_reduction(c), grams=79), "sample: inclusion-invalid"),
    (lambda c: remake(first_reduction(c), day=TODAY), "sample: inclusion-invalid"),
    (swap, "sample: inclusion-invalid"),
    (twice, "sample: sample-twice"),
    (twice_submitted, "sample: sample-twice"),
    (left_out, "sample: inclusion-invalid"),
    (other_draws, "sample: sample-missing"),
    (fewer_draws, "sample: sample-not-drawn"),
    (lot_left_out, "sample: certificate-lots"),
    (lot_not_shown, "sample: certificate-lots"),
    (lot_of_another, "sample: "),
    (other_series, "units: units-not-issued"),
    (one_unit_more, "units: units-not-issued"),
    (other_owner, "units: held-other-holder"),
    (other_status, "units: held-other-holder"),
    (other_origin, "units: units-other-origin"),
    (longer_holding, "units: held-root-differs"),
    (no_books, "books: held-root-differs"),
    (no_policy, "governed: policies-gap"),
    (last_cosignature_off, "sample: "),
    (other_cosignature, "sample: "),
    (other_block, "block: block-not-own"),
    (verifiers_key, "certification: statement-signature"),
    (verifiers_role, "certification: held-other-line"),
    (authoritys_key, "issuance: statement-signature"),
    (platforms_key, "sample: not-in-force"),
    (no_scenario, "definitions: authority-not-named"),
    (no_methodology, "sample: not-in-force"),
    (a_seat, "sample: claims-incomplete"),
]


@pytest.mark.parametrize(("forge", "expected"), ALTERED)
def test_what_is_altered_fails(forge: Forge, expected: str) -> None:
    certificate = honest(*THREE)
    forge(certificate)
    assert failure(certificate, AUDITED).startswith(expected)


@pytest.mark.parametrize(
    ("statement", "old", "new"),
    [
        ("certification", b'"grams":2880', b'"grams":2881'),
        ("certification", b",960,", b",961,"),
        ("certification", b",12,960,", b",13,960,"),
        ("issuance", b'"carried_out":880', b'"carried_out":881'),
        ("issuance", b'"units":2', b'"units":3'),
    ],
)
def test_one_gram_altered_in_a_statement_fails(statement: str, old: bytes, new: bytes) -> None:
    certificate = honest(*THREE)
    restate(certificate, statement, old, new)
    assert failure(certificate, AUDITED) == f"{statement}: inclusion-invalid"


def test_every_altered_character_fails_or_changes_nothing_that_is_said() -> None:
    """Wherever a character is changed: never another verdict with other facts that hold."""
    data = dump(honest(*THREE))
    right = check(data, AUDITED)
    for at in range(7, len(data), 211):
        changed = bytearray(data)
        changed[at] ^= 1
        report = check(bytes(changed), AUDITED)
        assert second(bytes(changed), AUDITED) == report.verdict
        if report.verdict != INVALID:
            assert report.facts == right.facts, data[at - 40 : at + 40]


# --- an operator who forges ---


HUGE = b"\x77" * 32, 50_000


class Padded(LedgerStore):
    """A store whose lot of the last day holds one more reduction, huge and never submitted."""

    def gather(self, first: int, until: int) -> dict[Lot, LotTree]:
        made = {}
        for lot, tree in super().gather(first, until).items():
            if (lot.scenario, lot.day) == ("city-bus", TODAY):
                padded = LotTree([*tree.entries(), HUGE])
                made[Lot(*lot[:3], padded.count, padded.grams, padded.root)] = padded
            else:
                made[lot] = tree
        return made


def padded(folder: Path) -> IssuedCity:
    return IssuedCity(folder, store=Padded(folder)).begun()


class Evading(Writing):
    """A writer that shows a small reduction wherever a draw falls on the huge one."""

    def _sample(self, *given: Any) -> Any:
        at = LotTree.at

        def other(tree: LotTree, offset: int) -> LotEntry:
            found = at(tree, offset)
            return at(tree, 0) if found == HUGE else found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LotTree, "at", other)
            return super()._sample(*given)


class Claiming(Writing):
    """A writer that passes a small reduction's place in the log off as the huge one's."""

    def _places(self, leaves: Any, lots: Any) -> list[Place]:
        return super()._places([leaf for leaf in leaves if leaf != HUGE[0]], lots)


def test_one_huge_reduction_hidden_among_small_ones_is_drawn(tmp_path: Path) -> None:
    city = build(tmp_path / "ledger", make=padded)
    with pytest.raises(Fault) as refused:
        city.certificate()
    assert refused.value.code == "lot-not-recorded"
    assert failure(written_by(Evading, city)) == "sample: sample-missing"
    forged = written_by(Claiming, city)
    assert failure(forged) in ("sample: multiproof-leaves", "sample: certificate-lots")
    # Shown as what it is, it is in no submission.
    row = first_reduction(forged)
    remake(row, grams=HUGE[1])
    assert failure(forged) == "sample: inclusion-invalid"
    # As an exclusion it is none of the certification's.
    lots = [lot for lot in forged["sample"]["lots"] if lot]
    lots[-1]["excluded"].append([HUGE[0].hex(), HUGE[1]])
    assert failure(forged) == "lots: certificate-lots"


class Doubled(LedgerStore):
    """A store whose lots hold what was refused as well: a ride that another one had claimed."""

    def gather(self, first: int, until: int) -> dict[Lot, LotTree]:
        made = {}
        for lot, tree in super().gather(first, until).items():
            if (lot.scenario, lot.day) == ("city-bus", TODAY):
                doubled = LotTree([*tree.entries(), *self.refused()])
                made[Lot(*lot[:3], doubled.count, doubled.grams, doubled.root)] = doubled
            else:
                made[lot] = tree
        return made

    def refused(self) -> list[LotEntry]:
        with self.snapshot() as snapshot:
            found = []
            for logged in snapshot.logged(["submission"]):
                reductions = self.reductions(bytes.fromhex(logged.statement.body["root"]))
                places = snapshot.refusals(logged.index)
                found += [(reductions[at].leaf, reductions[at].grams) for at in places]
        return found


def doubled(folder: Path) -> IssuedCity:
    city = IssuedCity(folder, store=Doubled(folder)).begun()
    rides = [city.ride(f"twice-{n}", NOON + n) for n in range(8)]
    again = [city.ride(f"twice-{n}", NOON + n) for n in range(8)]
    city.submit(rides)
    answer = city.submit(again)
    assert len(answer.refusals) == 8
    return city


class Pretending(Writing):
    """A writer that shows refused reductions, which are in the log, with the spans they met."""

    def _places(self, leaves: Any, lots: Any) -> list[Place]:
        places = []
        for logged in self._snapshot.logged(["submission"]):
            root = bytes.fromhex(logged.statement.body["root"])
            for at, one in enumerate(self._store.reductions(root)):
                if one.leaf in leaves:
                    places.append(Place(logged.index, at, None))
        return places

    def _sample(self, *given: Any) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Proving, "spans", met)
            return super()._sample(*given)


def met(proving: Proving, reductions: Any) -> list[list[Span]]:
    """The live spans where these reductions have their claims, whoever holds them."""
    overlapping = proving.register.overlapping
    return [
        [overlapping([(claim.line, claim.start, claim.end)])[0][0] for claim in one.claims]
        for one in reductions
    ]


def test_what_was_refused_as_counted_already_is_not_sampled_as_held(tmp_path: Path) -> None:
    city = build(tmp_path / "ledger", make=doubled)
    with pytest.raises(Fault):
        city.certificate()
    # Where both rides are drawn, one span cannot be shown for each of them.
    expected = ("sample: held-root-differs", "sample: multiproof-leaves")
    assert failure(written_by(Pretending, city)) in expected


def test_a_lot_holds_a_reduction_once() -> None:
    """One that is shown twice has no place in a proof; the tree has no second place for it."""
    certificate = honest()
    row = first_reduction(certificate)
    leaf = Reduction.parse(parse_base64(row[1])).leaf
    for lot in certificate["sample"]["lots"]:
        lot["excluded"].append([leaf.hex(), 80])
    assert failure(certificate) == "lots: certificate-lots"
    with pytest.raises(VerificationError):
        LotTree([(leaf, 80), (leaf, 80)])
