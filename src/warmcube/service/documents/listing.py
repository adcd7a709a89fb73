"""What the document says of the lists that a user may choose from."""

from __future__ import annotations

from typing import Final

from warmcube.service.documents.query import COLUMN, META, NAME, QUERY_FIELDS
from warmcube.service.documents.shapes import (
    json_answer,
    list_of,
    operation,
    or_null,
    schema_object,
)

__all__ = ["DATASOURCES", "MEASURES", "ORGANIZATIONS", "VALUES"]

DATASOURCES: Final = operation(
    "The data sources that exist for the caller",
    answers=json_answer(
        "Each, and which column plays which role.",
        schema_object(
            {
                "datasources": list_of(
                    schema_object(
                        {
                            "id": {"type": "integer"},
                            "name": {"type": "string"},
                            "time_zone": {"type": "string"},
                            "roles": {
                                "type": "object",
                                "additionalProperties": or_null({"type": "string"}),
                            },
                        }
                    )
                )
            },
            required=("datasources",),
        ),
    ),
    problems_of=(401, 403, 422, 503),
)

MEASURES: Final = operation(
    "The measures of which the caller has rows",
    answers=json_answer(
        "Each with one frequency.",
        schema_object(
            {
                "measures": list_of(
                    schema_object({"measure": or_null(NAME), "frequency": or_null(NAME)})
                ),
                "schema": schema_object(
                    {"measure": or_null(COLUMN), "frequency": or_null(COLUMN)},
                    required=("measure", "frequency"),
                ),
                "meta": META,
            },
            required=("measures", "schema", "meta"),
        ),
    ),
    problems_of=(401, 403, 404, 422, 503),
)

VALUES: Final = operation(
    "The values of a column that the caller may filter by",
    answers=json_answer(
        "Each once, in the column's order; those of the caller's rows only.",
        schema_object(
            {
                "values": {"type": "array"},
                "has_null": {"type": "boolean"},
                "schema": COLUMN,
                "meta": META,
            },
            required=("values", "has_null", "schema", "meta"),
        ),
    ),
    problems_of=(400, 401, 403, 404, 422, 503),
    more={
        "parameters": [
            {
                "name": "q",
                "in": "query",
                "required": False,
                "description": "the fields of a query that narrow, without its datasource",
                "content": {
                    "application/json": {
                        "schema": schema_object(
                            {
                                name: schema
                                for name, schema in QUERY_FIELDS.items()
                                if name
                                not in ("datasource", "group_by", "aggregate", "order_by", "limit")
                            }
                        ),
                        "example": {"measure": "Charges", "frequency": "Monthly"},
                    }
                },
            }
        ]
    },
)

ORGANIZATIONS: Final = operation(
    "The organizations that the caller may filter by",
    answers=json_answer(
        "Each, by id; the parent only where the caller may name it too.",
        schema_object(
            {
                "organizations": list_of(
                    schema_object(
                        {
                            "id": {"type": "string"},
                            "name": {"type": "string"},
                            "parent": or_null({"type": "string"}),
                        }
                    )
                )
            },
            required=("organizations",),
        ),
    ),
    problems_of=(401, 403, 422, 503),
)
