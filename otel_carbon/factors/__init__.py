"""Factor tables, their sources, and the look-ups in them."""

from otel_carbon.factors.grid import GridFamily
from otel_carbon.factors.rows import PART_STATES, Basis, Boundary, FactorRow, FactorSet, TokenRates
from otel_carbon.factors.tables import FactorTables

__all__ = ["PART_STATES", "Basis", "Boundary", "FactorRow", "FactorSet", "FactorTables", "GridFamily", "TokenRates"]
