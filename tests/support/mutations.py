"""Mutations of bundles: by structure, so that they reach deep, and of the raw bytes.

`mutate` takes a pool of good bundles and gives a file that is one of them with one to three changes
at random places: a node deleted, doubled, swapped, of another type, or from another bundle; numbers
off by one, huge or negative; hashes, signatures and documents with a bit or a part changed; text
with what Unicode has to offer; the signature lines of notes rearranged.

An operator can sign anything: `signed` changes what stands behind signatures and in the register,
and signs it anew.
"""

import base64
import copy
import json
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from random import Random
from typing import Any

from support.bundles import Json, World, dump, ledger, samples, world
from support.city import TODAY, key

from chain.reductions import Reduction
from chain.spans import Span, make_holder
from keys.statements import Statement, sign_statement
from keys.strict import dump_base64, dump_cbor, dump_json, parse_cbor

Place = tuple[Any, Any]
"""A container and the key or index of a node in it."""

TRICKS = (
    "\0",
    "\n",
    "\x1b[2J",
    "\x7f",
    "\u0301",
    "\u200d",
    "\u202e",
    "\u2028",
    "\u212b",
    "\uff10",
    "\ufeff",
    "\U0001f600",
    "\ud800",
    " ",
    '"',
    "\\",
    "{x}",
    "%s",
)
NUMBERS = (0, 1, -1, 2**31, 2**53, 2**62, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**40)
OTHERS: tuple[Any, ...] = (None, True, False, 0, 1, "", "x", [], {}, [[]], [None], {"a": 1}, 1.5)


def places(value: Any) -> Iterator[Place]:
    """Every node below ``value``, by where it stands."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in list(items):
        yield value, name
        if isinstance(item, (dict, list)):
            yield from places(item)


def mutate(random: Random, pool: Sequence[Json]) -> bytes:
    """One mutated file."""
    base = random.choice(pool)
    if random.random() < 0.15:
        return _raw(random, dump(base), dump(random.choice(pool)))
    bundle = json.loads(json.dumps(base))
    for _ in range(random.choice((1, 1, 1, 1, 2, 3))):
        _change(random, bundle, random.choice(pool))
    return json.dumps(bundle, ensure_ascii=random.random() < 0.3).encode("utf-8", "surrogatepass")


def _change(random: Random, bundle: Json, other: Json) -> None:
    chosen = list(places(bundle))
    # Most nodes are hashes in paths; half of the time one is taken from the first levels.
    tops = {id(bundle), *map(id, bundle.values())}
    shallow = [place for place in chosen if id(place[0]) in tops]
    parent, name = random.choice(shallow if random.random() < 0.5 else chosen)
    value = parent[name]
    changes: list[Callable[[], Any]] = [
        lambda: _structure(random, parent, name, chosen),
        *[lambda: _splice(random, bundle, parent, name, other)] * 3,
        lambda: parent.__setitem__(name, _other(random)),
    ]
    if isinstance(value, bool) or value is None:
        pass
    elif isinstance(value, int):
        changes += [lambda: parent.__setitem__(name, _number(random, value))] * 12
    elif isinstance(value, str):
        changes += [lambda: parent.__setitem__(name, _string(random, value, chosen))] * 12
    random.choice(changes)()


def _other(random: Random) -> Any:
    return copy.deepcopy(random.choice(OTHERS))


def _structure(random: Random, parent: Any, name: Any, chosen: Sequence[Place]) -> None:
    value = parent[name]
    match random.randrange(5):
        case 0:
            del parent[name]
        case 1 if isinstance(parent, list):
            parent.insert(random.randrange(len(parent) + 1), copy.deepcopy(value))
        case 1:
            parent[str(name) + random.choice(("", "2", " ", "\0"))] = copy.deepcopy(value)
        case 2:
            there, other = random.choice(chosen)
            parent[name], there[other] = there[other], value
        case 3 if isinstance(parent, list):
            random.shuffle(parent)
        case _:
            parent[name] = random.choice(
                ([value], {"x": value}, str(value), [value, copy.deepcopy(value)])
            )


def _splice(random: Random, bundle: Json, parent: Any, name: Any, other: Json) -> None:
    """Take what stands in the same place, or under the same name, or just anything, elsewhere."""
    theirs = list(places(json.loads(json.dumps(other))))
    shared = [key for key in bundle if key in other]
    named = [there[key] for there, key in theirs if key == name]
    match random.randrange(8):
        case 0 | 1 | 2 if shared:
            for key in random.sample(shared, random.randint(1, min(3, len(shared)))):
                bundle[key] = json.loads(json.dumps(other[key]))
        case 3 | 4 | 5 | 6 if named:
            parent[name] = random.choice(named)
        case _:
            there, key = random.choice(theirs)
            parent[name] = there[key]


def _number(random: Random, value: int) -> int:
    return random.choice(
        (
            value + 1,
            value - 1,
            -value,
            value * 2,
            value // 2,
            value ^ 1 << random.randrange(63),
            value + random.choice((-86_400, -3600, -60, 60, 3600, 86_400)),
            random.choice(NUMBERS),
        )
    )


def _string(random: Random, value: str, chosen: Sequence[Place]) -> str:
    kinds: list[Callable[[], str]] = [
        lambda: _cut(random, value),
        lambda: _insert(random, value, random.choice(TRICKS)),
        lambda: _insert(random, value, random.choice("0aA=/+\u4e00")),
        value.upper,
        lambda: _like(random, value, chosen),
    ]
    if value[:1] == "{":
        kinds += [lambda: _document(random, value)] * 9
    elif "\n\n" in value:
        kinds += [lambda: _note(random, value)] * 12
    elif len(value) > 1 and set(value) <= set("0123456789abcdef"):
        digits = value.rjust(len(value) + 1 & ~1, "0")
        kinds += [lambda: _flip(random, bytes.fromhex(digits)).hex()] * 6
        kinds += [lambda: _like(random, value, chosen)] * 6
    elif len(value) > 40:
        kinds += [lambda: _base64(random, value)] * 9
    return random.choice(kinds)()


def _cut(random: Random, value: str) -> str:
    at = random.randrange(len(value) + 1)
    return random.choice((value[:at], value[at:], value[:at] + value[at + 1 :], value * 2))


def _insert(random: Random, value: str, more: str) -> str:
    at = random.randrange(len(value) + 1)
    return value[:at] + more + value[at + random.randrange(2) :]


def _like(random: Random, value: str, chosen: Sequence[Place]) -> str:
    """Another text of the same length from the same bundle: a hash for a hash."""
    alike = [
        there[key]
        for there, key in chosen
        if isinstance(there, (dict, list))
        and ((isinstance(key, int) and key < len(there)) or key in there)
        and isinstance(there[key], str)
        and len(there[key]) == len(value)
    ]
    return random.choice(alike) if alike else value[::-1]


def _flip(random: Random, data: bytes) -> bytes:
    changed = bytearray(data or b"\0")
    changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _base64(random: Random, value: str) -> str:
    try:
        data = base64.b64decode(value)
    except ValueError:
        return value
    at = random.randrange(len(data) + 1)
    return dump_base64(
        random.choice((_flip(random, data), data[:at], data[at:], data + b"\0", data[:at] + data))
    )


def alter(random: Random, value: Any) -> None:
    """Change one node of a JSON value, or of anything of lists and maps, in place."""
    parent, name = random.choice(list(places(value)))
    item = parent[name]
    if type(item) is int:
        parent[name] = _number(random, item)
    elif isinstance(item, str) and random.random() < 0.6:
        parent[name] = _string(random, item, [])
    elif random.random() < 0.5:
        parent[name] = _other(random)
    else:
        _structure(random, parent, name, [(parent, name)])


def _document(random: Random, value: str) -> str:
    try:
        document = json.loads(value)
        alter(random, document)
    except (ValueError, IndexError):
        return value + " "
    return json.dumps(document, ensure_ascii=False)


def _note(random: Random, value: str) -> str:
    text, _, signed = value.partition("\n\n")
    lines = signed.splitlines()
    match random.randrange(6):
        case 0:
            random.shuffle(lines)
        case 1 if lines:
            lines.pop(random.randrange(len(lines)))
        case 2 if lines:
            lines.insert(random.randrange(len(lines)), random.choice(lines))
        case 3 if lines:
            at = random.randrange(len(lines))
            head, _, encoded = lines[at].rpartition(" ")
            lines[at] = f"{head} {_base64(random, encoded)}"
        case 4:
            parts = text.split("\n")
            if len(parts) > 1 and parts[1].isdigit() and len(parts[1]) < 19:
                parts[1] = str(_number(random, int(parts[1])))
            text = "\n".join(parts)
        case _:
            lines.append("\u2014 stranger.example " + dump_base64(random.randbytes(76)))
    return text + "\n\n" + "".join(line + "\n" for line in lines)


def _raw(random: Random, data: bytes, other: bytes) -> bytes:
    at, end = sorted(random.randrange(len(data) + 1) for _ in range(2))
    near = min(at + random.randrange(1, 9), len(data))
    match random.randrange(9):
        case 0 | 1:
            return _flip(random, data)
        case 2:
            return data[:at]
        case 3:
            return data[:at] + data[near:]
        case 4:
            return data[:at] + random.randbytes(random.randrange(1, 5)) + data[near:]
        case 5:
            return data[:at] + data[at:near] * 2 + data[near:]
        case 6:
            return data[:at] + other[at:]
        case 7:
            return data[:at] + random.choice(TRICKS).encode("utf-8", "surrogatepass") + data[at:]
        case _:
            return data[:at] + data[end:]


# --- what an operator signs ---


def signed(random: Random, forged: World) -> Json:
    """The bundle of a ride of a ledger in which one thing behind the signatures is mutated."""
    bundle = dict(samples()["ride, disclosed"])
    index, seal = ledger().rides.index, None
    (position, reduction) = (1, forged.batches[index][1])
    lines = {
        "classes": forged.line("classes"),
        "scenario": forged.line("scenario", "city-bus"),
        "methodology": forged.line("methodology", "bus-ride-by-code"),
    }
    target = random.choice(("genesis", "submission", "seal", "reduction", "activity", *lines))
    if target in lines:
        span = next(s for s in forged.spans.values() if s.line == lines[target])
        document = altered_json(random, forged.documents[span.holder])
        forged.publish(span.line, document, target, span.start, span.end)
    elif target == "seal":
        good = forged.seal()
        seal = again(good, altered_json(random, good.payload), "operator")
    elif target in ("genesis", "submission"):
        at = 0 if target == "genesis" else index
        good = forged.statements[at]
        forged.statements[at] = again(good, altered_json(random, good.payload), good.issuer)
    else:
        if target == "activity":
            line = altered_json(random, bundle["activity"].encode())
            bundle["activity"] = line.decode()
            digest = sha256(b"tally/activity/v1\n" + line).digest()
            data = Reduction.make(
                *(reduction.platform, reduction.scenario, reduction.version, reduction.day),
                *(reduction.grams, reduction.claims, digest),
            ).data
        else:
            parts = parse_cbor(reduction.data)
            for _ in range(random.randint(1, 2)):
                alter(random, parts)
            data = dump_cbor(parts)
        leaf = sha256(b"\0" + data).digest()
        body = forged.statements[index].body | {"root": leaf.hex(), "count": 1}
        forged.statements[index] = again(forged.statements[index], dump_json(body), "metro-app")
        bundle["reduction"] = {"position": 0, "data": dump_base64(data), "path": []}
        holder = make_holder("reduction", leaf)
        forged.put(*(s._replace(holder=holder) for s in spans_of(forged, reduction)))
        reduction = None
    sealed = forged.sealed(seal)
    spans = spans_of(world(), world().batches[index][position])
    return {
        **bundle,
        **sealed.common("reduction"),
        **sealed.submitted(index),
        "scenario": sealed.document(lines["scenario"], TODAY),
        "methodology": sealed.document(lines["methodology"], TODAY),
        "claims": [sealed.held(span.line, span.start) for span in spans],
    }


def spans_of(of: World, reduction: Reduction) -> list[Span]:
    """The spans that a reduction holds, in the order of its claims."""
    lines = [claim.line for claim in reduction.claims]
    held = [span for span in of.spans.values() if span.holder == reduction.holder]
    return sorted(held, key=lambda span: lines.index(span.line))


def altered_json(random: Random, data: bytes) -> bytes:
    value = json.loads(data)
    for _ in range(random.randint(1, 2)):
        alter(random, value)
    return json.dumps(value, ensure_ascii=False).encode()


def again(statement: Statement, payload: bytes, issuer: str) -> Statement:
    """The statement with another payload, signed anew."""
    return sign_statement(
        key(issuer),
        kind=statement.kind,
        issuer=issuer,
        subject="mutated",
        audience=statement.audience,
        expires=statement.expires,
        payload=payload,
    )
