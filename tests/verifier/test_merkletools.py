"""A reduction's place in its submission, as another implementation checks it."""

import json
from hashlib import sha256

import pytest
from merkletools import MerkleTools
from support.bundles import ledger, world

from api.proving import merkletools_proof
from chain.merkle import leaf_hash
from keys.errors import Usage

SMALL = ledger()
STORE = SMALL.city.store


def tools() -> MerkleTools:
    """merkletools, its nodes hashed as RFC 9162, section 2.1.1, has them."""
    made = MerkleTools()
    made.hash_function = lambda data: sha256(b"\x01" + data)
    return made


def test_every_recorded_reduction_is_where_the_proof_says() -> None:
    proved = 0
    for index, reductions in world().batches.items():
        for reduction in reductions:
            try:
                made = merkletools_proof(STORE, reduction.leaf)
            except Usage as error:
                assert error.code == "reduction-unknown"
                continue
            assert made["target"] == leaf_hash(reduction.data).hex()
            assert made["root"] == world().statements[index].body["root"]
            assert tools().validate_proof(made["proof"], made["target"], made["root"])
            assert json.loads(json.dumps(made)) == made
            proved += 1
    assert proved == 17


def test_nothing_else_is() -> None:
    first, second, third, *_ = world().batches[SMALL.rides.index]
    made = merkletools_proof(STORE, first.leaf)
    validate = tools().validate_proof
    assert validate(made["proof"], made["target"], made["root"])
    assert not validate(made["proof"], second.leaf.hex(), made["root"])
    assert not validate(made["proof"][:-1], made["target"], made["root"])
    assert not validate(made["proof"][::-1], made["target"], made["root"])
    assert not validate(merkletools_proof(STORE, third.leaf)["proof"], made["target"], made["root"])
    other = merkletools_proof(STORE, world().batches[SMALL.trips.index][0].leaf)
    assert not validate(made["proof"], made["target"], other["root"])
    # With its own hash of nodes, without the 0x01, it is another tree.
    assert not MerkleTools().validate_proof(made["proof"], made["target"], made["root"])


def test_a_batch_of_one_needs_no_path() -> None:
    (only,) = world().batches[SMALL.again.index]
    made = merkletools_proof(STORE, only.leaf)
    assert made["proof"] == []
    assert tools().validate_proof(made["proof"], made["target"], made["root"])


def test_what_is_not_recorded_has_no_proof() -> None:
    with pytest.raises(Usage, match="reduction-unknown"):
        merkletools_proof(STORE, bytes(32))
