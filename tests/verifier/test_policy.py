"""Trust policies: which are read, which are refused, and when a quorum is reached."""

from collections.abc import Collection
from hashlib import sha256
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.bundles import (
    AUDITORS,
    ENOUGH,
    LOG_VKEY,
    PLAIN_TEXT,
    QUORUM_TEXT,
    WITNESSES,
    check,
    cosignature,
    cosigned,
    failure,
    honest,
    vkey,
    with_signatures,
)
from support.city import NOON, ORIGIN, key
from support.suites import es256, ml_dsa

from keys.errors import Malformed, VerificationError
from keys.notes import NoteKey, NoteSignature, cosign, parse_note
from keys.strict import dump_base64
from verifier.policies import policy_text
from verifier.policy import POLICY_BYTES_MAX, Policy, parse_policy

LOG = f"log {LOG_VKEY}\n"
W = [f"witness w{n} {vkey(f'w{n}')}\n" for n in range(6)]
NOBODY = "quorum none\n"


def post_quantum(name: str, key_name: str | None = None) -> str:
    """The verifier key of a cosigner with an ML-DSA key."""
    return NoteKey(f"{key_name or name}.example", ml_dsa(name).public, cosigner=True).vkey


def other_type(text: str, kind: int, raw: bytes) -> str:
    """A policy line with a key of this type byte and these bytes, its key id right."""
    material = bytes([kind]) + raw
    key_id = sha256(b"x.example\n" + material).digest()[:4].hex()
    return f"{text} x.example+{key_id}+{dump_base64(material)}\n"


def policy(*lines: str) -> Policy:
    return parse_policy("".join(lines).encode())


# --- what is read ---

TLOG_POLICY_EXAMPLE = "".join(
    [
        LOG,
        "\n",
        *(f"witness {name} {vkey(name)}\n" for name in ("X1", "X2", "X3")),
        "group X-witnesses 2 X1 X2 X3\n\n",
        *(f"witness {name} {vkey(name)}\n" for name in ("Y1", "Y2", "Y3")),
        "group Y-witnesses any Y1 Y2 Y3\n\n",
        "group X-and-Y all X-witnesses Y-witnesses\n",
        "quorum X-and-Y\n",
    ]
)

VALID = {
    "the least": NOBODY,
    "a log and no quorum": PLAIN_TEXT,
    "the example of c2sp.org/tlog-policy": TLOG_POLICY_EXAMPLE,
    "auditors and witnesses": QUORUM_TEXT,
    "urls": f"log {LOG_VKEY} https://log.example\nwitness w {vkey('w')} w.example\nquorum w\n",
    "a witness as quorum": LOG + W[0] + "quorum w0\n",
    "a log after the quorum": NOBODY + LOG,
    "a witness after the quorum": LOG + W[0] + "quorum w0\n" + W[1],
    "comments, before them spaces": "# one\n  \t# two\n#quorum x\n" + LOG + NOBODY,
    "tabs and spaces between and around": f" \tlog\t \t{LOG_VKEY} \t\n\tquorum  none\t\n",
    "lines of white space": " \n\t\n\n" + LOG + NOBODY,
    "no line feed at the end": LOG + "quorum none",
    "a name beyond ASCII": f"witness 见证人 {vkey('w')}\nquorum 见证人\n",
    "names that look alike": f"witness K {vkey('w')}\nwitness \u212a {vkey('x')}\nquorum K\n",
    "a space beyond ASCII in a name": f"witness w\u00a0w {vkey('w')}\nquorum w\u00a0w\n",
    "a group of groups": LOG + "".join(W[:2]) + "group g 1 w0\ngroup h all g w1\nquorum h\n",
    "a quorum inside another group": LOG + W[0] + "group g 1 w0\ngroup h 1 g\nquorum g\n",
    "a group of one": LOG + W[0] + "group g all w0\nquorum g\n",
    "as many as there are": LOG + "".join(W[:3]) + "group g 3 w0 w1 w2\nquorum g\n",
    "two logs": LOG + f"log {NoteKey(ORIGIN, key('next').public, cosigner=False).vkey}\n" + NOBODY,
    "the log's key as a witness": LOG + f"witness w {vkey('operator')}\nquorum w\n",
    "a witness with an ML-DSA key": LOG + f"witness w {post_quantum('w')}\nquorum w\n",
    "one key name, a key of each suite": LOG
    + f"witness w {vkey('w')}\nwitness w-pq {post_quantum('w')}\n"
    + "group both all w w-pq\nquorum both\n",
    "groups named as keywords": LOG + W[0] + "group any any w0\ngroup all all any\nquorum all\n",
}


@pytest.mark.parametrize("text", VALID.values(), ids=VALID)
def test_a_policy_that_is_read(text: str) -> None:
    read = policy(text)
    assert len(read.logs) == sum(line.split()[:1] == ["log"] for line in text.splitlines())


def test_bytes_that_are_not_utf8_are_opaque() -> None:
    read = parse_policy(b"# \xb5\xe7\nwitness w\xff " + vkey("w").encode() + b"\nquorum w\xff\n")
    assert read.is_reached(list(read.witnesses))
    with pytest.raises(Malformed):
        parse_policy(b"witness w\xff " + vkey("w").encode() + b"\nquorum w\xfe\n")


def test_a_starting_policy_names_the_log_alone() -> None:
    assert policy_text(ORIGIN, key("operator").public) == PLAIN_TEXT


INVALID = {
    "empty": "",
    "no quorum line": LOG + W[0],
    "two quorum lines": LOG + NOBODY + NOBODY,
    "two different quorum lines": LOG + W[0] + "quorum w0\n" + NOBODY,
    "a quorum of nothing": LOG + "quorum\n",
    "a quorum of two": LOG + W[0] + W[1] + "quorum w0 w1\n",
    "a quorum that is not defined": LOG + "quorum w0\n",
    "a quorum that is defined below": LOG + "quorum w0\n" + W[0],
    "a key as quorum": LOG + W[0] + f"quorum {vkey('w0')}\n",
    "an unknown line": LOG + "auditor a b\n" + NOBODY,
    "an upper-case line": LOG.replace("log", "LOG") + NOBODY,
    "a log without a key": "log\n" + NOBODY,
    "a log with three words": f"log {LOG_VKEY} https://log.example more\n" + NOBODY,
    "a witness without a name": f"witness {vkey('w')}\n" + NOBODY,
    "a witness with four words": W[0].strip() + " https://w.example more\n" + NOBODY,
    "a comment after a line": LOG + "quorum none # nobody\n",
    "a carriage return": (LOG + NOBODY).replace("\n", "\r\n"),
    "a form feed": LOG + "\f" + NOBODY,
    "a zero byte": LOG + "# \0\n" + NOBODY,
    "a delete": LOG + "# \x7f\n" + NOBODY,
    "a byte order mark": "\ufeff" + LOG + NOBODY,
    "a space beyond ASCII between": LOG.replace(" ", "\u00a0") + NOBODY,
    "too long": LOG + NOBODY + "#" * POLICY_BYTES_MAX,
    "a log twice": LOG + LOG + NOBODY,
    "a log's key under two names": LOG
    + f"log {NoteKey('other.example', key('operator').public, cosigner=False).vkey}\n"
    + NOBODY,
    "a witness's key under two key names": W[0]
    + f"witness other {vkey('w0', 'other')}\n"
    + "group g 2 w0 other\nquorum g\n",
    "a witness's key under two names": W[0] + W[0].replace("w0", "w9", 1) + NOBODY,
    "a witness twice": W[0] + W[0] + NOBODY,
    "a name for two witnesses": W[0] + W[1].replace("w1", "w0", 1) + NOBODY,
    "a name for a witness and a group": W[0] + W[1] + "group w0 any w1\n" + NOBODY,
    "a name for two groups": W[0] + W[1] + "group g any w0\ngroup g any w1\n" + NOBODY,
    "a witness called none": W[0].replace("w0", "none", 1) + NOBODY,
    "a group called none": W[0] + "group none any w0\n" + NOBODY,
    "none as a member": W[0] + "group g any w0 none\nquorum g\n",
    "a group without members": "group g any\n" + NOBODY,
    "a group without a threshold": W[0] + "group g w0\n" + NOBODY,
    "a member that is not defined": W[0] + "group g any w0 w1\n" + NOBODY,
    "a member that is defined below": W[0] + "group g any w0 w1\n" + W[1] + NOBODY,
    "a member that is a log": LOG + f"group g any {ORIGIN}\n" + NOBODY,
    "a group that is its own member": W[0] + "group g any w0 g\nquorum g\n",
    "two groups that are each other's members": W[0] + "group g any h\ngroup h any g w0\n" + NOBODY,
    "a member twice": W[0] + W[1] + "group g 2 w0 w0 w1\nquorum g\n",
    "a member of two groups": "".join(W[:3])
    + "group g all w0 w1\ngroup h all w0 w2\ngroup q all g h\nquorum q\n",
    "a group in two groups": W[0]
    + W[1]
    + "group g any w0\ngroup h any g w1\ngroup i any g\n"
    + NOBODY,
    "a member of a group and of the group around it": W[0]
    + W[1]
    + "group g any w0\ngroup h 2 g w0\nquorum h\n",
    "none of them": W[0] + "group g 0 w0\nquorum g\n",
    "more than there are": W[0] + W[1] + "group g 3 w0 w1\nquorum g\n",
    "a negative threshold": W[0] + "group g -1 w0\nquorum g\n",
    "a threshold with a plus": W[0] + "group g +1 w0\nquorum g\n",
    "a threshold with a zero before": W[0] + "group g 01 w0\nquorum g\n",
    "a threshold in other digits": W[0] + "group g \u0661 w0\nquorum g\n",
    "a huge threshold": W[0] + f"group g {10**400} w0\nquorum g\n",
    "a fraction": W[0] + "group g 1.0 w0\nquorum g\n",
    "a witness's key for a log": f"log {vkey('w')}\n" + NOBODY,
    "a log's key for a witness": f"witness w {LOG_VKEY}\n" + NOBODY,
    "an ML-DSA key for a log": f"log {post_quantum('w')}\n" + NOBODY,
    "an ML-DSA key twice": f"witness w {post_quantum('w')}\nwitness x {post_quantum('w')}\n"
    + NOBODY,
    "an ML-DSA key under two key names": f"witness w {post_quantum('w')}\n"
    + f"witness x {post_quantum('w', 'x')}\n"
    + NOBODY,
    "an ML-DSA key as a plain one": other_type("log", 1, ml_dsa("w").public.raw) + NOBODY,
    "an ML-DSA key as an Ed25519 cosigner": other_type("witness w", 4, ml_dsa("w").public.raw)
    + NOBODY,
    "an Ed25519 key as an ML-DSA cosigner": other_type("witness w", 6, key("w").public.raw)
    + NOBODY,
    "a P-256 key as a plain one": other_type("log", 1, es256("w").public.raw) + NOBODY,
    "a P-256 key as a cosigner": other_type("witness w", 4, es256("w").public.raw) + NOBODY,
    "a P-256 key as C2SP's ECDSA": other_type("witness w", 2, es256("w").public.raw) + NOBODY,
    "a key with a wrong id": LOG.replace("+", "+0", 1) + NOBODY,
    "a key of an unknown kind": "log x+00000000+fw==\n" + NOBODY,
    "a key that is no point": "log x+00000000+Af//////////////////////////////////////////8=\n"
    + NOBODY,
}


@pytest.mark.parametrize("text", INVALID.values(), ids=INVALID)
def test_a_policy_that_is_refused(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        policy(text)
    assert caught.value.code == "policy-line"
    for lang in ("en", "zh"):
        assert "{" not in caught.value.text(lang)


def test_a_refusal_names_the_line() -> None:
    with pytest.raises(Malformed) as caught:
        policy(LOG, "\n", "# a comment\n", "quorum nobody\n")
    assert caught.value.details["line"] == 4


def test_a_small_order_key_is_no_key() -> None:
    # The identity, y = 1: every message fits some signature of it.
    for first in (b"\x01", b"\x04"):
        material = first + b"\x01" + bytes(31)
        key_id = sha256(b"x\n" + material).digest()[:4].hex()
        kind = "log" if first == b"\x01" else "witness x"
        with pytest.raises(Malformed):
            policy(f"{kind} x+{key_id}+{dump_base64(material)}\n", NOBODY)


def test_many_lines_and_deep_groups_are_read_in_one_pass() -> None:
    groups = ["group g0 any w0\n"]
    groups += [f"group g{n} any g{n - 1}\n" for n in range(1, 30_000)]
    deep = policy(LOG, W[0], *groups, "quorum g29999\n")
    assert deep.is_reached(["w0"])
    assert not deep.is_reached([])


# --- when a quorum is reached ---


def reached(text: str, *names: str) -> bool:
    return policy(LOG, *W, text).is_reached(names)


@pytest.mark.parametrize(
    ("text", "enough", "too_few"),
    [
        ("quorum none\n", [()], []),
        ("quorum w0\n", [("w0",), ("w0", "w1")], [(), ("w1",), ("w1", "w2")]),
        ("group g any w0 w1\nquorum g\n", [("w0",), ("w1",)], [(), ("w2",)]),
        ("group g 2 w0 w1 w2\nquorum g\n", [("w0", "w2")], [("w0",), ("w0", "w3")]),
        ("group g all w0 w1\nquorum g\n", [("w0", "w1")], [("w0",), ("w1",), ("w0", "w2")]),
        (
            "group g 2 w0 w1 w2\ngroup h any w3 w4\ngroup q all g h\nquorum q\n",
            [("w0", "w1", "w3"), ("w1", "w2", "w4")],
            [("w0", "w1", "w2"), ("w0", "w3", "w4"), ("w3",), ()],
        ),
        (
            "group g all w0 w1\ngroup h all w2 w3\ngroup q 2 g h w4\nquorum q\n",
            [("w0", "w1", "w4"), ("w0", "w1", "w2", "w3"), ("w2", "w3", "w4")],
            [("w0", "w2", "w4"), ("w4",), ("w0", "w1", "w2")],
        ),
        ("group g any w0\ngroup h any w1\nquorum g\n", [("w0",)], [("w1",)]),
    ],
)
def test_a_quorum(
    text: str, enough: Collection[tuple[str, ...]], too_few: Collection[tuple[str, ...]]
) -> None:
    assert all(reached(text, *names) for names in enough)
    assert not any(reached(text, *names) for names in too_few)


def test_a_group_never_stands_for_a_witness_of_its_name() -> None:
    assert not reached("group g any w0\nquorum g\n", "g0", "none")


@given(st.data())
def test_a_quorum_is_what_its_definition_says(data: st.DataObject) -> None:
    """Trees of groups at random, against the definition by recursion."""
    tree: dict[str, tuple[int, list[str]]] = {}
    loose = [f"w{n}" for n in range(6)]
    lines = []
    while len(loose) > 1 and data.draw(st.booleans()):
        members = data.draw(st.lists(st.sampled_from(loose), min_size=1, unique=True))
        least = data.draw(st.integers(1, len(members)))
        name = f"g{len(tree)}"
        tree[name] = least, members
        lines.append(f"group {name} {least} {' '.join(members)}\n")
        loose = [item for item in loose if item not in members] + [name]
    quorum = data.draw(st.sampled_from(loose + list(tree)))
    cosigned_by = set(data.draw(st.lists(st.sampled_from([f"w{n}" for n in range(6)]))))

    def defined(name: str) -> bool:
        if name not in tree:
            return name in cosigned_by
        least, members = tree[name]
        return sum(map(defined, members)) >= least

    assert reached(f"{''.join(lines)}quorum {quorum}\n", *cosigned_by) == defined(quorum)


# --- on checkpoints ---

BUNDLE = honest().reduction(2, 0)
POLICY = parse_policy(QUORUM_TEXT.encode())


def test_auditors_and_witnesses_are_two_groups_and_both_must_agree() -> None:
    everyone = (*AUDITORS, *WITNESSES)
    for size in range(len(everyone) + 1):
        for names in combinations(everyone, size):
            expected = (
                len(set(names) & set(AUDITORS)) >= 3 and len(set(names) & set(WITNESSES)) >= 2
            )
            assert POLICY.is_reached(names) == expected


@pytest.mark.parametrize(
    ("names", "verdict"),
    [
        ((), "unwitnessed"),
        (AUDITORS, "unwitnessed"),
        (WITNESSES, "unwitnessed"),
        ((*AUDITORS[:2], *WITNESSES), "unwitnessed"),
        ((*AUDITORS, WITNESSES[0]), "unwitnessed"),
        (ENOUGH, "provisional"),
        ((*AUDITORS, *WITNESSES), "provisional"),
    ],
)
def test_what_cosignatures_amount_to(names: tuple[str, ...], verdict: str) -> None:
    report = check(cosigned(BUNDLE, *names), POLICY)
    assert report.verdict == verdict
    assert report.facts["cosigned_by"] == list(names)


def test_a_witness_that_signs_twice_counts_once() -> None:
    three = policy(LOG, *W[:3], "group g 2 w0 w1 w2\nquorum g\n")
    note = parse_note(BUNDLE["checkpoint"].encode())
    lines = [cosignature(note.text, "w0", NOON + second) for second in range(3)]
    bundle = with_signatures(BUNDLE, [*note.signatures, *lines, *lines])
    report = check(bundle, three)
    assert report.verdict == "unwitnessed"
    assert report.facts["cosigned_by"] == ["w0"]


def test_signatures_of_strangers_are_nobodys_concern() -> None:
    note = parse_note(BUNDLE["checkpoint"].encode())
    strangers = [cosignature(note.text, f"stranger-{n}") for n in range(20)]
    wrong = [cosignature("other\n1\n", f"stranger-{n}") for n in range(20)]
    bundle = with_signatures(BUNDLE, [*strangers, *note.signatures, *wrong])
    assert check(bundle, POLICY).facts["cosigned_by"] == []


def test_a_log_that_the_policy_does_not_name_is_not_believed() -> None:
    other = NoteKey(ORIGIN, key("someone").public, cosigner=False).vkey
    renamed = NoteKey("other.example", key("operator").public, cosigner=False).vkey
    note = parse_note(BUNDLE["checkpoint"].encode())
    for text in (NOBODY, f"log {other}\n{NOBODY}", f"log {renamed}\n{NOBODY}"):
        with pytest.raises(VerificationError, match="checkpoint-log-unknown"):
            policy(text).check(note)


def test_any_of_several_logs_is_enough() -> None:
    other = NoteKey("other.example", key("someone").public, cosigner=False).vkey
    new = NoteKey(ORIGIN, key("someone-else").public, cosigner=False).vkey
    assert check(BUNDLE, policy(f"log {other}\nlog {new}\n", LOG, NOBODY)).verdict == "provisional"


# --- cosignatures of two suites ---

TWO_SUITES = policy(
    LOG,
    f"witness w {vkey('w')}\nwitness w-pq {post_quantum('w')}\n",
    "group both all w w-pq\nquorum both\n",
)


def with_lines(*lines: NoteSignature) -> dict[str, object]:
    note = parse_note(BUNDLE["checkpoint"].encode())
    return with_signatures(BUNDLE, [*note.signatures, *lines])


def ml_dsa_line(text: str | None = None, name: str = "w", time: int = NOON) -> NoteSignature:
    text = text or parse_note(BUNDLE["checkpoint"].encode()).text
    return cosign(text, f"{name}.example", ml_dsa(name), time)


def test_a_quorum_that_asks_for_both_suites_is_reached_by_both_alone() -> None:
    text = parse_note(BUNDLE["checkpoint"].encode()).text
    edwards, post = cosignature(text, "w"), ml_dsa_line()
    for lines, names, verdict in (
        ([], [], "unwitnessed"),
        ([edwards], ["w"], "unwitnessed"),
        ([post], ["w-pq"], "unwitnessed"),
        ([edwards, edwards], ["w"], "unwitnessed"),
        ([post, post, ml_dsa_line(time=NOON + 1)], ["w-pq"], "unwitnessed"),
        ([edwards, post], ["w", "w-pq"], "provisional"),
        ([post, edwards], ["w", "w-pq"], "provisional"),
    ):
        report = check(with_lines(*lines), TWO_SUITES)
        assert (report.verdict, report.facts["cosigned_by"]) == (verdict, names)


def test_a_witness_with_an_ml_dsa_key_that_signs_twice_counts_once() -> None:
    lines = [f"witness {name} {post_quantum(name)}\n" for name in ("v", "w")]
    two = policy(LOG, *lines, "group g 2 v w\nquorum g\n")
    twice = [ml_dsa_line(time=NOON + second) for second in range(3)]
    report = check(with_lines(*twice), two)
    assert (report.verdict, report.facts["cosigned_by"]) == ("unwitnessed", ["w"])
    assert check(with_lines(*twice, ml_dsa_line(name="v")), two).verdict == "provisional"


def test_an_ml_dsa_cosignature_of_another_checkpoint_refuses_the_bundle() -> None:
    good = ml_dsa_line()
    other = ml_dsa_line(f"{ORIGIN}\n1\n{dump_base64(bytes(32))}\n")
    late = NoteSignature(good.name, good.key_id, bytes(8) + good.signature[8:])
    for line in (other, late):
        assert failure(with_lines(line), TWO_SUITES) == "checkpoint: note-signature-invalid"
        assert check(with_lines(line)).verdict == "provisional"


def test_a_cosignature_counts_for_the_key_of_its_suite_alone() -> None:
    text = parse_note(BUNDLE["checkpoint"].encode()).text
    edwards, post = cosignature(text, "w"), ml_dsa_line()
    for line in (
        NoteSignature(edwards.name, post.key_id, edwards.signature),
        NoteSignature(post.name, edwards.key_id, post.signature),
    ):
        assert failure(with_lines(line), TWO_SUITES) == "checkpoint: note-signature-invalid"
