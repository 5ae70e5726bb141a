"""Questions to the ledger, and their answers for people and machines."""

from otel_carbon.reports.document import report_csv, report_document
from otel_carbon.reports.query import BY
from otel_carbon.reports.report import Coverage, Group, Period, Report, Sci, SecondGroup, SecondSet, TakenBack, Totals
from otel_carbon.reports.summary import DEFAULT_BY, summarise

__all__ = [
    "BY",
    "DEFAULT_BY",
    "Coverage",
    "Group",
    "Period",
    "Report",
    "Sci",
    "SecondGroup",
    "SecondSet",
    "TakenBack",
    "Totals",
    "report_csv",
    "report_document",
    "summarise",
]
