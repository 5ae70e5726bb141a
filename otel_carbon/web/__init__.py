"""Health, metrics, the report as JSON and a status page."""

from otel_carbon.web.app import WebServer, WebSources

__all__ = ["WebServer", "WebSources"]
