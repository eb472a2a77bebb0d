"""The tree of the log and of submissions: RFC 9162."""

from typing import Any

from support.vectors.common import Case, Vectors, accepted, refused

from chain import merkle

Json = dict[str, Any]

# The entries that implementations of certificate transparency are commonly tried on.
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
        "606162636465666768696a6b6c6d6e6f",
    )
]
LEAVES = [merkle.leaf_hash(entry) for entry in ENTRIES]
SIZES = (1, 2, 3, 5, 7, 8)


def tree_vectors() -> Vectors:
    """trees.json."""
    more = [merkle.leaf_hash(b"%d" % number) for number in range(20)]
    roots = [*(LEAVES[:size] for size in range(9)), more]
    return Vectors(
        "The tree of the log and of submissions: leaves, roots, inclusion and consistency.",
        [18],
        {
            "leaves": [
                accepted(f"leaf {number}", entry=entry, leaf=leaf)
                for number, (entry, leaf) in enumerate(zip(ENTRIES, LEAVES, strict=True))
            ],
            "roots": [
                accepted(f"root of {len(leaves)}", leaves=leaves, root=merkle.root(leaves))
                for leaves in roots
            ],
            "inclusion": _inclusion(),
            "consistency": _consistency(),
        },
    )


def _included(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> Json:
    return {"leaf": leaf, "index": str(index), "size": str(size), "path": path, "root": root}


def _inclusion() -> list[Case]:
    made = []
    for size in SIZES:
        leaves = LEAVES[:size]
        for index in range(size):
            path = merkle.inclusion_path(leaves, index)
            given = _included(leaves[index], index, size, path, merkle.root(leaves))
            made.append(accepted(f"inclusion of {index} in {size}", **given))
    long = [merkle.leaf_hash(b"%d" % number) for number in range(63)]
    index, size = 2**62 + 5, 2**63 - 1
    root_of_long = merkle.root_from_inclusion(LEAVES[0], index, size, long)
    huge = _included(LEAVES[0], index, size, long, root_of_long)
    made.append(accepted("inclusion in the greatest of trees", **huge))
    root = merkle.root(LEAVES[:7])
    path = merkle.inclusion_path(LEAVES[:7], 2)
    good = (LEAVES[2], 2, 7, path, root)
    node = merkle.node_hash(LEAVES[2], LEAVES[3])
    tried: list[tuple[str, tuple[bytes, int, int, list[bytes], bytes]]] = [
        ("another leaf", (LEAVES[3], *good[1:])),
        ("another index", (LEAVES[2], 3, *good[2:])),
        ("an index before the first", (LEAVES[2], -1, *good[2:])),
        ("an index that is the size", (LEAVES[2], 7, *good[2:])),
        ("an index beyond 63 bits", (LEAVES[2], 2**64 + 2, *good[2:])),
        ("another size", (LEAVES[2], 2, 4, *good[3:])),
        ("size 0", (LEAVES[2], 0, 0, [], root)),
        ("a size beyond 63 bits", (LEAVES[0], index, 2**63, long, root_of_long)),
        ("another root", (*good[:4], merkle.root(LEAVES))),
        ("a path cut short", (*good[:3], path[:-1], root)),
        ("a path without its first", (*good[:3], path[1:], root)),
        ("a path with something after it", (*good[:3], [*path, bytes(32)], root)),
        ("a path that goes on above the root of one leaf",
         (LEAVES[0], 0, 1, [LEAVES[1]], merkle.node_hash(LEAVES[0], LEAVES[1]))),
        ("two steps swapped", (*good[:3], [path[1], path[0], *path[2:]], root)),
        ("a sibling of 31 bytes", (*good[:3], [path[0][:31], *path[1:]], root)),
        ("an inner node as a leaf", (node, 2, 7, path[1:], root)),
    ]  # fmt: skip
    return made + [
        refused(f"inclusion: {name}", "inclusion-invalid", **_included(*of)) for name, of in tried
    ]


def _consistent(size1: int, root1: bytes, size2: int, root2: bytes, path: list[bytes]) -> Json:
    return {
        "size1": str(size1),
        "root1": root1,
        "size2": str(size2),
        "root2": root2,
        "path": path,
    }


def _consistency() -> list[Case]:
    roots = [merkle.root(LEAVES[:size]) for size in range(9)]
    made = []
    for size2 in SIZES:
        for size1 in range(size2 + 1):
            path = merkle.consistency_path(LEAVES[:size2], size1)
            given = _consistent(size1, roots[size1], size2, roots[size2], path)
            made.append(accepted(f"consistency of {size1} with {size2}", **given))
    path = merkle.consistency_path(LEAVES[:7], 3)
    good = (3, roots[3], 7, roots[7], path)
    tried: list[tuple[str, tuple[int, bytes, int, bytes, list[bytes]]]] = [
        ("another first root", (3, roots[4], *good[2:])),
        ("another second root", (*good[:3], roots[8], path)),
        ("another first size", (5, *good[1:])),
        ("another second size", (3, roots[3], 4, *good[3:])),
        ("the sizes swapped", (7, roots[7], 3, roots[3], path)),
        ("a path cut short", (*good[:4], path[:-1])),
        ("a path with something after it", (*good[:4], [*path, bytes(32)])),
        ("no path", (*good[:4], [])),
        ("a path from the empty tree", (0, roots[0], 7, roots[7], path)),
        ("a root of the empty tree that is another", (0, roots[1], 7, roots[7], [])),
        ("a path between equal trees", (7, roots[7], 7, roots[7], path)),
        ("equal sizes with two roots", (7, roots[7], 7, roots[8], [])),
        ("a first tree below size 0", (-1, roots[0], 7, roots[7], [])),
        ("a second tree beyond 63 bits", (3, roots[3], 2**63, roots[7], path)),
        ("a hash of 31 bytes", (*good[:4], [path[0][:31], *path[1:]])),
    ]  # fmt: skip
    return made + [
        refused(f"consistency: {name}", "consistency-invalid", **_consistent(*of))
        for name, of in tried
    ]
