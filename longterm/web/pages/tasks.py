"""Tasks: the waits that are for somebody, and the form in which each is answered.

The answer is the claim: the first wins, and whoever comes later is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from longterm._turns.threads import in_thread
from longterm.engine import Engine
from longterm.errors import InvalidValue, RunNotSuspended, StaleEvent, WrongEvent
from longterm.run import Run, RunState
from longterm.unread import Receipt
from longterm.web.pages.answer import BadForm, read
from longterm.web.pages.form import Field, blame
from longterm.web.pages.look import PAGE, awaited_by_people, is_overdue, said_by, what_ended
from longterm.web.pages.rendering import go_to, number_in, page, show, submitted
from longterm.web.pages.waits import asked_in, deliver, form_of, title_of
from longterm.web.permission import About, Action
from longterm.web.refusals import BadRequest
from longterm.web.site import Site, site_of

_MOST_PAGES: Final = 4
"""So many pages of suspended runs are looked through for those that are somebody's."""


@dataclass(frozen=True)
class Question:
    """One event of a task: a form, or what can be sent without one."""

    name: str
    title: str
    form: Field


def questions_of(
    run: Run, written: Mapping[str, Mapping[str, str]] | None = None
) -> list[Question]:
    """Return the forms in which a run's wait can be answered.

    Args:
        run: the run.
        written: what was written into the form of an event.
    """
    forms = {
        name: form_of(run, name, (written or {}).get(name), ids=f"form-{number}")
        for number, name in enumerate(awaited_by_people(run))
    }
    return [Question(name, title_of(run, name), form) for name, form in forms.items()]


@page
async def list_tasks(request: Request) -> Response:
    """List the tasks that a request may answer.

    They are those of `?to=`, else of `request.state.audience`, which `authorize` may set to a list
    of names, else all.
    """
    site, query = site_of(request), request.query_params
    await site.require(request, Action.LIST, About())
    to = query.get("to", "")
    names = [to] if to else list(getattr(request.state, "audience", []))
    found, last = await in_thread(find_tasks, site.engine, names, query.get("after") or None)
    mine = await site.allowed(request, Action.SEND, found)
    now = site.engine.clock.now()
    tasks = [{"run": run, "ask": asked_in(run), "late": is_overdue(run, now)} for run in mine]
    return show(
        request,
        "tasks",
        tasks=tasks,
        to=to,
        names=names,
        next=last,
        after=query.get("after", ""),
        answered=query.get("run", "") if query.get("note") else "",
    )


def find_tasks(engine: Engine, names: list[str], after: str | None) -> tuple[list[Run], str | None]:
    """Return a page of the runs whose waits are for somebody, and where the next page begins."""
    if names:
        pages = [
            engine.find_runs(state=RunState.SUSPENDED, to=name, limit=PAGE, after=after)
            for name in names
        ]
        runs = sorted({run.id: run for each in pages for run in each}.values(), key=lambda r: r.id)
        is_more = len(runs) > PAGE or any(len(each) == PAGE for each in pages)
        return runs[:PAGE], runs[:PAGE][-1].id if is_more else None
    found: list[Run] = []
    for _ in range(_MOST_PAGES):
        looked = engine.find_runs(state=RunState.SUSPENDED, limit=PAGE, after=after)
        found += [run for run in looked if run.audience]
        after = looked[-1].id if len(looked) == PAGE else None
        if after is None or len(found) >= PAGE:
            break
    return found, after


@page
async def show_task(request: Request) -> Response:
    """Show what a run asks, and the form of each event that it waits for."""
    site = site_of(request)
    run = await site.run_for(request, Action.SEND, request.path_params["run"])
    if run.state is not RunState.SUSPENDED or not awaited_by_people(run):
        return await _is_over(site, request, run)
    return await _task_page(site, request, run, questions_of(run))


async def _task_page(
    site: Site,
    request: Request,
    run: Run,
    questions: list[Question],
    status: int = 200,
    wrong: str = "",
) -> Response:
    can_see = await site.may(request, Action.SEE, run)
    said = (await in_thread(said_by, run))["response"] if can_see else []
    return show(
        request,
        "task",
        status,
        run=run,
        ask=(run.wants or {}).get("ask"),
        heading=asked_in(run),
        questions=questions,
        said=said,
        can_see=can_see,
        is_overdue=is_overdue(run, site.engine.clock.now()),
        wrong=wrong,
    )


@page
async def answer_task(request: Request) -> Response:
    """Bring a run what somebody has written into a form."""
    site, event = site_of(request), request.path_params["event"]
    run = await site.run_for(request, Action.SEND, request.path_params["run"], event)
    written = await submitted(request)
    revision = number_in(written, "#revision", "open the task again")
    if revision is None:
        raise BadRequest("the form does not say what it answers (open the task again)")
    if not _waits_still(run, event, revision):
        return await _is_over(site, request, run, revision)
    questions = questions_of(run, {event: written})
    if "#add" in written or "#remove" in written:
        return await _task_page(site, request, run, questions)
    (form,) = (each.form for each in questions if each.name == event)
    try:
        after = await deliver(site, run, event, read(form), revision)
    except BadForm:
        return await _task_page(site, request, run, questions, 422, event)
    except InvalidValue as error:
        blame(form, error.errors)
        return await _task_page(site, request, run, questions, 422, event)
    except (StaleEvent, WrongEvent, RunNotSuspended):
        return await _is_over(site, request, await site.engine.aget_run(run.id), revision)
    return go_to(request, "/tasks", note=_note_on(after), run=run.id)


def _note_on(after: Run | Receipt) -> str:
    if isinstance(after, Receipt):
        return "sent"
    return "broken" if after.state is RunState.FAILED else "answered"


def _waits_still(run: Run, event: str, revision: int) -> bool:
    is_same = run.state is RunState.SUSPENDED and run.revision == revision
    return is_same and event in awaited_by_people(run)


async def _is_over(site: Site, request: Request, run: Run, revision: int | None = None) -> Response:
    """Say that somebody was first, or that the wait has ended by itself."""
    ended = None
    if revision is not None:
        ended = await in_thread(what_ended, site.engine.store, run, revision)
    can_see = await site.may(request, Action.SEE, run)
    return show(request, "over", 409, run=run, ended=ended, can_see=can_see)
