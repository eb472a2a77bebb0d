"""Forged files: JSON, text, base64 and hexadecimal in any form but the one that is allowed."""

import copy
import json
from typing import Any

import pytest
from support.bundles import (
    Json,
    dump,
    failure,
    honest,
    samples,
    world,
)
from support.forging import (
    ride,
)

from keys.strict import dump_base64, dump_cbor, parse_base64


def edited(path: str, value: object) -> Json:
    """The ride's bundle with another value somewhere."""
    bundle = ride()
    at: Any = bundle
    *way, last = path.split(".")
    for name in way:
        at = at[int(name) if name.isdigit() else name]
    at[int(last) if last.isdigit() else last] = value
    return bundle


def test_duplicate_keys_fail() -> None:
    data = dump(ride()).decode()
    for before, twice in (
        ('"kind": "reduction"', '"kind": "reduction", "kind": "reduction"'),
        ('"kind": "reduction"', '"kind": "free", "kind": "reduction"'),
        ('"index": 0', '"index": 1, "index": 0'),
        ('"position": 0', '"position": 0, "\\u0070osition": 0'),
    ):
        assert before in data
        assert failure(data.replace(before, twice, 1).encode()) == "form: json-duplicate-key"


def test_duplicate_keys_inside_what_is_signed_fail() -> None:
    good = world().last
    twice = good.payload.replace(b'"height"', b'"height":1,"height"')
    assert twice != good.payload
    bundle = ride()
    bundle["seal"]["data"] = dump_base64(
        good.data.replace(dump_cbor(good.payload), dump_cbor(twice))
    )
    assert failure(bundle) == "form: json-duplicate-key"


@pytest.mark.parametrize("number", ["1.0", "0e0", "1E400", "-0.0", "NaN", "Infinity", "-Infinity"])
def test_floats_fail(number: str) -> None:
    data = dump(ride()).decode()
    for name in ("index", "position", "start", "alg"):
        at = data.index(f'"{name}": ') + len(name) + 4
        end = at + len(data[at:].split(",")[0].rstrip("}"))
        assert failure((data[:at] + number + data[end:]).encode()) == "form: json-float"


@pytest.mark.parametrize(
    "number", [str(2**63), str(-(2**63) - 1), "1" * 30, "9" * 1_000_000, "-" + "9" * 5_000]
)
def test_huge_integers_fail(number: str) -> None:
    data = dump(ride()).decode()
    assert failure(data.replace('"index": 0', f'"index": {number}', 1).encode()) == (
        "form: json-integer-range"
    )


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("depth", [9, 1_000, 300_000])
def test_deep_nesting_fails(opening: str, depth: int) -> None:
    deep = opening * depth
    assert failure(deep.encode()).split(": ")[1] in ("json-depth", "json-invalid")
    data = dump(ride()).decode()
    for place in ('"activity": null', '"books": {'):
        forged = data.replace(place, f"{place.split(':')[0]}: {deep}", 1)
        assert failure(forged.encode()).startswith("form: json-")


def test_a_file_that_is_too_long_fails() -> None:
    data = dump(ride())
    assert failure(data + b" " * 2**24) == "form: json-size"


def variants_of_base64(text: str) -> list[str]:
    """Other ways to write the same bytes, or nearly."""
    variants = [
        text.rstrip("="),
        text + "=",
        text + "====",
        text + "\n",
        " " + text,
        text[:4] + "\n" + text[4:],
        text.replace("+", "-").replace("/", "_") + ("" if {"+", "/"} & set(text) else "-"),
        text[:8] + "!" + text[8:],
        "\uff21" + text[1:],
        "",
    ]
    return [variant for variant in variants if variant != text]


def test_base64_that_is_not_canonical_fails() -> None:
    for name in ("genesis", "seal", "submission"):
        text = ride()[name]["data"]
        for forged in variants_of_base64(text):
            assert failure(edited(f"{name}.data", forged)).startswith("form: ")
    for path in ("reduction.data", "signer.key.public"):
        of, *rest = path.split(".")
        text = ride()[of][rest[0]] if len(rest) == 1 else ride()[of][rest[0]][rest[1]]
        for forged in variants_of_base64(text):
            assert failure(edited(path, forged)).split(": ")[0] in ("form", "reduction")


def test_base64_with_bits_that_nobody_reads_fails() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    text = ride()["signer"]["key"]["public"]
    assert text.endswith("=") and not text.endswith("==")
    last = alphabet.index(text[-2])
    assert last % 4 == 0
    for unread in (1, 2, 3):
        forged = text[:-2] + alphabet[last + unread] + "="
        assert failure(edited("signer.key.public", forged)) == "form: base64-not-canonical"


def test_base64_of_a_note_that_is_not_canonical_fails() -> None:
    checkpoint = ride()["checkpoint"]
    for forged in (
        checkpoint.replace("=\n", "\n", 1),
        checkpoint.rstrip("\n"),
        checkpoint + "\n",
        checkpoint.replace("\u2014", "-"),
        checkpoint.replace("\n", "\r\n"),
        checkpoint.replace("\n\n", "\n\n\n"),
        checkpoint.replace(f"\n{honest().size}\n", f"\n0{honest().size}\n"),
        checkpoint.replace(f"\n{honest().size}\n", f"\n+{honest().size}\n"),
        "",
        "\n",
        "\n\n",
        checkpoint * 200,
    ):
        assert failure({**ride(), "checkpoint": forged}).split(": ")[0] in ("form", "checkpoint")


def test_text_that_is_not_in_normal_form_c_fails() -> None:
    decomposed = "e\u0301"
    for path in ("checkpoint", "activity", "scenario.document", "methodology.document", "kind"):
        assert failure(edited(path, decomposed)).endswith(": text-not-nfc")
        escaped = json.dumps(edited(path, decomposed)).encode()
        assert failure(escaped).endswith(": text-not-nfc")
    assert failure({**ride(), decomposed: 1}).endswith(": text-not-nfc")
    # In a document, where escapes hide it from the file's own check.
    document = ride()["scenario"]["document"].replace('"region"', '"region\\u0065\\u0301"')
    assert failure(edited("scenario.document", document)) == "scenario: text-not-nfc"


def test_text_that_is_no_unicode_fails() -> None:
    data = json.dumps(edited("activity", "\ud800")).encode()
    assert failure(data) == "form: text-not-utf8"
    for bad in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", dump(ride()).decode().encode("utf-16")):
        assert failure(bad).startswith("form: ")
    assert failure(b"\xef\xbb\xbf" + dump(ride())) == "form: json-invalid"


@pytest.mark.parametrize(
    "path",
    [
        "genesis.path.0",
        "seal.path.0",
        "submission.path.0",
        "reduction.path.0",
        "rules.line",
        "rules.holder",
        "rules.path.0.1",
        "claims.0.holder",
        "claims.1.line",
    ],
)
def test_hexadecimal_in_another_form_fails(path: str) -> None:
    at: Any = ride()
    for name in path.split("."):
        at = at[int(name) if name.isdigit() else name]
    assert at.upper() != at
    for forged in (at.upper(), at[:-1], at + "0", " " + at[1:], "0x" + at[2:], "", at[:-1] + "g"):
        assert failure(edited(path, forged)) == "form: hex-not-canonical"
    for forged in (None, 5, [at], {"a": at}, True):
        assert failure(edited(path, forged)).startswith("form: ")


def objects(value: Any, path: str = "") -> list[str]:
    """The paths of all objects in a document."""
    found = [path] if isinstance(value, dict) else []
    items: Any = value.items() if isinstance(value, dict) else ()
    for name, item in enumerate(value) if isinstance(value, list) else items:
        found += objects(item, f"{path}.{name}" if path else str(name))
    return found


@pytest.mark.parametrize("name", ["ride", "span of seconds", "free between two"])
def test_unknown_fields_fail_wherever_they_stand(name: str) -> None:
    for path in objects(samples()[name]):
        bundle = copy.deepcopy(samples()[name])
        at: Any = bundle
        for part in path.split(".") if path else ():
            at = at[int(part) if part.isdigit() else part]
        for extra in ("more", "", "Kind", "kind ", "\u212aind"):
            at[extra] = None
            assert failure(bundle).startswith("form: "), (path, extra)
            del at[extra]


@pytest.mark.parametrize("name", ["ride", "span of seconds", "free between two"])
def test_missing_fields_fail_wherever_they_stood(name: str) -> None:
    for path in objects(samples()[name]):
        at: Any = samples()[name]
        for part in path.split(".") if path else ():
            at = at[int(part) if part.isdigit() else part]
        for field in at:
            bundle = copy.deepcopy(samples()[name])
            holder: Any = bundle
            for part in path.split(".") if path else ():
                holder = holder[int(part) if part.isdigit() else part]
            del holder[field]
            said = failure(bundle)
            assert said.startswith("form: ") or "free-root-differs" in said, (path, field)


@pytest.mark.parametrize(
    "other",
    ["tally-bundle/2", "tally-bundle/1 ", "TALLY-BUNDLE/1", "", None, 1, ["tally-bundle/1"]],
)
def test_another_format_version_fails(other: object) -> None:
    assert failure({**ride(), "format": other}) == "form: format-unknown"


@pytest.mark.parametrize("other", ["Reduction", "", None, 1, ["reduction"], "x" * 99])
def test_another_kind_fails(other: object) -> None:
    assert failure({**ride(), "kind": other}) == "form: format-unknown"


def test_a_kind_with_the_fields_of_another_fails() -> None:
    for name, bundle in samples().items():
        for kind in ("reduction", "span", "free"):
            if kind != bundle["kind"]:
                assert failure({**bundle, "kind": kind}).startswith("form: field-"), name


@pytest.mark.parametrize(
    "data", [b"", b" ", b"null", b"[]", b"{}", b"1", b'"tally-bundle/1"', b"{", b"\0", b"{}{}"]
)
def test_what_is_no_bundle_fails(data: bytes) -> None:
    assert failure(data).startswith("form: ")


def test_something_after_the_document_fails() -> None:
    for more in (b"x", b"{}", b"\0", b"//", dump(ride())):
        assert failure(dump(ride()) + more) == "form: json-invalid"


def test_nothing_is_taken_from_a_statement_but_through_its_bytes() -> None:
    # A statement written in another way is another entry, and no statement of ours.
    data = parse_base64(ride()["submission"]["data"])
    assert data[:2] == b"\xd2\x84"
    for forged in (b"\xd8\x12" + data[1:], data[:1] + b"\x9f" + data[2:] + b"\xff", data + b"\0"):
        assert failure(edited("submission.data", dump_base64(forged))).startswith("form: ")
