"""Questions to the ledger, and their answers for people and machines."""

from otel_carbon.reports.document import report_csv, report_document
from otel_carbon.reports.intensity import FunctionalUnit, functional_units
from otel_carbon.reports.query import BY
from otel_carbon.reports.report import Coverage, Group, Period, Report, Sci, SecondGroup, SecondSet, TakenBack, Totals
from otel_carbon.reports.summary import DEFAULT_BY, summarise

__all__ = [
    "BY",
    "DEFAULT_BY",
    "Coverage",
    "FunctionalUnit",
    "Group",
    "Period",
    "Report",
    "Sci",
    "SecondGroup",
    "SecondSet",
    "TakenBack",
    "Totals",
    "functional_units",
    "report_csv",
    "report_document",
    "summarise",
]
