"""What the routes have in common, said once in their description (OpenAPI 3.1).

Every operation may answer with problem details; those under the names of SCRAPI, in CBOR.  Those
that only participants may ask for name the scheme ``signature``, those that a platform's access
token opens also ``token``.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from api.service import access, models, problems

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
PROBLEMS_DESCRIBED: dict[int | str, dict[str, Any]] = {
    f"{hundred}XX": {
        "description": "Problem details.",
        "content": {
            problems.MEDIA_TYPE: {"schema": _PROBLEM},
            "application/concise-problem-details+cbor": {},
        },
    }
    for hundred in (4, 5)
}
_SCHEMES = {
    "signature": {
        "type": "http",
        "scheme": "signature",
        "description": "HTTP message signatures (RFC 9421) with the participant's ledger key.",
    },
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token, which a platform signs.",
    },
}


def describe(made: dict[str, Any], routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """The description of the routes, completed in place."""
    components = made.setdefault("components", {})
    components["securitySchemes"] = _SCHEMES
    components.setdefault("schemas", {})["Problem"] = models.Problem.model_json_schema()
    for route in routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            asked = set(_calls(route.dependant.dependencies))
            names = {access.participant: "signature", access.bearer: "token"}
            schemes = [name for call, name in names.items() if call in asked]
            for method in route.methods or ():
                operation = made["paths"][route.path_format][method.lower()]
                # Without the token a participant sees what it may see anyway.
                operation["security"] = [{name: []} for name in schemes[:1]]
                if len(schemes) > 1:
                    operation["security"].append({name: [] for name in schemes})
    return made


def _calls(dependencies: Iterable[Dependant]) -> Iterator[Any]:
    for one in dependencies:
        yield one.call
        yield from _calls(one.dependencies)
