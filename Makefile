# The two commands of the README. Nothing is needed before them but Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
PYTEST_ARGS ?= -n auto
STAMP := $(VENV)/.installed

.PHONY: run test e2e crash matrix check sbom licences audit fuzz clean

run: $(STAMP)  ## the whole path on real input; ONCE=1 ends after the report
	$(VENV)/bin/otel-carbon demo $(if $(ONCE),--once)

test: $(STAMP)  ## format, lint, types, import contracts, tests
	VENV=$(VENV) scripts/check
	$(VENV)/bin/pytest $(PYTEST_ARGS)

e2e: $(STAMP)  ## a real Collector, Prometheus, Jaeger and kustomize (Go, prometheus), the Next.js example (Node.js 20.9), a browser (chromium)
	scripts/build-otelcol && scripts/build-prometheus && scripts/build-jaeger && scripts/build-kustomize  # before the tests: they have a time limit
	$(VENV)/bin/pytest -m e2e -n 2 --dist loadfile tests/e2e

matrix: $(STAMP)  ## real libraries on six SDKs against a mock provider; about a quarter of an hour
	$(VENV)/bin/python scripts/matrix $(MATRIX_ARGS)
	$(if $(MATRIX_ARGS),,$(VENV)/bin/python scripts/generate-matrix)

crash: $(STAMP)  ## kill -9 a gateway under load, KILLS times; 500 take about half an hour
	KILLS=$(or $(KILLS),500) $(VENV)/bin/pytest -q -s tests/test_gateway_crash.py

check: $(STAMP)
	VENV=$(VENV) scripts/check

sbom: $(STAMP)  ## what is installed with the gateway, as CycloneDX, in dist/sbom.cdx.json
	rm -rf .cache/sbom && mkdir -p dist
	$(PYTHON) -m venv --without-pip .cache/sbom
	$(VENV)/bin/uv pip install --quiet --python .cache/sbom/bin/python '.[gateway]'
	$(VENV)/bin/cyclonedx-py environment --pyproject pyproject.toml --mc-type application \
		--output-reproducible -o dist/sbom.cdx.json .cache/sbom/bin/python

licences: sbom  ## refuse what is installed with the gateway under a licence that does not go with ours
	$(PYTHON) scripts/check-licences dist/sbom.cdx.json

audit: sbom  ## refuse what is installed with the gateway and has a known weakness; says what the index has no answer for
	$(VENV)/bin/python scripts/audit $(AUDIT_ARGS) .cache/sbom/lib/python3.*/site-packages

FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= protobuf otlp_json compressed config tokens

fuzz: $(STAMP)  ## every parser with atheris, FUZZ_SECONDS each; what crashes one is written to .cache/fuzz/crashes
	$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --group fuzz
	mkdir -p .cache/fuzz/crashes $(FUZZ_TARGETS:%=.cache/fuzz/%)
	for target in $(FUZZ_TARGETS); do \
		PYTHONPATH=tests/fuzz $(VENV)/bin/python tests/fuzz/run.py $$target .cache/fuzz/$$target tests/fuzz/corpus/$$target \
			-max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=1024 -artifact_prefix=.cache/fuzz/crashes/$$target- \
			-verbosity=0 -print_final_stats=1 || exit 1; \
	done

$(STAMP): pyproject.toml otel_carbon/_version.py
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --editable '.[all]' --group dev
	touch $@

clean:
	rm -rf $(VENV) .cache dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
