"""Keys, notes, trees of a log and trust policies, read from docs/spec.md alone.

The checker is in independent_checker.py; § is a section of the specification.
"""

import copy
import re

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from independent_forms import FOREVER, H, full, need, obj, read_json, u, unbase64, unhex, whole

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493  # §5, ed25519
Y8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
Q = 2**256 - 2**224 + 2**192 + 2**96 - 1  # §5, es256
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
TYPES = {1: (-8, False), 4: (-8, True), 6: (-48, True)}  # the suite, and whether it cosigns


def sound_y(data):
    y = int.from_bytes(data, "little") % 2**255
    need(y < P and y not in (0, 1, P - 1, Y8, P - Y8))
    return y


def sound_key(alg, raw):
    need(len(raw) == {-8: 32, -7: 65, -48: 1312}[alg])
    if alg == -8:
        y, d = sound_y(raw), -121665 * pow(121666, -1, P)
        need(pow((y * y - 1) * pow(d * y * y + 1, -1, P), (P - 1) // 2, P) == 1)
    if alg == -7:
        x, y = int.from_bytes(raw[1:33], "big"), int.from_bytes(raw[33:], "big")
        need(raw[0] == 4 and x < Q and y < Q and (y * y - x**3 + 3 * x - B) % Q == 0)
    return alg, raw


def participants_key(given):
    need(obj(given, "alg:i public:s")["alg"] in (-8, -7))
    return sound_key(given["alg"], unbase64(given["public"]))


def check_signature(key, signature, message):
    alg, raw = key
    need(len(signature) == (2420 if alg == -48 else 64))
    if alg == -8:
        need(int.from_bytes(signature[32:], "little") < L)
        sound_y(signature[:32])
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
    elif alg == -7:
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        need(1 <= r < N and 1 <= s <= (N - 1) // 2)
        curve, way = ec.SECP256R1(), ec.ECDSA(SHA256())
        public = ec.EllipticCurvePublicKey.from_encoded_point(curve, raw)
        public.verify(encode_dss_signature(r, s), message, way)
    else:
        MLDSA44PublicKey.from_public_bytes(raw).verify(signature, message)


def key_bytes(key):  # §4: alg (8, signed) ‖ public key
    return u(key[0] % 2**64) + key[1]


class Note:  # §18
    def __init__(self, data):
        text = data.decode()
        end = text.rindex("\n\n") + 1
        self.text, lines, self.lines = text[:end], text[end + 1 :].split("\n"), []
        need(len(data) <= 1_048_576 and len(self.text.encode()) <= 65_536)
        need(not re.search("[\0-\x09\x0b-\x1f]", text) and lines.pop() == "" and len(lines) <= 100)
        for line in lines:
            dash, name, encoded = line.split(" ")
            check_key_name(name)
            raw = unbase64(encoded)
            need(dash == "\u2014" and len(raw) > 4)
            self.lines.append((name, raw[:4], raw[4:]))
        need(self.lines)

    def checkpoint(self):
        origin, size, root, end = self.text.split("\n")
        need(origin and full("0|[1-9][0-9]{0,18}", size) and int(size) <= FOREVER and end == "")
        root = unbase64(root)
        need(len(root) == 32)
        return origin, int(size), root

    def cosigned(self, kind, name, stamp):
        """What a cosignature of a type is over."""
        if kind == 4:
            time = int.from_bytes(stamp, "big")
            return b"cosignature/v1\ntime %d\n" % time + self.text.encode()
        (origin, size, root), name = self.checkpoint(), name.encode()
        need(len(name) <= 255 and len(origin.encode()) <= 255)
        parts = [u(len(name), 1), name, stamp, u(len(origin.encode()), 1), origin.encode()]
        return b"".join([b"subtree/v1\n\0", *parts, u(0), u(size), root])

    def signed_by(self, vkey):
        name, key_id, kind, key = vkey
        found = [s for n, k, s in self.lines if (n, k) == (name, key_id)]
        for signature in found:
            if kind == 1:
                check_signature(key, signature, self.text.encode())
            else:
                need(int.from_bytes(signature[:8], "big") <= FOREVER and len(signature) > 8)
                check_signature(key, signature[8:], self.cosigned(kind, name, signature[:8]))
        return bool(found)


def check_key_name(name):
    need(name and "+" not in name and not any(map(str.isspace, name)))
    need(not re.search("[\0-\x1f]", name))


def read_vkey(text, cosigner):
    """Key name, key id, type byte and public key."""
    name, key_id, encoded = text.split("+", 2)
    check_key_name(name)
    material = unbase64(encoded)
    alg, cosigns = TYPES[material[0]]
    need(cosigns == cosigner)
    need(unhex(key_id, 4) == H(name.encode(), b"\n", material)[:4])
    return name, unhex(key_id, 4), material[0], sound_key(alg, material[1:])


def included(leaf, index, size, path, root):  # §18
    need(whole(index) and whole(size) and index < size)
    f, s, r = index, size - 1, leaf
    for p in map(unhex, path):
        need(s)
        if f & 1 or f == s:
            r = H(b"\1", p, r)
            while not f & 1 and f:
                f, s = f >> 1, s >> 1
        else:
            r = H(b"\1", r, p)
        f, s = f >> 1, s >> 1
    need(s == 0 and r == root)


def consistent(size, root, new_size, new_root, path):  # RFC 9162, section 2.1.4.2
    if size == new_size:
        need(not path and root == new_root)
        return
    path = [root, *path] if size & (size - 1) == 0 else list(path)
    need(path)
    f, s = size - 1, new_size - 1
    while f & 1:
        f, s = f >> 1, s >> 1
    old = new = path.pop(0)
    for c in path:
        need(s)
        if f & 1 or f == s:
            old, new = H(b"\1", c, old), H(b"\1", c, new)
            while f and not f & 1:
                f, s = f >> 1, s >> 1
        else:
            new = H(b"\1", new, c)
        f, s = f >> 1, s >> 1
    need((old, new, s) == (root, new_root, 0))


class Policy:  # §19
    def __init__(self, data):
        self.logs, self.witnesses, self.groups, self.quorum = [], {}, {}, None
        loose, names = set(), {"none"}
        need(len(data) <= 1_048_576 and not re.search(rb"[\0-\x08\x0b-\x1f\x7f]", data))
        for line in data.decode("utf-8", "surrogateescape").split("\n"):
            kind, *words = re.split("[ \t]+", line.strip(" \t"))
            if not kind or kind.startswith("#"):
                continue
            need(kind in ("log", "witness", "group", "quorum"))
            if kind == "log":
                need(len(words) in (1, 2))
                self.logs.append(read_vkey(words[0], False))
            elif kind == "quorum":
                need(self.quorum is None and len(words) == 1 and words[0] in names)
                self.quorum = words[0]
            else:
                name = words[0]
                need(name not in names)
                if kind == "witness":
                    need(len(words) in (2, 3))
                    self.witnesses[name] = read_vkey(words[1], True)
                else:
                    count, members = words[1], words[2:]
                    need(members and set(members) <= loose and len(set(members)) == len(members))
                    count = {"any": "1", "all": str(len(members))}.get(count, count)
                    need(full("[1-9][0-9]{0,5}", count) and int(count) <= len(members))
                    self.groups[name] = int(count), members
                    loose -= set(members)
                names.add(name), loose.add(name)
        for keys in (self.logs, list(self.witnesses.values())):
            need(len({key[3] for key in keys}) == len(keys))
        need(self.quorum is not None)

    def reached(self, cosigned):
        reached = {"none", *cosigned}
        for name, (least, members) in self.groups.items():
            if len(reached & set(members)) >= least:
                reached.add(name)
        return self.quorum in reached

    def witnessed(self, note):
        return self.reached(self.cosigners(note))

    def asks(self):  # §41
        """The quorum, whatever its parts are called."""
        of = {name: H(repr(key).encode()) for name, key in self.witnesses.items()}
        for name, (least, members) in self.groups.items():
            of[name] = H(repr((least, sorted(of[member] for member in members))).encode())
        return of.get(self.quorum)

    def of(self, log):
        """The same cosigners, for a log by this key."""
        policy = copy.copy(self)
        policy.logs = [log]
        return policy

    def cosigners(self, note):
        return [name for name, key in self.witnesses.items() if note.signed_by(key)]


def log_vkey(origin, key):
    need(key[0] == -8)
    return origin, H(origin.encode(), b"\n", b"\1", key[1])[:4], 1, key


def governed(document):  # §8
    """A witness policy as a trust policy without a log."""
    given = obj(read_json(document), "format:i auditors:d", "witnesses:d")
    auditors = obj(given["auditors"], "keys:l quorum:i faults:i")
    witnesses = obj(given.get("witnesses", {"keys": [], "quorum": 0}), "keys:l quorum:i")
    n, q, f = len(auditors["keys"]), auditors["quorum"], auditors["faults"]
    need(given["format"] == 1 and f >= 0 and q <= n and 2 * q > n + f)
    need(0 <= witnesses["quorum"] <= len(witnesses["keys"]))
    need(n + len(witnesses["keys"]) <= 32)
    lines, quorum = [], "auditors"
    for group, of in (("auditors", auditors), ("witnesses", witnesses)):
        names = [vkey.split("+")[0] for vkey in of["keys"]]
        need(all(full("[!-~]+", name) for name in names))
        need(not {"none", "auditors", "witnesses", "both"} & set(names))
        lines += [f"witness {name} {key}" for name, key in zip(names, of["keys"], strict=True)]
        if of["quorum"]:
            lines.append(f"group {group} {of['quorum']} {' '.join(names)}")
    if witnesses["quorum"]:
        lines, quorum = [*lines, "group both all auditors witnesses"], "both"
    return Policy("\n".join([*lines, f"quorum {quorum}"]).encode())
