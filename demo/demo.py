"""From two platforms' activities to traded units and a certificate checked elsewhere, step by step.

    make demo                    a made-up day of a made-up city, from a seed
    make demo DATA=trips.csv     the same with a file of trips as Citi Bike publishes them

Every step prints the command that does it and what that printed, so that it can be repeated by
hand in the folder that is left behind, `demo/out`.  The checker runs in an environment of its own
that holds its two dependencies and nothing else.
"""

import argparse
import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from api.synthetic import BIKE, BUS, BUS_COMPANY, CANTEEN, PLATE
from api.values import show_offset

TOP = Path(__file__).resolve().parents[1]
LEDGER, SECRET, POLICY = "city", "pseudonyms.secret", "city/policy"
PLATFORMS = ("metro-app", "pay-app")
AUTHORITY = "bureau"
SCENARIOS = {BUS: "bus-ride-by-code", BIKE: "bike-share-trip", PLATE: "clean-plate"}
SYNTHETIC_DAY, SYNTHETIC_NOW = "2026-03-02", "2026-03-03T09:00:00+08:00"
ZONE = "America/New_York"
REPEATED = 500
"""So many of the first platform's trips does the second report again, where they are real."""
DAY_SECONDS = 86_400
DAY = timedelta(days=1)
ACCEPTANCE_DAYS, NOTICE_DAYS = 30, 7
AUDITORS = tuple(f"auditor-{number}" for number in range(1, 5))
QUORUM, FAULTS = 3, 1
UNIT_GRAMS = 100
"""A tenth of a kilogram, so that a made-up day makes units; a real unit is a tonne."""


class Demo:
    """The steps, in a folder of their own."""

    def __init__(self, folder: Path, verifier: Path) -> None:
        self.folder = folder
        script = Path(sys.executable).parent / "tally"
        self.commands = {
            "tally": [str(script)] if script.exists() else [sys.executable, "-m", "api.cli"],
            "tally-verify": [str(verifier)],
        }
        self.environment = {**os.environ, "TALLY_PASSPHRASE": "demonstration", "NO_COLOR": "1"}
        self.environment.pop("TALLY_KEYS", None)
        self.environment.pop("TALLY_DATABASE", None)
        self.began = time.monotonic()
        self.step_number = 0
        self.auditors: dict[str, subprocess.Popen[str]] = {}
        self.listening: dict[str, dict[str, str]] = {}

    def step(self, title: str) -> None:
        """Announce a step."""
        self.step_number += 1
        print(f"\n{self.step_number}. {title}", flush=True)

    def run(self, command: str, *, expected: int = 0) -> None:
        """Run a command and show it, its output, its exit status and its time."""
        print(f"\n   $ {command}", flush=True)
        began = time.monotonic()
        done = self._run(command)
        elapsed = time.monotonic() - began
        for line in (done.stdout + done.stderr).splitlines():
            print(textwrap.indent(line, "   | ", lambda _: True))
        print(f"   exit {done.returncode}, {elapsed:.1f} s", flush=True)
        if done.returncode != expected:
            raise SystemExit(f"The command should have ended with {expected}.")

    def ask(self, command: str) -> Any:
        """Run a command for its JSON, and show only the command."""
        print(f"\n   $ {command} --json", flush=True)
        done = self._run(f"{command} --json")
        if done.returncode != 0:
            raise SystemExit(done.stdout + done.stderr)
        return json.loads(done.stdout)

    def _run(self, command: str) -> subprocess.CompletedProcess[str]:
        name, *rest = shlex.split(command)
        return subprocess.run(
            [*self.commands[name], *rest],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, name: str) -> None:
        """Start an auditor, which listens until it is stopped."""
        command = (
            f"tally-verify auditor --source {LEDGER} --policy {POLICY} --key auditors/{name}.pem "
            f"--name {name}.example --state auditors/{name} --listen 127.0.0.1:0 "
            f"--now {int(self.now.timestamp())} --json"
        )
        print(f"   $ {command} &", flush=True)
        self.auditors[name] = subprocess.Popen(
            [*self.commands["tally-verify"], *shlex.split(command)[1:]],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def audit(self) -> None:
        """Start all auditors, by the clock of now."""
        print()
        for name in AUDITORS:
            self.start(name)
        for name, process in self.auditors.items():
            if process.stdout is None or not (line := process.stdout.readline()):
                raise SystemExit(f"{name} did not start.")
            self.listening[name] = json.loads(line)

    def stop(self, *names: str) -> None:
        """Stop auditors."""
        stopped = [self.auditors.pop(name) for name in names]
        for process in stopped:
            process.terminate()
        for process in stopped:
            process.communicate()

    def cosign(self) -> None:
        """Ask all auditors about the last block."""
        where = " ".join(
            f"--cosigner {name}.example={told['url']}" for name, told in self.listening.items()
        )
        self.run(f"tally cosign {LEDGER} {where}")

    def at(self, moment: datetime) -> None:
        """Set the clock by which the commands go."""
        self.now = moment
        self.environment["TALLY_NOW"] = moment.isoformat()
        print(f"   (TALLY_PASSPHRASE=demonstration TALLY_NOW={moment.isoformat()})")

    def wait(self, days: int) -> None:
        """Let days pass."""
        self.at(self.now + timedelta(days=days))

    def answers(self, name: str, outcome: str) -> list[dict[str, Any]]:
        """The lines of an answers file that came out so."""
        text = (self.folder / f"{name}.answers").read_text("utf-8")
        rows = [json.loads(line) for line in text.splitlines()]
        return [row for row in rows if row["outcome"] == outcome]


def scenario(name: str, first: str, last: str) -> dict[str, Any]:
    """The document of a scenario that both platforms report under."""
    return {
        "format": 1,
        "id": name,
        "title": {"en": name.replace("-", " ").capitalize(), "zh": TITLES[name]},
        "region": "demonstration",
        "methodology": SCENARIOS[name],
        "owner": "governor",
        "platforms": list(PLATFORMS),
        "authority": AUTHORITY,
        "crediting": {"from": first, "to": last},
    }


TITLES = {BUS: "扫码乘公交", BIKE: "共享单车骑行", PLATE: "光盘行动"}


def found(demo: Demo, names: Sequence[str], first: str, offset: str) -> None:
    """A ledger with two platforms and its scenarios."""
    demo.step("A ledger is opened, with an operator who seals and a governor who decides.")
    issuers = f"--issuer ticket={BUS_COMPANY} --issuer order={CANTEEN}"
    methodologies = " ".join(f"--methodology {SCENARIOS[name]}" for name in names)
    demo.run(
        f"tally init {LEDGER} --origin demo.example/city --utc-offset {offset} "
        f"--first-day {first} --acceptance-days {ACCEPTANCE_DAYS} --unit-grams {UNIT_GRAMS} "
        f"{issuers} {methodologies}"
    )
    demo.step("The governor enrols platforms and an authority, and publishes what may be reported.")
    for name in PLATFORMS:
        demo.run(f"tally enrol {LEDGER} {name} --role platform --by governor")
    demo.run(f"tally enrol {LEDGER} {AUTHORITY} --role authority --by governor")
    for name in names:
        document = scenario(name, first, f"{int(first[:4]) + 4}-12-31")
        (demo.folder / f"{name}.json").write_text(
            json.dumps(document, ensure_ascii=False, indent=1) + "\n", "utf-8"
        )
        demo.run(f"tally publish scenario {LEDGER} {name}.json --by governor")
    appoint(demo)


def appoint(demo: Demo) -> None:
    """Four auditors, three of whom make a block final."""
    demo.step("Four auditors make keys, and start. Each has a copy of its own of what it audits.")
    for name in AUDITORS:
        demo.run(f"tally key new {name} --keys auditors")
    demo.audit()
    demo.step(f"The governor decides: a block is final when {QUORUM} of them have cosigned it.")
    keys = [told["vkey"] for told in demo.listening.values()]
    policy = {"format": 1, "auditors": {"keys": keys, "quorum": QUORUM, "faults": FAULTS}}
    (demo.folder / "auditors.json").write_text(json.dumps(policy, indent=1) + "\n", "utf-8")
    demo.run(f"tally publish policy {LEDGER} auditors.json --by governor")


def synthetic(demo: Demo, count: int, seed: int) -> str:
    """Activities from the seeded generator; the ledger's first day."""
    demo.at(datetime.fromisoformat(SYNTHETIC_NOW))
    found(demo, [*SCENARIOS], SYNTHETIC_DAY, "+08:00")
    demo.step("A day is made up. THE DATA IS SYNTHETIC: nothing of it happened.")
    demo.run(f"tally key secret {SECRET}")
    demo.run(
        f"tally convert synthetic --day {SYNTHETIC_DAY} --count {count} --seed {seed} "
        f"--secret-file {SECRET} --out activities"
    )
    demo.step("What the first of them earn can be seen before anything is sent.")
    methods = " ".join(f"--methodology {name}={of}" for name, of in SCENARIOS.items())
    demo.run(f"tally check activities/{PLATFORMS[0]}.ndjson {methods} --show 3")
    return SYNTHETIC_DAY


def real(demo: Demo, data: Path) -> str:
    """Activities from a file of bike-share trips; the ledger's first day."""
    demo.step(f"Trips are converted: {data.name}. Bikes become pseudonyms, times unix seconds.")
    demo.run(f"tally key secret {SECRET}")
    (demo.folder / "activities").mkdir()
    first, second = (f"activities/{name}.ndjson" for name in PLATFORMS)
    made = demo.ask(
        f"tally convert citibike {shlex.quote(str(data))} --zone {ZONE} --scenario {BIKE} "
        f"--secret-file {SECRET} --out {first}"
    )
    print(f"   {made['converted']} trips; {len(made['refused'])} rows could not be converted")
    lines = (demo.folder / first).read_bytes().splitlines(keepends=True)
    (demo.folder / second).write_bytes(b"".join(lines[:REPEATED]))
    # The ledger's days have one offset for good: that of the first trip in the zone of the data.
    offset = datetime.fromtimestamp(made["first"], ZoneInfo(ZONE)).utcoffset() or timedelta()
    zone = timezone(offset)
    # The ledger's clock stands after the last trip: what is to come cannot be claimed.
    demo.at(datetime.fromtimestamp(made["last"] + DAY_SECONDS, zone))
    first = datetime.fromtimestamp(made["first"], zone).date().isoformat()
    found(demo, [BIKE], first, show_offset(int(offset.total_seconds())))
    return first


def submit(demo: Demo) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both platforms submit; one reduction of the first, and one refusal of the second."""
    one, two = PLATFORMS
    demo.step(f"{one} submits its activities: they are signed, checked, recorded, sealed.")
    demo.run(f"tally submit {LEDGER} activities/{one}.ndjson --as {one} --answers {one}.answers")
    demo.step(f"{two} submits too, and with them rides that {one} has reported: those are refused.")
    demo.run(f"tally submit {LEDGER} activities/{two}.ndjson --as {two} --answers {two}.answers")
    refused = [row for row in demo.answers(two, "refused") if row["platform"] == one]
    if not refused:
        raise SystemExit("No ride was refused.")
    demo.step(f"{AUDITORS[-1]} is away. The others audit every block, and cosign the last: final.")
    demo.stop(AUDITORS[-1])
    demo.cosign()
    demo.run(f"tally status {LEDGER}")
    return demo.answers(one, "recorded")[0], refused[0]


def prove(demo: Demo, recorded: dict[str, Any], refused: dict[str, Any]) -> None:
    """Proofs are written, checked elsewhere, and fail when they are touched."""
    demo.step(f"Who holds the stretch that {PLATFORMS[1]} was refused (line {refused['line']})?")
    met = refused["met"]
    demo.run(
        f"tally prove span {LEDGER} --line {met['line']} --start {met['start']} --out held.json"
    )
    demo.run(f"tally-verify check held.json --policy {POLICY}")
    demo.step("A reduction is proved: recorded, by whom, under what, and counted once.")
    demo.run(f"tally prove reduction {LEDGER} {recorded['leaf']} --final --out bundle.json")
    demo.step("Somebody who has only this file and a policy checks it, offline.")
    checker = Path(demo.commands["tally-verify"][0])
    print(f"   ({checker})")
    demo.run(f"tally-verify check bundle.json --policy {POLICY}")
    demo.step("One byte of the file is changed.")
    refuse_altered(demo, "bundle.json", '"claims"')


def trade(demo: Demo, name: str, first: str) -> None:
    """The books are closed; what is in them is certified, issued, imported, retired."""
    platform = PLATFORMS[0]
    demo.stop(*demo.auditors)
    demo.step("A verifier, an exchange and a museum that wants to be neutral are enrolled.")
    for participant, role in (("verifier", "verifier"), ("exchange", "exchange")):
        demo.run(f"tally enrol {LEDGER} {participant} --role {role} --by governor")
    demo.run(f"tally enrol {LEDGER} museum --role holder --by governor")
    demo.step(f"{ACCEPTANCE_DAYS} days later the books are closed: each day becomes a lot.")
    until = demo.now.date()
    demo.wait(ACCEPTANCE_DAYS)
    demo.run(f"tally close {LEDGER} {until} --by operator")
    demo.run(f"tally lots {LEDGER}")
    demo.step("The verifier certifies the lots. Its report is a file; its hash is signed.")
    (demo.folder / "report.txt").write_text("A demonstration: nothing was examined.\n", "utf-8")
    certified = demo.ask(
        f"tally certify {LEDGER} {platform} {name} {first} {until - DAY} --by verifier "
        "--opinion unmodified --criteria ISO-14064-3 --accreditation demonstration "
        "--report report.txt"
    )
    day = demo.now.date()
    demo.step(f"A public notice of {NOTICE_DAYS} days; then the authority issues the units.")
    demo.wait(NOTICE_DAYS)
    issued = demo.ask(
        f"tally issue {LEDGER} {certified['id']} --by {AUTHORITY} --owner {platform} "
        f"--notice demo.example/notice --notice-from {day} --notice-to {demo.now.date() - DAY}"
    )
    series, units = issued["series"], issued["units"]
    print(f"   {units} units of {UNIT_GRAMS} g; {issued['carried_out']} g are carried")
    demo.step("The auditors come back, and audit what has happened meanwhile.")
    demo.audit()
    demo.cosign()
    demo.step("The exchange gives a number that nobody could foresee, and is offered the units.")
    nonce = secrets.token_hex(16)
    demo.run(
        f"tally offer {LEDGER} {series} 1 {units} --as {platform} --exchange exchange "
        f"--nonce {nonce}"
    )
    demo.cosign()
    demo.step("They are locked. One file says what stands behind them, by a sample that it draws.")
    demo.run(f"tally certificate {LEDGER} {series} 1 {units} --final --out offered.json")
    demo.run(f"tally-verify check offered.json --policy {POLICY} --nonce {nonce}")
    demo.step("The exchange is content, and imports them: credited once that is final.")
    demo.run(f"tally import {LEDGER} {series} 1 {units} --as exchange")
    demo.step("A part goes to the museum, which retires it for its exhibition.")
    part = max(units // 3, 1)
    demo.run(f"tally transfer {LEDGER} {series} 1 {part} --as exchange --to museum")
    demo.run(
        f"tally retire {LEDGER} {series} 1 {part} --as museum --beneficiary museum "
        '--purpose "a carbon-neutral exhibition"'
    )
    demo.run(
        f"tally retire {LEDGER} {series} 1 1 --as museum --beneficiary museum --purpose again",
        expected=1,
    )
    demo.run(f"tally holdings {LEDGER}")
    demo.step("What the exchange still holds is certified as of now, on a final checkpoint.")
    demo.cosign()
    demo.run(
        f"tally certificate {LEDGER} {series} {part + 1} {units} --final --out certificate.json"
    )
    demo.run(f"tally-verify check certificate.json --policy {POLICY}")
    demo.step("One byte of it is changed.")
    refuse_altered(demo, "certificate.json", '"certified"')


def refuse_altered(demo: Demo, name: str, after: str) -> None:
    """Change one digit of a hash in a file, and see the checker refuse it."""
    data = (demo.folder / name).read_bytes()
    changed, place = alter(data, after.encode())
    (demo.folder / "changed.json").write_bytes(changed)
    print(f"   byte {place}: {chr(data[place])} becomes {chr(changed[place])}")
    demo.run(f"tally-verify check changed.json --policy {POLICY}", expected=1)


def alter(document: bytes, after: bytes) -> tuple[bytes, int]:
    """The document with one hexadecimal digit of a hash changed, and where."""
    hashed = re.compile(rb'"[0-9a-f]{64}"').search(document, document.index(after))
    if hashed is None:
        raise SystemExit("The file holds no hash.")
    place = hashed.start() + 1
    digit = b"1" if document[place : place + 1] == b"0" else b"0"
    return document[:place] + digit + document[place + 1 :], place


def main() -> None:
    """Run the demonstration."""
    parser = argparse.ArgumentParser(description="From activities to a proof checked elsewhere.")
    parser.add_argument("--data", type=Path, help="a CSV file of trips, as Citi Bike has them")
    parser.add_argument("--count", type=int, default=4_000, help="synthetic activities")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--out", type=Path, default=TOP / "demo" / "out")
    parser.add_argument(
        "--verifier", type=Path, default=TOP / ".venv-verify" / "bin" / "tally-verify"
    )
    given = parser.parse_args()
    folder = given.out.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    demo = Demo(folder, given.verifier.absolute())
    print(f"Everything happens in {given.out}.")
    try:
        if given.data:
            name, first = BIKE, real(demo, given.data.absolute())
        else:
            name, first = BUS, synthetic(demo, given.count, given.seed)
        prove(demo, *submit(demo))
        trade(demo, name, first)
    finally:
        demo.stop(*demo.auditors)
    print(f"\nDone in {time.monotonic() - demo.began:.0f} s.")


if __name__ == "__main__":
    main()
