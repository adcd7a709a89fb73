"""Answers that leave the house: files, for those who may export."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.responses import Response

from warmcube.model.request import Query
from warmcube.query.formats import WRITERS
from warmcube.service.context import Caller, Service
from warmcube.service.forms import MEDIA_TYPES, META_HEADER, Form, meta_header

__all__ = ["download"]

_NAMES: Final = {"csv": "answer.csv", "parquet": "answer.parquet", "arrow": "answer.arrows"}


async def download(service: Service, caller: Caller, query: Query, form: Form) -> Response:
    """A file with an answer."""
    result = await service.cache.export(query, caller.grant)
    data = await asyncio.to_thread(WRITERS[form.format], result)
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{_NAMES[form.format]}"',
        META_HEADER: meta_header(result.meta),
    }
    return Response(data, media_type=MEDIA_TYPES[form.format], headers=headers)
