"""A proof's report as one page: no scripts, nothing from elsewhere, every name escaped."""
from __future__ import annotations
from warmcube.prove.report import Report
__all__ = ["html_page"]
def html_page(report: Report) -> str:
    return ""
