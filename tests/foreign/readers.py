"""Reads receipts and statements with other people's packages; run in their environment alone.

Standard input is a JSON list of ``{"kind", "data", "key", "kid", "entry"}``, the bytes in
hexadecimal and the key in PEM.  Standard output is a JSON list with what each reader made of each.
"""

import json
import sys
from typing import Any

import cwt
import scitt_cose


def read_receipt(job: dict[str, str]) -> dict[str, Any]:
    """What scitt-cose says of a receipt for an entry."""
    result = scitt_cose.verify_receipt(
        bytes.fromhex(job["data"]), leaf_entry_hex=job["entry"], log_public_key_pem=job["key"]
    )
    return {
        "accepted": result.ok,
        "place": [result.tree_size, result.leaf_index, result.root],
        "claims": [result.issuer, result.subject],
        "errors": result.errors,
    }


def read_statement(job: dict[str, str]) -> dict[str, Any]:
    """What cwt says of a statement, and whether scitt-cose reads the same from it."""
    data = bytes.fromhex(job["data"])
    again = scitt_cose.parse_signed_statement(data, public_key_pem=job["key"])
    key = cwt.COSEKey.from_pem(job["key"], kid=bytes.fromhex(job["kid"]))
    try:
        protected, unprotected, payload = cwt.COSE.new().decode_with_headers(data, key)
    except (cwt.CWTError, ValueError) as error:
        return {
            "accepted": False,
            "again": again["signature_verified"],
            "error": type(error).__name__,
        }
    claims = cwt.Claims.new(protected[15])
    return {
        "accepted": True,
        "again": again["signature_verified"] and again["claims"] == protected[15],
        "claims": [claims.iss, claims.sub, claims.aud, claims.exp],
        "headers": [protected[1], protected[3], protected[4].hex(), unprotected],
        "payload": payload.hex(),
    }


READERS = {"receipt": read_receipt, "statement": read_statement}


def main() -> None:
    """Answer everything on standard input."""
    answers = [READERS[job["kind"]](job) for job in json.load(sys.stdin)]
    json.dump(answers, sys.stdout)


main()
