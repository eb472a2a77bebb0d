"""The second implementation, in JavaScript: vectors, the same verdicts, a platform, a browser."""

import base64
import contextlib
import functools
import http.server
import json
import queue
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.auditors import govern_policy, make_final, policy_document, vkeys
from support.bundles import PLAIN_TEXT, QUORUM_TEXT, Json, dump, samples, world
from support.chains import FORGED, HIDDEN, A, B, build, changed, document, rotate, trust
from support.city import (
    NOON,
    PLATFORMS,
    SCENARIOS,
    City,
    founding_actions,
    scenario_document,
)
from support.example import EXAMPLES
from support.mutations import mutate, signed
from test_independent import pool

from api.proving import complete, prove_reduction
from chain.admission import admit
from chain.genesis import library
from keys.errors import TallyError
from keys.statements import parse_statement
from keys.strict import parse_base64
from keys.suites import PublicKey
from verifier.check import check_file
from verifier.policy import parse_policy
from verifier.reports import INVALID, PROVISIONAL, Report

HERE = Path(__file__).parent
TOP = HERE.parents[1]
NODE = Path(sys.executable).with_name("node")
CHECK = TOP / "js" / "bin" / "tally-check.js"
POLICIES = {
    text: parse_policy(text.encode())
    for text in (PLAIN_TEXT, QUORUM_TEXT, (EXAMPLES / "policy").read_text("utf-8"))
}
PLATFORM = "web-app"


def node(*arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run node with these arguments."""
    command = [str(NODE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


class Judge:
    """A process that checks bundles in JavaScript, one after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [NODE, HERE / "judge.js"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def report(self, data: bytes, policy: str) -> Any:
        """What `checkBundle` says."""
        asked = {"policy": policy, "bundle": base64.b64encode(data).decode()}
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End the process; it has nothing to complain of."""
        self._process.communicate()
        assert self._process.returncode == 0

    def verdict(self, data: bytes, policy: str) -> str:
        """The verdict of both implementations, which agree in all that they say."""
        ours = check_file(data, POLICIES[policy])
        theirs = self.report(data, policy)
        assert theirs["verdict"] == ours.verdict
        assert [(c["check"], c["ok"]) for c in theirs["checks"]] == steps(ours)
        if ours.verdict != INVALID:
            assert theirs["facts"] == json.loads(json.dumps(ours.facts))
        return f"{ours.verdict}: {ours.checks[-1].code}"


def steps(report: Report) -> list[tuple[str, bool]]:
    """The checks of a report, and whether they passed."""
    return [(check.code, check.error is None) for check in report.checks]


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    made = Judge()
    yield made
    made.close()


# --- what it stands on ---


def test_it_stands_on_one_library_and_every_package_is_locked_by_its_hash() -> None:
    package = json.loads((TOP / "js" / "package.json").read_text("utf-8"))
    assert list(package["dependencies"]) == ["cborg"]
    locked = json.loads((TOP / "js" / "package-lock.json").read_text("utf-8"))["packages"]
    del locked[""]
    assert {f"node_modules/{name}" for name in package["devDependencies"]} < locked.keys()
    for one in locked.values():
        assert one["integrity"].startswith("sha512-")
        assert "resolved" not in one


# --- the vectors ---


def test_every_vector_comes_out_as_it_says() -> None:
    done = node("--test", cwd=TOP / "js")
    assert done.returncode == 0, done.stdout + done.stderr


# --- the same verdicts ---


@pytest.mark.parametrize("policy", POLICIES, ids=["plain", "quorum", "example"])
def test_it_agrees_on_good_bundles(judge: Judge, policy: str) -> None:
    for bundle in (*samples().values(), *pool()):
        judge.verdict(dump(bundle), policy)


def test_it_follows_chains_of_policies_and_no_forged_one(judge: Judge, tmp_path: Path) -> None:
    chain = build(tmp_path / "city")
    made = [
        *chain.bundles,
        *(changed(chain, change) for change, _ in FORGED.values()),
        *(changed(chain, change, "governed") for change, _ in HIDDEN.values()),
    ]
    ended: Counter[str] = Counter()
    for policy in chain.policies:
        POLICIES[policy] = parse_policy(policy.encode())
        ended.update(judge.verdict(dump(bundle), policy) for bundle in made)
    assert ended["provisional: witnessed"] > 4
    assert ended["invalid: policies"] > 9
    chain.city.store.engine.dispose()


def test_it_agrees_where_a_policy_comes_back(judge: Judge, tmp_path: Path) -> None:
    """The policy was none, A, B, A with its auditors in another order; then the key changed."""
    city = City.found(tmp_path / "city")
    line = city.ride("ann", NOON)
    leaf = city.reduce([line])[0].leaf
    city.submit([line])
    before = prove_reduction(city.store, leaf)
    for names, following in (
        (A, document(A)),
        (A, document(B)),
        (B, policy_document(vkeys(*reversed(A)), 3)),
    ):
        govern_policy(city, following)
        make_final(city, *names)
    rotate(city)
    made = prove_reduction(city.store, leaf)
    make_final(city, *A)
    assert complete(city.store, made)
    city.store.engine.dispose()

    def verdict(bundle: Json, policy: str, **changes: Any) -> str:
        POLICIES.setdefault(policy, parse_policy(policy.encode()))
        policies = {**bundle["policies"], **changes}
        return judge.verdict(dump({**bundle, "policies": policies}), policy)

    shown, free = made["policies"], before["policies"]["free"]
    governed, links = shown["governed"], shown["links"]
    its_own = trust(A).replace("group auditors 3", "group auditors 4")
    for policy in (trust(A), renamed(trust(A)), trust(B), its_own):
        assert verdict(made, policy) == "provisional: witnessed"
        assert verdict(made, policy, governed=governed[1:]) == "invalid: governed"
        assert verdict(made, policy, links=links[:-1]) == "invalid: checkpoint"
    newest = trust(A, "operator/2")
    for few, expected in (
        # It begins where A was in force first, and is told that a later one is.
        (links[1:], "unwitnessed: witnessed"),
        ([], "unwitnessed: witnessed"),
        # Where B is in force, nothing leads to the key.
        (links[:1], "invalid: checkpoint"),
        ([links[0], links[2]], "invalid: checkpoint"),
    ):
        assert verdict(made, newest, links=few) == expected
    assert verdict(made, newest, free=free) == "invalid: governed"
    assert verdict(before, PLAIN_TEXT) == "provisional: witnessed"
    for change in (
        {"free": None},
        {"free": {**free, "start": 1}},
        {"free": {**free, "line": links[0]["operator"]["key_held"]["line"]}},
        {"governed": governed},
        {"governed": governed, "free": None},
    ):
        assert verdict(before, PLAIN_TEXT, **change) == "invalid: governed"


def renamed(policy: str) -> str:
    """The trust policy of A with other names for the group and its members."""
    return re.sub(r" (auditors|a-[1-4]\.example)(?=\s)", r" my-\1", policy)


def run(judge: Judge, seed: int, count: int) -> Counter[str]:
    """``count`` mutated bundles, and how many ended how."""
    random = Random(seed)
    policies = (PLAIN_TEXT, QUORUM_TEXT)
    return Counter(
        judge.verdict(mutate(random, pool()), random.choice(policies)) for _ in range(count)
    )


def run_signed(judge: Judge, seed: int, count: int) -> Counter[str]:
    """``count`` bundles of ledgers in which an operator changed what is signed."""
    random = Random(seed)
    ended: Counter[str] = Counter()
    while ended.total() < count:
        try:
            data = dump(signed(random, world().copy()))
        except (TallyError, ValueError, IndexError, TypeError, OverflowError, KeyError):
            continue  # what not even an operator could write
        ended[judge.verdict(data, PLAIN_TEXT)] += 1
    return ended


def test_it_agrees_on_mutated_bundles(judge: Judge) -> None:
    assert len(run(judge, 1, 400)) > 8


def test_it_agrees_on_what_an_operator_signs(judge: Judge) -> None:
    assert len(run_signed(judge, 1, 150)) > 5


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 110))
def test_it_agrees_on_many_mutated_bundles(judge: Judge, seed: int) -> None:
    assert run(judge, seed, 1_000).total() == 1_000


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 104))
def test_it_agrees_on_much_that_an_operator_signs(judge: Judge, seed: int) -> None:
    assert run_signed(judge, seed, 500).total() == 500


# --- the command ---


@pytest.mark.parametrize("name", ["bundle", "span", "free"])
def test_the_command_gives_the_verdict(name: str) -> None:
    done = node(CHECK, EXAMPLES / f"{name}.json", "--policy", EXAMPLES / "policy")
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (0, PROVISIONAL)


def test_the_command_has_the_exit_statuses_of_tally_verify(tmp_path: Path) -> None:
    bundle, policy = EXAMPLES / "bundle.json", EXAMPLES / "policy"
    forged, strict, wrong = (tmp_path / name for name in ("forged", "strict", "wrong"))
    forged.write_bytes(bundle.read_bytes().replace(b'"position": 0', b'"position": 1'))
    strict.write_text(QUORUM_TEXT.replace("quorum ", "# quorum ") + "quorum nobody\n", "utf-8")
    wrong.write_text("quorum nobody\n", "utf-8")
    for arguments, status in (
        ([forged, "--policy", policy], 1),
        ([bundle], 2),
        ([bundle, "--policy", policy, "--lang", "zh"], 2),
        ([bundle, "--policy", strict], 3),
        ([bundle, "--policy", wrong], 3),
        ([tmp_path / "none", "--policy", policy], 3),
        ([bundle, "--policy", tmp_path], 3),
    ):
        assert node(CHECK, *arguments).returncode == status, arguments


@pytest.mark.parametrize("name", ["审计员".encode(), b"\xff\xfe"], ids=["text", "no-utf-8"])
def test_it_calls_the_witnesses_by_their_names(tmp_path: Path, name: bytes) -> None:
    bundle, policy = EXAMPLES / "bundle.json", tmp_path / "policy"
    policy.write_bytes((EXAMPLES / "policy").read_bytes().replace(b" auditor-1 ", b" %s " % name))
    ours = check_file(bundle.read_bytes(), parse_policy(policy.read_bytes())).facts["cosigned_by"]
    assert name.decode("utf-8", "surrogateescape") in ours
    done = node(CHECK, bundle, "--policy", policy)
    assert json.loads(done.stdout)["facts"]["cosigned_by"] == ours


# --- a platform ---


@pytest.mark.parametrize("suite", ["ed25519", "es256"])
def test_what_a_platform_signs_in_javascript_is_recorded_and_proved(
    tmp_path: Path, judge: Judge, suite: str
) -> None:
    made = json.loads(node(HERE / "platform.js", "new", suite).stdout)
    city = City.found(tmp_path, actions=_founding(PublicKey.from_json(made["public"])))
    lines = [city.ride(person, NOON - 7200) for person in ("ann", "bob", "cat")]
    given = {
        "suite": suite,
        "pkcs8": made["pkcs8"],
        "platform": PLATFORM,
        "ledger": city.state.genesis.id.hex(),
        "expires": city.now + 3600,
        "offset": city.state.calendar.offset,
        "classes": city.state.classes.document.decode(),
        "methodology": library()[SCENARIOS["city-bus"]].decode(),
        "activities": [line.decode() for line in lines],
    }
    said = node(HERE / "platform.js", "submit", suite, input=json.dumps(given))
    statement = parse_statement(parse_base64(said.stdout.strip()))
    admitted = admit(city.state, statement, lines)
    city.sequencer.submit([admitted])
    city.sequencer.seal_all(city.now)
    for reduction in admitted.entry.reductions:
        bundle = prove_reduction(city.store, reduction.leaf, disclose=True)
        assert judge.verdict(dump(bundle), PLAIN_TEXT) == "provisional: witnessed"


def _founding(public: PublicKey) -> list[dict[str, Any]]:
    """The founding of a city in which a platform reports with a key made elsewhere."""
    platform = {
        "action": "enrol",
        "participant": PLATFORM,
        "name": PLATFORM,
        "roles": ["platform"],
        "key": public.as_json(),
    }
    document = scenario_document("city-bus", SCENARIOS["city-bus"], (*PLATFORMS, PLATFORM))
    actions = founding_actions()
    for action in actions:
        if action["action"] == "scenario" and '"id":"city-bus"' in action["document"]:
            action["document"] = document.decode()
    return [actions[0], platform, *actions[1:]]


# --- a browser ---


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the checkout, and takes what the page says."""

    said: "queue.Queue[bytes]" = queue.Queue()

    def do_POST(self) -> None:
        self.said.put(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """The checkout over HTTP, at the address given."""
    handler = functools.partial(Handler, directory=str(TOP))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextlib.contextmanager
def browsing(address: str, profile: Path) -> Iterator[None]:
    """A Chromium that shows the page and asks nobody else for anything."""
    browser = shutil.which("chromium")
    assert browser is not None, "Chromium is missing: `make test` installs it on Debian"
    process = subprocess.Popen(
        [
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
            *("--disable-sync", "--disable-quic", f"--user-data-dir={profile}", address),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def test_a_browser_checks_bundles_through_native_modules(tmp_path: Path) -> None:
    with serving() as address, browsing(f"{address}/tests/js/page.html", tmp_path):
        said = json.loads(Handler.said.get(timeout=90))
    assert "error" not in said
    assert {name: report["verdict"] for name, report in said.items()} == {
        "bundle": PROVISIONAL,
        "span": PROVISIONAL,
        "free": PROVISIONAL,
        "forged": INVALID,
    }
    policy = parse_policy((EXAMPLES / "policy").read_bytes())
    report = check_file((EXAMPLES / "bundle.json").read_bytes(), policy)
    assert said["bundle"]["facts"] == json.loads(json.dumps(report.facts))
