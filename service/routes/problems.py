"""Every error code with its meaning: what the `type` of a problem points to."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.exceptions import HTTPException

from service import errors
from service.problems import Problem
from service.schemas import Shape

router = APIRouter(tags=["service"])


class ProblemType(Shape):
    """A kind of error."""

    type: str
    code: str
    status: int
    title: str
    action: str


class ProblemTypes(Shape):
    """All kinds of error."""

    items: list[ProblemType]


@router.get("/problems")
def list_problems() -> ProblemTypes:
    """Every error code that an answer can carry."""
    return ProblemTypes(items=[_shape(problem) for problem in errors.all_problems().values()])


@router.get("/problems/{code}")
def get_problem(
    code: Annotated[str, Path(max_length=80, examples=["repository_not_found"])],
) -> ProblemType:
    """What an error code means and what to do about it."""
    problem = errors.all_problems().get(code)
    if problem is None:
        raise HTTPException(404)
    return _shape(problem)


def _shape(problem: Problem) -> ProblemType:
    return ProblemType(
        type=f"/problems/{problem.code}",
        code=problem.code,
        status=problem.status,
        title=problem.title,
        action=problem.action,
    )
