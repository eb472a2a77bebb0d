"""The log's Merkle tree, held against published vectors, merkletools, and forgeries."""

from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from merkletools import MerkleTools

from chain import merkle
from chain.merkle import EMPTY_ROOT, Frontier
from keys.errors import Malformed, Usage, VerificationError

# The test inputs of Certificate Transparency's reference implementations, and their roots.
VECTOR_ENTRIES = [
    bytes.fromhex(text)
    for text in [
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
]  # fmt: skip
VECTOR_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
L = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7",
    "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7",
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "4271a26be0d8a84f0bd54c8c302e7cb3a3b5d1fa6780a40bcce2873477dab658",
    "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
    "46f6ffadd3d06a09ff3c5860d2755c8b9819db7df44251788c7d8e3180de8eb1",
]
PAIRS = [
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
]
HALVES = [
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
]
VECTOR_INCLUSIONS = [
    (0, 1, []),
    (0, 8, [L[1], PAIRS[1], HALVES[1]]),
    (5, 8, [L[4], PAIRS[3], HALVES[0]]),
    (2, 3, [PAIRS[0]]),
    (1, 5, [L[0], PAIRS[1], L[4]]),
    (6, 7, [PAIRS[2], HALVES[0]]),
]
VECTOR_CONSISTENCIES = [
    (1, 1, []),
    (1, 8, [L[1], PAIRS[1], HALVES[1]]),
    (6, 8, [PAIRS[2], PAIRS[3], HALVES[0]]),
    (2, 5, [PAIRS[1], L[4]]),
]


def make_leaves(size: int) -> list[bytes]:
    return merkle.leaf_hashes([b"entry %d" % number for number in range(size)])


LEAVES = make_leaves(130)


def recursive_root(leaves: list[bytes]) -> bytes:
    """The tree head exactly as RFC 9162, section 2.1.1, defines it."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha256(b"\x01" + recursive_root(leaves[:k]) + recursive_root(leaves[k:])).digest()


def oracle(leaves: list[bytes]) -> MerkleTools:
    """merkletools over the same leaves, told to hash inner nodes as RFC 9162 does."""
    tools = MerkleTools()
    tools.hash_function = lambda data: sha256(b"\x01" + data)
    tools.add_leaf([leaf.hex() for leaf in leaves])
    tools.make_tree()
    return tools


# --- what holds ---


@pytest.mark.parametrize("size", range(9))
def test_roots_of_the_published_vectors(size: int) -> None:
    leaves = merkle.leaf_hashes(VECTOR_ENTRIES[:size])
    assert merkle.root(leaves).hex() == VECTOR_ROOTS[size]
    assert Frontier().append(leaves).root().hex() == VECTOR_ROOTS[size]


@pytest.mark.parametrize(("index", "size", "path"), VECTOR_INCLUSIONS)
def test_inclusion_paths_of_the_published_vectors(index: int, size: int, path: list[str]) -> None:
    leaves = merkle.leaf_hashes(VECTOR_ENTRIES[:size])
    made = merkle.inclusion_path(leaves, index)
    assert [sibling.hex() for sibling in made] == path
    merkle.verify_inclusion(leaves[index], index, size, made, bytes.fromhex(VECTOR_ROOTS[size]))


@pytest.mark.parametrize(("size1", "size2", "path"), VECTOR_CONSISTENCIES)
def test_consistency_paths_of_the_published_vectors(
    size1: int, size2: int, path: list[str]
) -> None:
    leaves = merkle.leaf_hashes(VECTOR_ENTRIES[:size2])
    made = merkle.consistency_path(leaves, size1)
    assert [node.hex() for node in made] == path
    roots = [bytes.fromhex(VECTOR_ROOTS[size]) for size in (size1, size2)]
    merkle.verify_consistency(size1, roots[0], size2, roots[1], made)


def test_roots_and_all_paths_agree_with_merkletools() -> None:
    for size in range(1, 131):
        leaves = LEAVES[:size]
        tools = oracle(leaves)
        root = merkle.root(leaves)
        assert tools.get_merkle_root() == root.hex()
        paths = merkle.inclusion_paths(leaves, range(size))
        for index, path in enumerate(paths):
            proof = merkle.merkletools_proof(index, size, path)
            assert proof == tools.get_proof(index)
            assert tools.validate_proof(proof, leaves[index].hex(), root.hex())
            merkle.verify_inclusion(leaves[index], index, size, path, root)


@pytest.mark.parametrize("size", [*range(40), 127, 128, 129])
def test_roots_follow_the_definition(size: int) -> None:
    assert merkle.root(LEAVES[:size]) == recursive_root(LEAVES[:size])


def test_consistency_holds_for_all_pairs_of_sizes_to_64() -> None:
    roots = [merkle.root(LEAVES[:size]) for size in range(65)]
    for size2 in range(65):
        for size1 in range(size2 + 1):
            path = merkle.consistency_path(LEAVES[:size2], size1)
            merkle.verify_consistency(size1, roots[size1], size2, roots[size2], path)
            if size1 or not size2:  # any tree begins with the empty one
                with pytest.raises(VerificationError, match="consistency-invalid"):
                    merkle.verify_consistency(size1, roots[size1], size2, LEAVES[0][::-1], path)
            with pytest.raises(VerificationError, match="consistency-invalid"):
                merkle.verify_consistency(size1, LEAVES[0][::-1], size2, roots[size2], path)


@given(batches=st.lists(st.integers(0, 40), max_size=6))
def test_appending_a_batch_equals_appending_one_at_a_time(batches: list[int]) -> None:
    leaves = make_leaves(sum(batches))
    singly = batchwise = Frontier()
    at = 0
    for count in batches:
        batchwise = batchwise.append(leaves[at : at + count])
        at += count
    for leaf in leaves:
        singly = singly.append([leaf])
    assert singly == batchwise == Frontier().append(leaves)
    assert batchwise.size == len(leaves)
    assert batchwise.root() == merkle.root(leaves)
    assert Frontier.from_bytes(batchwise.to_bytes()) == batchwise


def test_an_append_leaves_the_old_frontier_as_it_was() -> None:
    old = Frontier().append(LEAVES[:7])
    kept = old.to_bytes()
    old.append(LEAVES[7:20])
    assert old.to_bytes() == kept


@given(size=st.integers(1, 3000), data=st.data())
def test_inclusion_holds_for_any_leaf_of_larger_trees(size: int, data: st.DataObject) -> None:
    leaves = make_leaves(size)
    index = data.draw(st.integers(0, size - 1))
    path = merkle.inclusion_path(leaves, index)
    assert merkle.root_from_inclusion(leaves[index], index, size, path) == merkle.root(leaves)


def test_the_plans_of_proofs_reach_the_largest_size() -> None:
    size = merkle.SIZE_MAX
    assert len(merkle.inclusion_ranges(0, size)) == 63
    ranges = merkle.consistency_ranges(size - 1, size)
    assert ranges[1] == (size - 1, size)
    assert all(start < end <= size for start, end in ranges)


# --- what is refused ---

SIZE = 13
TREE = LEAVES[:SIZE]
ROOT = merkle.root(TREE)
PATHS = merkle.inclusion_paths(TREE, range(SIZE))


def refused(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes = ROOT) -> None:
    with pytest.raises(VerificationError, match="inclusion-invalid"):
        merkle.verify_inclusion(leaf, index, size, path, root)


def test_an_interior_node_is_no_leaf() -> None:
    for level, nodes in enumerate(merkle.levels(TREE)[1:], 1):
        for place, node in enumerate(nodes):
            if (place << level) + 1 >= SIZE:  # a leaf that moved up stays a leaf
                continue
            path = PATHS[place << level][level:]
            for index in range(SIZE):
                refused(node, index, SIZE, path)
            # Even in the smaller tree that it would fit: what it holds is not a leaf's data.
            children = merkle.levels(TREE)[level - 1][2 * place : 2 * place + 2]
            for index in range(SIZE):
                refused(merkle.leaf_hash(b"".join(children)), index, SIZE, path)


@pytest.mark.parametrize("size", [3, 5, 6, 7, 13])
def test_a_duplicated_last_leaf_gives_another_root(size: int) -> None:
    root = merkle.root(TREE[:size])
    padded = TREE[:size]
    while len(padded) & (len(padded) - 1):
        padded = [*padded, padded[-1]]
        assert merkle.root(padded) != root
        path = merkle.inclusion_path(padded, len(padded) - 1)
        refused(padded[-1], len(padded) - 1, len(padded), path, root)
        with pytest.raises(VerificationError, match="consistency-invalid"):
            merkle.verify_consistency(size, root, len(padded), root, [])


def test_a_wrong_index_fails() -> None:
    for index, path in enumerate(PATHS):
        for other in range(-1, SIZE + 1):
            if other != index:
                refused(TREE[index], other, SIZE, path)


def test_a_wrong_size_never_proves_another_leaf() -> None:
    # A root does not commit to its size, so a path may fit several; the leaf stays the same one.
    for index, path in enumerate(PATHS):
        for size in range(SIZE + 20):
            for leaf in range(SIZE):
                if leaf != index:
                    refused(TREE[leaf], index, size, path)
    refused(TREE[12], 12, 16, PATHS[12])
    refused(TREE[3], 3, 8, PATHS[3])
    refused(TREE[3], 3, 3, PATHS[3])


def test_trailing_proof_elements_fail() -> None:
    for index, path in enumerate(PATHS):
        for extra in (*path, ROOT, bytes(32)):
            refused(TREE[index], index, SIZE, [*path, extra])
    refused(TREE[0], 0, 1, [TREE[0]], TREE[0])


def test_missing_proof_elements_fail() -> None:
    for index, path in enumerate(PATHS):
        for cut in range(len(path)):
            refused(TREE[index], index, SIZE, path[:cut])
            refused(TREE[index], index, SIZE, path[:cut] + path[cut + 1 :])


def test_a_proof_under_another_root_fails() -> None:
    for size in (SIZE - 1, SIZE + 1):
        other = merkle.root(LEAVES[:size])
        for index, path in enumerate(PATHS):
            refused(TREE[index], index, SIZE, path, other)


def test_a_changed_or_swapped_element_fails() -> None:
    for index, path in enumerate(PATHS):
        for at in range(len(path)):
            refused(TREE[index], index, SIZE, [*path[:at], bytes(32), *path[at + 1 :]])
        for at, (one, two) in enumerate(pairwise(path)):
            refused(TREE[index], index, SIZE, [*path[:at], two, one, *path[at + 2 :]])


@pytest.mark.parametrize("wrong", [b"", bytes(31), bytes(33), bytes(64)])
def test_a_hash_of_the_wrong_length_fails(wrong: bytes) -> None:
    refused(TREE[4], 4, SIZE, [wrong, *PATHS[4][1:]])
    refused(wrong, 4, SIZE, PATHS[4])
    refused(TREE[4], 4, SIZE, PATHS[4], wrong)
    refused(wrong, 0, 1, [], wrong)
    with pytest.raises(VerificationError):
        merkle.verify_consistency(4, wrong, 4, wrong, [])
    with pytest.raises(VerificationError):
        merkle.verify_consistency(3, merkle.root(TREE[:3]), SIZE, ROOT, [wrong])


def test_a_hash_cut_in_two_elsewhere_fails() -> None:
    joined = b"".join(PATHS[4])
    for cut in range(1, 32):
        edges = [0, cut, 64, 96, 128]
        refused(TREE[4], 4, SIZE, [joined[one:two] for one, two in pairwise(edges)])


@pytest.mark.parametrize(
    ("index", "size"), [(13, 13), (14, 13), (0, 0), (-1, 13), (0, -1), (2**63, 13)]
)
def test_an_index_outside_the_tree_fails(index: int, size: int) -> None:
    refused(TREE[0], index, size, PATHS[0])
    refused(TREE[0], index, size, [], TREE[0])
    with pytest.raises(Usage, match="leaf-not-in-tree"):
        merkle.inclusion_ranges(index, size)


@pytest.mark.parametrize("size", [2**63 - 1, 2**63, 2**64, 2**4096])
def test_huge_sizes_fail_at_once(size: int) -> None:
    refused(TREE[0], 0, size, PATHS[0])
    refused(TREE[0], size - 1, size, PATHS[0])
    with pytest.raises(VerificationError, match="consistency-invalid"):
        merkle.verify_consistency(SIZE, ROOT, size, ROOT, PATHS[0])
    with pytest.raises(VerificationError, match="consistency-invalid"):
        merkle.verify_consistency(size - 1, ROOT, size, ROOT, PATHS[0])


def test_a_consistency_path_with_more_or_fewer_elements_fails() -> None:
    for size1 in range(1, SIZE):
        path = merkle.consistency_path(TREE, size1)
        root1 = merkle.root(TREE[:size1])
        for forged in ([*path, ROOT], [*path, bytes(32)], [bytes(32), *path], path[:-1], path[1:]):
            with pytest.raises(VerificationError, match="consistency-invalid"):
                merkle.verify_consistency(size1, root1, SIZE, ROOT, forged)


def test_a_consistency_path_between_other_sizes_fails() -> None:
    path = merkle.consistency_path(TREE, 7)
    root1 = merkle.root(TREE[:7])
    for size1 in range(-1, SIZE + 2):
        if size1 != 7:
            with pytest.raises(VerificationError, match="consistency-invalid"):
                merkle.verify_consistency(size1, root1, SIZE, ROOT, path)
    with pytest.raises(VerificationError, match="consistency-invalid"):
        merkle.verify_consistency(SIZE, ROOT, 7, root1, path)


@pytest.mark.parametrize(
    ("size1", "root1", "size2", "root2", "path"),
    [
        pytest.param(0, ROOT, SIZE, ROOT, [], id="an empty tree with a root"),
        pytest.param(0, bytes(32), 0, bytes(32), [], id="two empty trees with another root"),
        pytest.param(0, EMPTY_ROOT, SIZE, ROOT, [ROOT], id="an empty tree with a path"),
        pytest.param(SIZE, ROOT, SIZE, ROOT, [ROOT], id="equal trees with a path"),
        pytest.param(SIZE, ROOT, SIZE, EMPTY_ROOT, [], id="one size with two roots"),
        pytest.param(4, ROOT, SIZE, ROOT, [], id="a growth without a path"),
    ],
)
def test_degenerate_consistency_claims_fail(
    size1: int, root1: bytes, size2: int, root2: bytes, path: list[bytes]
) -> None:
    with pytest.raises(VerificationError, match="consistency-invalid"):
        merkle.verify_consistency(size1, root1, size2, root2, path)


def test_a_log_that_rewrote_an_entry_is_not_consistent() -> None:
    rewritten = [*TREE[:3], bytes(32), *TREE[4:]]
    for size1 in range(4, SIZE):
        path = merkle.consistency_path(rewritten, size1)
        with pytest.raises(VerificationError, match="consistency-invalid"):
            merkle.verify_consistency(
                size1, merkle.root(TREE[:size1]), SIZE, merkle.root(rewritten), path
            )


@pytest.mark.parametrize("size1,size2", [(-1, 4), (5, 4)])
def test_sizes_out_of_order_have_no_path(size1: int, size2: int) -> None:
    with pytest.raises(Usage, match="sizes-out-of-order"):
        merkle.consistency_ranges(size1, size2)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(7),
        bytes(9),
        (3).to_bytes(8) + bytes(32),
        (4).to_bytes(8) + bytes(33),
        (2**63).to_bytes(8) + bytes(32),
    ],
)
def test_a_damaged_frontier_is_not_read(data: bytes) -> None:
    with pytest.raises(Malformed, match="frontier-malformed"):
        Frontier.from_bytes(data)


def test_a_path_of_another_length_has_no_merkletools_form() -> None:
    with pytest.raises(VerificationError, match="inclusion-invalid"):
        merkle.merkletools_proof(4, SIZE, PATHS[4][:-1])


# --- covers ---

TREES = st.integers(1, 70).flatmap(
    lambda size: st.tuples(
        st.just(size), st.sets(st.integers(0, size - 1), min_size=1, max_size=min(size, 12))
    )
)


@given(TREES)
def test_a_cover_proves_many_leaves_at_once(tree: tuple[int, set[int]]) -> None:
    size, indices = tree
    leaves = [merkle.leaf_hash(bytes([n])) for n in range(size)]
    cover, root = merkle.cover(leaves, indices), merkle.root(leaves)
    shown = {index: leaves[index] for index in indices}
    merkle.verify_cover(shown, size, cover, root)
    paths = merkle.inclusion_paths(leaves, indices)
    assert set(cover) <= {sibling for path in paths for sibling in path}
    if len(indices) == 1:
        assert sorted(cover) == sorted(paths[0])


@given(TREES, st.data())
def test_a_cover_proves_nothing_else(tree: tuple[int, set[int]], data: st.DataObject) -> None:
    size, indices = tree
    leaves = [merkle.leaf_hash(bytes([n])) for n in range(size)]
    cover, root = merkle.cover(leaves, indices), merkle.root(leaves)
    shown = {index: leaves[index] for index in indices}
    at = data.draw(st.sampled_from(sorted(indices)))
    other = merkle.leaf_hash(b"other")
    wrong = [
        ({**shown, at: other}, size, cover, root),
        ({**shown, size: other}, size, cover, root),
        ({**shown, -1: other}, size, cover, root),
        ({index: leaf for index, leaf in shown.items() if index != at}, size, cover, root),
        (shown, size, [*cover, other], root),
        (shown, size, cover, other),
        ({**shown, at: other[:-1]}, size, cover, root),
    ]
    if cover:
        place = data.draw(st.integers(0, len(cover) - 1))
        wrong.append((shown, size, [*cover[:place], other, *cover[place + 1 :]], root))
        wrong.append((shown, size, cover[:-1], root))
        wrong.append((shown, size, [*cover[:-1], b""], root))
    for given_leaves, of, hashes, top in wrong:
        with pytest.raises(VerificationError):
            merkle.verify_cover(given_leaves, of, hashes, top)


def test_a_leaf_beyond_the_tree_has_no_cover() -> None:
    for index in (-1, 3):
        with pytest.raises(Usage):
            merkle.cover_ranges([index, 1], 3)
