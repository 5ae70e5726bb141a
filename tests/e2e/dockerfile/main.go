// Reads a Dockerfile with BuildKit's own parser and rules, as `docker build --check` does without a daemon, and prints its RUN
// instructions per stage as JSON. What BuildKit warns of goes to stderr and ends it with 1.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

func main() {
	text, err := os.ReadFile(os.Args[1])
	check(err)
	parsed, err := parser.Parse(bytes.NewReader(text))
	check(err)
	found := 0
	warn := func(name, _, _, message string, location []parser.Range) {
		found++
		fmt.Fprintln(os.Stderr, name, location, message)
	}
	stages, _, err := instructions.Parse(parsed.AST, linter.New(&linter.Config{Warn: warn}))
	check(err)
	for _, warning := range parsed.Warnings {
		found++
		fmt.Fprintln(os.Stderr, warning.Short)
	}
	runs := map[string][]string{}
	for _, stage := range stages {
		for _, command := range stage.Commands {
			if run, ok := command.(*instructions.RunCommand); ok {
				runs[stage.Name] = append(runs[stage.Name], run.CmdLine...)
			}
		}
	}
	check(json.NewEncoder(os.Stdout).Encode(runs))
	if found > 0 {
		os.Exit(1)
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
