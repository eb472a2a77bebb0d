"""The trees over files of reductions: what they give is what the whole file would, in bounds."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain import merkle
from chain.files import Files
from chain.paths import reductions_path
from chain.reductions import SUBMISSION_COUNT_MAX
from chain.store.submissions import SubmissionTree, SubmissionTrees
from keys.errors import Malformed, Unreadable, Usage


def file_of(datas: list[bytes]) -> bytes:
    return b"".join(len(data).to_bytes(2) + data for data in datas)


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=40), st.data())
def test_a_tree_gives_the_paths_of_the_file(datas: list[bytes], data: st.DataObject) -> None:
    file = file_of(datas)
    tree = SubmissionTree(file)
    leaves = merkle.leaf_hashes(datas)
    position = data.draw(st.integers(0, len(datas) - 1))
    start, end = tree.within(position)
    assert len(tree) == len(datas)
    assert file[start:end] == datas[position]
    assert tree.leaf(position) == leaves[position]
    assert tree.path(position) == merkle.inclusion_path(leaves, position)
    with pytest.raises(Usage):
        tree.path(len(datas))


def test_the_greatest_file_takes_72_bytes_for_each_reduction() -> None:
    tree = SubmissionTree(file_of([b"a reduction"] * SUBMISSION_COUNT_MAX))
    assert tree.size <= 73 * SUBMISSION_COUNT_MAX
    with pytest.raises(Malformed):
        SubmissionTree(file_of([b"a reduction"])[:-1])


def test_the_trees_that_were_asked_for_last_are_remembered(tmp_path: Path) -> None:
    files = Files(tmp_path)
    roots = []
    for number in range(4):
        datas = [b"%d/%d" % (number, n) for n in range(8)]
        roots.append(merkle.root(merkle.leaf_hashes(datas)))
        files.write({reductions_path(roots[-1]): file_of(datas)})
    size = SubmissionTree(file_of(datas)).size
    trees = SubmissionTrees(files, bytes_max=2 * size)
    kept = [trees.tree(root) for root in roots[:2]]
    assert trees.tree(roots[0]) is kept[0]
    third = trees.tree(roots[2])
    # The second was not asked for the longest.
    assert [trees.tree(root) for root in (roots[0], roots[2])] == [kept[0], third]
    assert trees.tree(roots[1]) is not kept[1]
    assert trees.reduction_bytes(roots[3], 5) == b"3/5"
    with pytest.raises(Unreadable):
        trees.tree(bytes(32))
