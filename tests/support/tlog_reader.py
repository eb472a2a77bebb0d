"""Reads a log's folder as c2sp.org/tlog-tiles describes it, and imports nothing of this project.

A tile is what the text says it is: tile n of level l is the sequence of the Merkle Tree Hashes
``MTH(D[(n * 256 + i) * 256**l : (n * 256 + i + 1) * 256**l])``, RFC 6962, section 2.1.  The
checkpoint is a note of c2sp.org/signed-note by an Ed25519 key (type 0x01).  Everything that is not
as the texts say is a `ReadError`.
"""

import base64
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

WIDTH = 256
HASH_BYTES = 32


class ReadError(Exception):
    """The log is not what the specifications say."""


def need(condition: object, reason: str) -> None:
    if not condition:
        raise ReadError(reason)


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def split(size: int) -> int:
    """The largest power of two that is smaller than ``size``."""
    return 1 << (size - 1).bit_length() - 1


def tree_hash(hashes: list[bytes]) -> bytes:
    """MTH over leaf hashes, RFC 6962, section 2.1, by its recursion."""
    if len(hashes) < 2:
        return hashes[0] if hashes else hashlib.sha256(b"").digest()
    k = split(len(hashes))
    return node_hash(tree_hash(hashes[:k]), tree_hash(hashes[k:]))


def root_of_path(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root to which an audit path leads, by the recursion of RFC 6962, section 2.1.1."""
    if size == 1:
        need(not path, "the path is too long")
        return leaf
    need(path, "the path is too short")
    k, (*below, sibling) = split(size), path
    if index < k:
        return node_hash(root_of_path(leaf, index, k, below), sibling)
    return node_hash(sibling, root_of_path(leaf, index - k, size - k, below))


def tile_name(number: int) -> str:
    digits = f"{number:d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join(["x" + group for group in groups[:-1]] + groups[-1:])


def open_note(data: bytes, vkey: str) -> str:
    """The text of a signed note, if the Ed25519 key has signed it."""
    name, key_id, encoded = vkey.split("+", 2)
    material = base64.b64decode(encoded, validate=True)
    need(material[0] == 1 and len(material) == 33, "the key is not an Ed25519 key of notes")
    digest = hashlib.sha256(name.encode() + b"\n" + material).digest()
    need(digest[:4].hex() == key_id, "the key id is wrong")
    body, _, lines = data.decode("utf-8").rpartition("\n\n")
    text = body + "\n"
    for line in lines.splitlines():
        dash, signer, signature = line.split(" ")
        raw = base64.b64decode(signature, validate=True)
        need(dash == "—", "a signature line begins otherwise")
        if (signer, raw[:4]) == (name, digest[:4]):
            try:
                Ed25519PublicKey.from_public_bytes(material[1:]).verify(raw[4:], text.encode())
            except InvalidSignature:
                raise ReadError("the signature is not valid") from None
            return text
    raise ReadError("the key has not signed the note")


class Log:
    """A log in a folder, as of its checkpoint."""

    def __init__(self, folder: Path, vkey: str) -> None:
        self.folder = folder
        text = open_note((folder / "checkpoint").read_bytes(), vkey)
        origin, size, root, *extensions = text.removesuffix("\n").split("\n")
        need(origin == vkey.partition("+")[0], "the origin is another log's")
        need(size == str(int(size)) and all(extensions), "the checkpoint is malformed")
        self.origin, self.size = origin, int(size)
        self.root = base64.b64decode(root, validate=True)
        need(len(self.root) == HASH_BYTES, "the root is not 32 bytes")
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    # --- files ---

    def count(self, level: int) -> int:
        """How many hashes a level has."""
        return self.size // WIDTH**level

    def paths(self) -> set[str]:
        """Every file that the text asks for at this size, the checkpoint aside."""
        found = set()
        level = 0
        while count := self.count(level):
            for folder in [str(level), "entries"] if level == 0 else [str(level)]:
                full, width = divmod(count, WIDTH)
                found |= {f"tile/{folder}/{tile_name(number)}" for number in range(full)}
                if width:
                    found.add(f"tile/{folder}/{tile_name(full)}.p/{width}")
            level += 1
        return found

    def _read(
        self, folder: str, number: int, count: int, parse: Callable[[bytes], list[bytes]]
    ) -> list[bytes]:
        """What a tile holds up to ``count`` of its level; the full one if the partial is gone."""
        width = min(WIDTH, count - number * WIDTH)
        need(width > 0, "there is no such tile")
        path = self.folder / "tile" / folder / tile_name(number)
        partial = path.with_name(f"{path.name}.p") / str(width)
        if width < WIDTH and partial.is_file():
            held = parse(partial.read_bytes())
            need(len(held) == width, f"{partial} does not hold {width}")
        else:
            need(path.is_file(), f"{path} is missing")
            held = parse(path.read_bytes())
            need(len(held) == WIDTH, f"{path} is not full")
        return held[:width]

    def tile(self, level: int, number: int) -> list[bytes]:
        """The hashes of a tile."""
        if (level, number) not in self._tiles:
            self._tiles[level, number] = self._read(
                str(level), number, self.count(level), parse_hashes
            )
        return self._tiles[level, number]

    def entries(self) -> Iterator[bytes]:
        """Every entry, in order."""
        for number in range(-(-self.size // WIDTH)):
            yield from self._read("entries", number, self.size, parse_entries)

    # --- hashes ---

    def subtree(self, start: int, end: int) -> bytes:
        """MTH(D[start:end]) of a range that RFC 6962 hashes on the way to some root."""
        level, size = 0, end - start
        while size % WIDTH == 0:
            level, size = level + 1, size // WIDTH
        if size == 1:
            number, place = divmod(start // WIDTH**level, WIDTH)
            return self.tile(level, number)[place]
        k = split(end - start)
        return node_hash(self.subtree(start, start + k), self.subtree(start + k, end))

    def inclusion(self, index: int) -> list[bytes]:
        """The audit path of an entry (RFC 6962, section 2.1.1), from the leaf up."""
        need(0 <= index < self.size, "there is no such entry")
        path, start, end = [], 0, self.size
        while end - start > 1:
            middle = start + split(end - start)
            if index < middle:
                path.append(self.subtree(middle, end))
                end = middle
            else:
                path.append(self.subtree(start, middle))
                start = middle
        return path[::-1]

    def check(self) -> list[bytes]:
        """The leaf hashes, all of them computed from the entries.

        They are those of level 0, every hash of a level above is that of the full tile below it,
        and both ways, from the leaves and from the tiles, lead to the checkpoint's root.
        """
        leaves = [leaf_hash(entry) for entry in self.entries()]
        need(len(leaves) == self.size, "there are not as many entries as the checkpoint says")
        level, hashes = 0, leaves
        while hashes:
            count = -(-len(hashes) // WIDTH)
            held = [found for number in range(count) for found in self.tile(level, number)]
            need(held == hashes, f"level {level} is not what the level below says")
            full = len(hashes) // WIDTH
            hashes = [tree_hash(hashes[at * WIDTH : (at + 1) * WIDTH]) for at in range(full)]
            level += 1
        need(tree_hash(leaves) == self.root, "the leaves do not lead to the root")
        need(not self.size or self.subtree(0, self.size) == self.root, "the tiles do not")
        return leaves


def parse_hashes(data: bytes) -> list[bytes]:
    need(len(data) % HASH_BYTES == 0, "a tile does not hold whole hashes")
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def parse_entries(data: bytes) -> list[bytes]:
    entries, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 2], "big")
        entries.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    need(at == len(data), "a bundle ends inside an entry")
    return entries
