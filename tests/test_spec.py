"""docs/spec.md says what the code does: its example, its limits, its names, each way."""

import importlib
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.example import EXAMPLES, SPEC, TOP, example, quoted

from chain.classes import AXES, GRAMMARS, Classes
from chain.genesis import default_classes
from chain.governance import ACTIONS
from chain.holdings import MOVES
from chain.records import Record
from keys.catalogue import TEXTS
from keys.oprf import Blinded, PrivateKey
from keys.participants import MAY_SIGN, Role
from keys.pseudonyms import message
from keys.strict import parse_json
from keys.suites import SUITES
from verifier.books import _FIELDS as BOOK_FIELDS
from verifier.bundles import _KINDS as BUNDLE_KINDS
from verifier.bundles import ANCHORS
from verifier.certificates import FIELDS as CERTIFICATE_FIELDS
from verifier.certificates import SAMPLE_FIELDS
from verifier.cli import EXIT_INVALID, EXIT_VALID
from verifier.evidence import FIELDS as EVIDENCE_FIELDS
from verifier.lots import _FIELDS as LOT_FIELDS
from verifier.policy import parse_policy

TEXT = SPEC.read_text("utf-8")
FILES = ("activity.json", "bundle.json", "free.json", "policy", "span.json")
_LIMIT = re.compile(r"^([A-Z][A-Z0-9_]*_(?:MAX|MIN))\b[^=\n]* = ", re.MULTILINE)
_TAG = re.compile(r'"(tally/[a-z0-9/-]*)')
_CODE = re.compile(r"`([a-z0-9]+(?:-[a-z0-9]+)*)`")


def section(title: str) -> str:
    """The text below a heading, up to the next one."""
    found = re.search(rf"^## [0-9]+\. {re.escape(title)}$(.*?)(?=^## |\Z)", TEXT, re.M | re.S)
    assert found is not None, title
    return found[1]


def rows(text: str, *heads: str) -> list[list[str]]:
    """The cells of the table with these column heads."""
    lines = iter(text.splitlines())
    for line in lines:
        if _cells(line) == list(heads):
            next(lines)
            found = []
            for row in lines:
                if not row.startswith("|"):
                    return found
                found.append(_cells(row))
            return found
    raise AssertionError(f"there is no table with the columns {heads}")


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def modules() -> Iterator[Any]:
    """Every module that a format or a limit can stand in."""
    for package in ("keys", "chain", "verifier"):
        path = importlib.import_module(package).__path__
        for info in pkgutil.walk_packages(path, f"{package}."):
            if ".migrations" not in info.name:
                yield importlib.import_module(info.name)
    for name in ("api.access_tokens", "api.service.signatures"):
        yield importlib.import_module(name)


def source(module: Any) -> str:
    return Path(module.__file__).read_text("utf-8")


# --- the example ---


def test_every_value_of_the_example_is_what_the_code_gives() -> None:
    assert quoted(TEXT) == {name: example().values()[name] for name in quoted(TEXT)}


def test_every_step_of_the_example_is_in_the_document() -> None:
    left_out = example().values().keys() - quoted(TEXT).keys()
    assert left_out == {"auditor-1.kid"}


@pytest.mark.parametrize("name", FILES)
def test_the_files_of_the_example_are_what_the_code_gives(name: str) -> None:
    assert (EXAMPLES / name).read_text("utf-8") == example().files()[name]


def test_there_are_no_other_files_beside_the_example() -> None:
    files = {path.name for path in EXAMPLES.iterdir() if path.is_file()}
    assert files == set(example().files())


def test_the_example_is_made_from_nothing_else() -> None:
    bundle = parse_json(example().files()["bundle.json"].encode(), bytes_max=1_000_000)
    assert bundle["activity"] == example().files()["activity.json"]
    assert json.loads(bundle["activity"])["id"] == "ride-1"
    policy = parse_policy(example().policy.encode())
    assert len(policy.witnesses) == 4
    assert policy.groups["auditors"].least == 3


def tally_verify(path: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "verifier.cli", "check", str(path), "--json"]
    done = subprocess.run(
        [*command, "--policy", str(EXAMPLES / "policy")],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)["verdict"]


@pytest.mark.parametrize("name", ["bundle", "span", "free"])
def test_the_example_verifies(name: str) -> None:
    assert tally_verify(EXAMPLES / f"{name}.json") == (EXIT_VALID, "provisional")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("example.org/tally/spec\\n4\\n", "example.org/tally/spec\\n5\\n"),
        ('"position": 0', '"position": 1'),
        ('"start": 1772416740', '"start": 1772416741'),
        ('\\"id\\":\\"ride-1\\"', '\\"id\\":\\"ride-2\\"'),
        ("bus-ride-by-code", "bus-ride-by-coda"),
    ],
)
def test_with_one_byte_changed_the_example_fails(tmp_path: Path, old: str, new: str) -> None:
    good = (EXAMPLES / "bundle.json").read_text("utf-8")
    assert old in good
    (tmp_path / "bundle.json").write_text(good.replace(old, new, 1), "utf-8")
    assert tally_verify(tmp_path / "bundle.json") == (EXIT_INVALID, "invalid")


def test_the_script_says_what_the_document_says() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(TOP)],
        cwd=TOP / "docs",
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == example().values()


# In a process of its own: nothing that another test has left behind is in it.
_SCRIPT = (
    "import json, sys; sys.path[:0] = [sys.argv[1], sys.argv[1] + '/tests'];"
    "from support.example import example; print(json.dumps(example().values()))"
)


def test_the_pseudonym_of_the_example_is_what_the_code_gives() -> None:
    block = re.search(r"```pseudonyms\n(.*?)```", TEXT, re.DOTALL)
    assert block is not None
    stated = dict(line.split(" = ") for line in block[1].splitlines())
    key = PrivateKey(bytes.fromhex(stated["seed"]))
    data = message(stated["class"], stated["identifier"])
    blinded = Blinded([data])
    [output] = blinded.finalize(*key.evaluate(blinded.elements), key.public)
    for name, value in (("public", key.public), ("message", data), ("output", output)):
        assert stated[name] == value.hex()
    assert stated["pseudonym"] == output[:16].hex()


# --- limits and tags ---


def test_the_limits_are_those_of_the_code() -> None:
    coded = {
        f"{module.__name__}.{name}": str(getattr(module, name))
        for module in modules()
        for name in _LIMIT.findall(source(module))
    }
    stated = {row[0].strip("`"): row[1] for row in rows(TEXT, "name", "value", "what it bounds")}
    assert stated == coded


def test_every_domain_tag_is_named() -> None:
    named = section("Hashes and domain tags")
    for module in modules():
        for tag in _TAG.findall(source(module)):
            assert f'"{tag}' in named, (module.__name__, tag)


def test_every_kind_of_holder_is_named() -> None:
    named = section("Hashes and domain tags")
    for module in modules():
        for kind in re.findall(r'make_holder\("([a-z]+)"', source(module)):
            assert f'"tally/holder/{kind}/v1"' in named, (module.__name__, kind)


# --- names ---


def test_the_kinds_of_statements_are_those_of_the_code() -> None:
    table = rows(TEXT, "kind", "signed by a", "payload: an object with the fields")
    stated = {row[0].strip("`"): {role.strip() for role in row[1].split(",")} for row in table}
    assert stated == {kind: {role.value for role in roles} for kind, roles in MAY_SIGN.items()}


def test_the_records_are_those_of_the_code() -> None:
    stated = {}
    for name, values in rows(TEXT, "record", "values, in this order"):
        stated[name.strip("`")] = dict(
            value.replace("`", "").split() for value in values.split(", ")
        )
    coded = {record.KIND: dict(record.FORMS) for record in Record.__subclasses__()}
    assert {name: list(values.items()) for name, values in stated.items()} == {
        name: list(forms.items()) for name, forms in coded.items()
    }
    for kind in coded:
        assert f'"tally/holder/{kind}/v1"' in section("Hashes and domain tags")


def test_what_moves_units_is_what_the_code_says() -> None:
    table = rows(TEXT, "kind", "status before", "by", "further", "new record")
    stated = {
        row[0].strip("`"): (row[1], row[4].split(";")[0], "the whole span" in row[3])
        for row in table
    }
    assert stated == {kind: (m.before, m.after, m.is_whole) for kind, m in MOVES.items()}


def test_the_roles_are_those_of_the_code() -> None:
    line = re.search(r"^Roles: (.*)\.$", TEXT, re.M)
    assert line is not None
    assert _CODE.findall(line[1]) == [role.value for role in Role]


def test_the_actions_and_their_fields_are_those_of_the_code() -> None:
    stated = {}
    for name, given, _ in rows(TEXT, "action", "fields", "what it does"):
        stated[name.strip("`")] = {
            field.split("`")[1]: "optional" in field for field in given.split(", ")
        }
    coded = {
        name: {
            **dict.fromkeys(of.required.keys() - {"action"}, False),
            **dict.fromkeys(of.optional, True),
        }
        for name, of in ACTIONS.items()
    }
    assert stated == coded


def test_the_classes_are_those_of_the_code() -> None:
    heads = ("number", "class", "axis", "dated", "parts: grammar", "longest", "claimed by")
    coded = [
        [
            str(of.number),
            f"`{of.name}`",
            of.axis,
            "yes" if of.dated else "no",
            ", ".join(f"{name}: {grammar}" for name, grammar, _ in of.parts),
            str(of.longest),
            of.claimed_by,
        ]
        for of in Classes(default_classes(), example_calendar()).all
    ]
    assert rows(TEXT, *heads) == coded


def example_calendar() -> Any:
    from chain.calendar import Calendar

    return Calendar(0)


def test_every_axis_and_grammar_is_named() -> None:
    text = section("Classes")
    for name in (*AXES, *GRAMMARS):
        assert f"`{name}`" in text


def test_the_suites_are_those_of_the_code() -> None:
    stated = [row[:2] + row[4:] for row in rows(TEXT, "suite", "alg", *_SUITE_HEADS)]
    coded = []
    for suite in SUITES.values():
        types = {suite.note_type: "plain", suite.cosignature_type: "cosignature"}
        named = [f"0x{kind:02x} {use}" for kind, use in types.items() if kind is not None]
        statements = "yes" if suite.signs_statements else "no"
        number = str(suite.alg).replace("-", "−")
        coded.append([suite.name, number, statements, ", ".join(named) or "none"])
    assert stated == coded


_SUITE_HEADS = ("public key", "signature", "statements", "type bytes in notes")


def test_the_fields_of_a_bundle_are_those_of_the_code() -> None:
    stated: dict[str, set[str]] = {kind: set() for kind in BUNDLE_KINDS}
    for name, kinds, _ in rows(TEXT, "field", "kinds", "value"):
        for kind in BUNDLE_KINDS if kinds == "all" else kinds.split(", "):
            stated[kind].add(name.strip("`"))
    assert stated == {kind: {*given} for kind, given in BUNDLE_KINDS.items()}


def test_the_fields_of_a_file_of_a_lot_are_those_of_the_code() -> None:
    table = rows(section("Files of lots"), "field", "value")
    stated = {name for row in table for name in _CODE.findall(row[0])}
    assert stated == (LOT_FIELDS.keys() - ANCHORS.keys()) | {"format"}


def test_the_checks_of_a_file_of_a_lot_are_those_of_the_code() -> None:
    table = rows(section("Files of lots"), "step", "what must hold")
    made = importlib.import_module("verifier.lots")
    steps = set(re.findall(r'_step\("([a-z-]+)"\)', source(made)))
    assert {row[0].strip("`") for row in table} == steps | {"witnessed"}


def test_the_fields_of_a_certificate_are_those_of_the_code() -> None:
    for head, fields in (("field", CERTIFICATE_FIELDS), ("field of `sample`", SAMPLE_FIELDS)):
        table = rows(section("Certificates"), head, "value")
        stated = {name for row in table for name in _CODE.findall(row[0])}
        assert stated == {name for name in fields if name == "format" or name not in ANCHORS}


def test_the_checks_of_a_certificate_are_those_of_the_code() -> None:
    table = rows(section("Certificates"), "step", "what must hold")
    made = source(importlib.import_module("verifier.certificate_checks"))
    steps = re.findall(r'_step\("([a-z]+)"', made)
    stated = [name for row in table for name in _CODE.findall(row[0])]
    assert set(stated) == {*steps, "unseeded", "witnessed"}


def test_the_fields_of_a_book_are_those_of_the_code() -> None:
    table = rows(section("Books"), "field", "value")
    stated = {name for row in table for name in _CODE.findall(row[0])}
    assert stated == (BOOK_FIELDS.keys() - ANCHORS.keys()) | {"format"}


def test_the_checks_of_a_book_are_those_of_the_code() -> None:
    table = rows(section("Books"), "step", "what must hold")
    steps = re.findall(r'_step\("([a-z-]+)"\)', source(importlib.import_module("verifier.books")))
    assert [row[0].strip("`") for row in table] == [*steps, "witnessed"]


def test_the_fields_of_evidence_are_those_of_the_code() -> None:
    stated: dict[str, set[str]] = {kind: set() for kind in EVIDENCE_FIELDS}
    for names, kinds, _ in rows(section("Evidence"), "field", "kinds", "value"):
        for kind in EVIDENCE_FIELDS if kinds == "all" else kinds.split(", "):
            stated[kind] |= set(_CODE.findall(names))
    assert stated == {kind: set(given) for kind, given in EVIDENCE_FIELDS.items()}


def test_the_checks_of_evidence_are_those_of_the_code() -> None:
    table = rows(section("Evidence"), "check", "kinds", "what must hold", "codes, among others")
    made = importlib.import_module("verifier.evidence")
    steps = set(re.findall(r'_step\("([a-z-]+)"\)', source(made)))
    assert {row[0].strip("`") for row in table} == steps | {"form"}
    named = {code for row in table for code in _CODE.findall(row[3])}
    assert named <= TEXTS.keys()


# --- checks, verdicts, codes ---


def checks() -> list[list[str]]:
    return rows(TEXT, "check", "kinds", "what must hold", "codes, among others")


def test_the_checks_are_those_of_the_code() -> None:
    coded = {code.removeprefix("check-") for code in TEXTS if code.startswith("check-")}
    steps = set()
    for name in ("verifier.anchors", "verifier.check"):
        made = source(importlib.import_module(name))
        steps |= set(re.findall(r'step\((?:report, )?"([a-z]+)"\)', made))
    stated = {row[0].strip("`") for row in checks()}
    assert stated == steps
    assert stated <= coded


@pytest.mark.parametrize("name", ["bundle", "span", "free"])
def test_the_checks_of_the_example_are_in_the_order_of_the_document(name: str) -> None:
    from verifier.check import check_file

    policy = parse_policy((EXAMPLES / "policy").read_bytes())
    report = check_file((EXAMPLES / f"{name}.json").read_bytes(), policy)
    kind = report.facts["kind"]
    made = ("all", "with a quorum in hand")
    stated = [row[0].strip("`") for row in checks() if row[1] in made or kind in row[1]]
    assert [check.code for check in report.checks] == stated


def test_every_code_of_the_document_is_in_the_catalogue() -> None:
    table = "".join(row[3] for row in checks())
    refusals = "".join(row[0] for row in rows(TEXT, "code", "reason"))
    for code in _CODE.findall(table + refusals):
        assert code in TEXTS, code


def test_why_a_reduction_is_refused_is_what_the_rules_say() -> None:
    rules = importlib.import_module("chain.rules")
    coded = set(re.findall(r'Refused\(\s*"([a-z-]+)"', source(rules)))
    assert {row[0].strip("`") for row in rows(TEXT, "code", "reason")} == coded


def test_the_verdicts_are_those_of_the_code() -> None:
    coded = {code.removeprefix("verdict-") for code in TEXTS if code.startswith("verdict-")}
    assert {row[0].strip("`") for row in rows(TEXT, "verdict", "when", "exit")} == coded


def test_every_section_is_in_the_contents() -> None:
    for number, title in re.findall(r"^## ([0-9]+)\. (.*)$", TEXT, re.M):
        anchor = re.sub(r"[^a-z0-9 -]", "", f"{number}. {title}".lower()).replace(" ", "-")
        assert f"{number}. [{title}](#{anchor})" in TEXT, title
