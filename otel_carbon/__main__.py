"""`python -m otel_carbon`."""

from otel_carbon.cli.main import main

raise SystemExit(main())
