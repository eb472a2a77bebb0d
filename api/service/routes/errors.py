"""The pages that the types of problems point to: each code, its status, and its texts."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.service import models
from api.service.responses import Json
from keys.catalogue import LANGUAGES, TEXTS
from keys.errors import Usage

router = APIRouter(tags=["errors"])
Code = Annotated[str, Path(description="A stable code.")]
_KEPT = {"Cache-Control": "public, max-age=86400"}


@router.get("/errors", response_model=dict[str, models.Texts], summary="All codes")
def codes() -> Response:
    """Every stable code, with its texts."""
    return Json({code: _texts(code) for code in TEXTS}, headers=_KEPT)


@router.get("/errors/{code}", response_model=models.Code, summary="What a code means")
def code(code: Code) -> Response:
    """One code, with its texts in English and Chinese; in braces stands what a case names."""
    if code not in TEXTS:
        raise Usage("route-unknown", path=f"/errors/{code[:80]}")
    return Json({"code": code, "text": _texts(code)}, headers=_KEPT)


def _texts(code: str) -> dict[str, str]:
    return dict(zip(LANGUAGES, TEXTS[code], strict=True))
