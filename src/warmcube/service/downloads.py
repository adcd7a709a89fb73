"""Answers that leave the house: files of any size, for those who may export."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from warmcube.errors import InvalidQuery, WarmcubeError
from warmcube.model.request import Query
from warmcube.query.export import ExportStream
from warmcube.query.parse import query_from_dict
from warmcube.query.streamform import Form as FileForm
from warmcube.query.wording import shown
from warmcube.service.context import Caller, Service
from warmcube.service.defects import BrokenOff
from warmcube.service.forms import FILE_FORMATS, MEDIA_TYPES, META_HEADER, file_header
from warmcube.service.strict import one_of

__all__ = ["download", "export_of", "file_form"]

_LOG: Final = logging.getLogger("warmcube")
_ENDINGS: Final = {"csv": "csv", "parquet": "parquet", "arrow": "arrows", "jsonl": "jsonl"}
_FIELDS: Final = ("format", "spreadsheet")


def export_of(data: Any) -> tuple[Query, FileForm]:
    """The query and the form of the file in the object of an export.

    Raises:
        InvalidQuery: they can't be read.
    """
    given: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
    kind = one_of("format", given.get("format"), FILE_FORMATS, "csv")
    spreadsheet = given.get("spreadsheet")
    if spreadsheet is not None and not isinstance(spreadsheet, bool):
        raise InvalidQuery(f"spreadsheet is {shown(spreadsheet)}; expected true or false")
    if spreadsheet is not None and kind != "csv":
        raise InvalidQuery(f"spreadsheet is for the format csv, not {kind}; leave it out")
    fields = {n: v for n, v in given.items() if n not in _FIELDS} if given else data
    return query_from_dict(fields), file_form(kind, spreadsheet=spreadsheet is not False)


def file_form(kind: str, *, spreadsheet: bool = True) -> FileForm:
    """How a file is written; CSV is for spreadsheets unless somebody says otherwise."""
    return FileForm(format=kind, spreadsheet=spreadsheet and kind == "csv")


async def download(service: Service, caller: Caller, query: Query, form: FileForm) -> Response:
    """A file with an answer, sent as it is read.

    Args:
        service: answers.
        caller: whose export it is.
        query: what is asked.
        form: of the file.
    """
    stream = await service.cache.export_stream(
        query, caller.grant, form.format, spreadsheet=form.spreadsheet
    )
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="answer.{_ENDINGS[form.format]}"',
        META_HEADER: file_header(stream.meta),
    }
    return _Download(_pieces(stream), media_type=MEDIA_TYPES[form.format], headers=headers)


class _Download(StreamingResponse):
    """A response that ends what it takes its bytes from, however it ends itself.

    One that is cut off while it waits for whoever takes the bytes would leave that to the garbage
    collector: perhaps after what the bytes are read from, and the audit, are closed.
    """

    body_iterator: AsyncGenerator[bytes, None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.body_iterator.aclose()


async def _pieces(stream: ExportStream) -> AsyncGenerator[bytes, None]:
    """The bytes; what breaks off is never ended, so that nobody takes a part for the whole."""
    async with stream:
        try:
            async for data in stream:
                yield data
        except WarmcubeError as error:
            _LOG.warning("an export broke off: %s: %s", type(error).__name__, error)
            raise BrokenOff(type(error).__name__) from error
