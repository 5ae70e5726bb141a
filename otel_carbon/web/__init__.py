"""Health, metrics, the report as JSON and a status page."""

from otel_carbon.web.app import WebServer, WebSources
from otel_carbon.web.report import report_of_query

__all__ = ["WebServer", "WebSources", "report_of_query"]
