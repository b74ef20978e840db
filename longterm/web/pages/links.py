"""The page that a link opens, and what its button sends.

Opening a link changes nothing, since programs open links in e-mails too. The link is all that one
needs: `authorize` is not asked, and nothing is shown but what is asked.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from longterm._actor import acting_as
from longterm.errors import (
    InvalidValue,
    KeyReused,
    RunBusy,
    RunNotSuspended,
    StaleEvent,
    WrongEvent,
)
from longterm.links import InvalidLink, Link, LinkUsed
from longterm.run import Run, RunState
from longterm.unread import Receipt
from longterm.web.pages.answer import BadForm, read
from longterm.web.pages.form import Field, blame
from longterm.web.pages.look import is_overdue
from longterm.web.pages.rendering import number_in, page, show, submitted
from longterm.web.pages.waits import asked_in, deliver, form_of
from longterm.web.site import Site, site_of

_page = partial(page, template="no_answer")


@_page
async def show_link(request: Request) -> Response:
    """Show what is asked, and a form, or only a button, that answers."""
    link, run = await _opened(request)
    return _link_page(request, link, run, _form(link, run))


@_page
async def answer_link(request: Request) -> Response:
    """Bring the run the event of a link, once."""
    link, run = await _opened(request)
    written = await submitted(request)
    form = _form(link, run, written)
    if "#add" in written or "#remove" in written:
        return _link_page(request, link, run, form)
    # The form is that of a wait, which may be over by now, even if the link is for the next one.
    revision = number_in(written, "#revision", "open the link again")
    try:
        value = link.value if form is None else read(form)
        after = await _brought(site_of(request), link, run, value, revision or link.revision)
    except BadForm:
        return _link_page(request, link, run, form, 422)
    except InvalidValue as error:
        if form is None:
            raise
        blame(form, error.errors)
        return _link_page(request, link, run, form, 422)
    has_failed = isinstance(after, Run) and after.state is RunState.FAILED
    return show(request, "thanks", has_failed=has_failed)


async def _opened(request: Request) -> tuple[Link, Run]:
    """Return the link of a request, and the run whose wait it answers.

    Raises:
        InvalidLink, LinkExpired: it is none, or too old.
        LinkUsed: the run does not wait for its answer any more, or not yet.
        RunBusy: the run is in a turn, which may lead to that wait.
    """
    site = site_of(request)
    if site.engine.links is None:
        raise InvalidLink
    link = site.engine.links.read(request.path_params["token"], site.engine.clock.now())
    run = await site.engine.aget_run(link.run_id)
    if link.event_id not in run.awaits or link.revision not in (None, run.revision):
        if run.state is RunState.RUNNING:
            raise RunBusy(run.id)
        raise LinkUsed
    return link, run


async def _brought(
    site: Site, link: Link, run: Run, value: Any, revision: int | None
) -> Run | Receipt:
    """Bring the answer, under the link's own number.

    Raises:
        LinkUsed: the link was used, or the wait is over since the link was opened.
    """
    try:
        with acting_as(link.key):
            after = await deliver(site, run, link.event_id, value, revision, link.key)
    except RunBusy:
        raise
    except (KeyReused, StaleEvent, WrongEvent, RunNotSuspended):
        raise LinkUsed from None
    if after.is_duplicate:
        raise LinkUsed
    return after


def _form(link: Link, run: Run, written: Any = None) -> Field | None:
    """Return the form of an answer; None: the link has the answer in itself."""
    return None if link.has_value else form_of(run, link.event_id, written)


def _link_page(
    request: Request, link: Link, run: Run, form: Field | None, status: int = 200
) -> Response:
    return show(
        request,
        "link",
        status,
        run=run,
        event=link.event_id,
        answer=link.value,
        form=form,
        ask=(run.wants or {}).get("ask"),
        heading=asked_in(run),
        is_overdue=is_overdue(run, site_of(request).engine.clock.now()),
        wrong=status == 422,
    )
