"""What leaves the reviews page: HTML and PDF copies, and links for readers outside."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from core import shared_links, ui, view
from core.downloads import Download
from core.export.review_html import review_html
from core.export.review_pdf import review_pdf
from core.ledger.current import get_store
from core.review_document import Document, document
from core.reviews import BadText, Review
from core.state import StateProblem, get_state
from core.ui import access


def tried(work: Callable[[], Any]) -> Any:
    """What the work gives; None when it was refused, which is told."""
    try:
        return work()
    except (BadText, StateProblem) as problem:
        ui.note("Not saved", str(problem))
        return None


def _document(review: Review, version: int, origin: str) -> Document:
    made_at = dt.datetime.now(dt.UTC)
    return document(get_state(), get_store().ask, review, version, origin, made_at)


def _file(review: Review, version: int, origin: str, form: str) -> bytes:
    made = _document(review, version, origin)
    return review_html(made).encode("utf-8", "replace") if form == "html" else review_pdf(made)


def take_away(review: Review, version: int) -> None:
    """The review as HTML and as PDF, made on the click."""
    origin = view.origin_of(st.context.url)
    with st.popover("Export", disabled=not review.views):
        for form in ("html", "pdf"):
            name = f"trueup_review_{review.review_id}_v{version}.{form}"
            ui.download(
                Download(form.upper(), name, partial(_file, review, version, origin, form)), f"review_{form}"
            )
        st.caption("Each file asks the audits anew: allow some seconds a view. Both need no network.")


def outside_links(review: Review, version: int) -> None:
    """The Links menu: makes a link for readers outside, lists the ones there are, ends them."""
    with st.popover("Links"):
        st.caption("A link shows this review as it is now, read only, to everyone who has it, until it ends.")
        days = st.selectbox(
            "Ends after",
            shared_links.LIFETIMES_DAYS,
            1,
            lambda number: "1 day" if number == 1 else f"{number} days",
            key="link_days",
        )
        if st.button("Make a link", type="primary", disabled=not review.views):
            with st.spinner("Asking the audits"):
                page = review_html(_document(review, version, view.origin_of(st.context.url))).encode(
                    "utf-8", "replace"
                )
            token = tried(
                lambda: shared_links.make_link(get_state(), review.review_id, page, days, access.signed())
            )
            if token:
                access.did("link made", f"review {review.review_id} {review.name}, {days} days")
                st.caption("Copy it now: it is shown once and kept nowhere.")
                st.code(
                    f"{view.origin_of(st.context.url)}{shared_links.ADDRESS}{token}",
                    language=None,
                    wrap_lines=True,
                )
        for one in shared_links.links_of(get_state(), review.review_id):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.text(
                    f"{one.link_id}: made {one.made_at:%Y-%m-%d %H:%M}, ends {one.expires_at:%Y-%m-%d %H:%M} UTC"
                )
                st.badge(one.status, color="green" if one.status == "open" else "gray")
                if one.status == "open" and st.button("Revoke", key=f"revoke_{one.link_id}", type="tertiary"):
                    shared_links.revoke(get_state(), one.link_id)
                    access.did("link revoked", f"link {one.link_id} to review {review.review_id}")
                    st.rerun()
