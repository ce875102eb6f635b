#!/bin/sh
# The gate: everything that is checked without running a test. Each check is named with
# what it found, and the ones after a failure run too.
#
# usage: check.sh [CHECK...]    (at the top of the repository, by make check)
set -eu

[ $# -gt 0 ] || set -- gofmt vet lint shellcheck tidy generated spelling vulnerabilities

# sources lists the files that match the patterns and are not made by a tool.
sources() {
	if [ -e .git ]; then
		git ls-files --cached --others --exclude-standard -- "$@"
	else
		for pattern; do find . -name "$pattern" -not -path './.*'; done
	fi
}

check_gofmt() {
	unformatted=$(sources '*.go' | xargs gofmt -l)
	[ -z "$unformatted" ] || { echo "run gofmt -w on:"; echo "$unformatted"; return 1; }
}

check_vet() { go vet ./...; }

check_lint() { golangci-lint run; }

# Scripts that are put together from several files have no first line of their own, and
# braces of a template are not the shell's (SC1083).
check_shellcheck() { sources '*.sh' .ci/run | xargs shellcheck --shell=sh --exclude=SC1083 --external-sources; }

check_tidy() {
	for module in $(sources 'go.mod' '*/go.mod' | xargs -n 1 dirname | sort -u); do
		(cd "$module" && go mod tidy -diff) || { echo "run go mod tidy in $module"; return 1; }
	done
}

# The generator writes into the checkout, so what it changed is put back.
check_generated() {
	kept=$(mktemp -d)
	sources '*.hcl2spec.go' | tar -cf "$kept/before.tar" -T -
	status=0
	go generate ./... || status=1
	sources '*.hcl2spec.go' | xargs sha256sum >"$kept/after"
	tar -xf "$kept/before.tar"
	sha256sum --quiet --check "$kept/after" || status=1
	rm -r "$kept"
	[ $status = 0 ] || { echo "run make generate"; return 1; }
}

check_spelling() {
	sources '*.go' '*.md' '*.sh' '*.hcl' '*.tmpl' GNUmakefile | grep -v testdata | xargs codespell --ignore-words internal/tools/words
}

# Against the database of the module golang.org/x/vulndb, whose date is that of its version.
check_vulnerabilities() {
	database=.cache/vulndb
	version=$(cd internal/tools/vuln && go list -m -f '{{.Version}}' golang.org/x/vulndb)
	if [ "$(cat $database/version 2>/dev/null)" != "$version" ]; then
		rm -rf $database
		source=$(cd internal/tools/vuln && go mod download -json golang.org/x/vulndb | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
		indexdb -vulns "$source/data/osv" -out $database || return 1
		echo "$version" >$database/version
	fi
	govulncheck -db "file://$PWD/$database" . ./runtime-agent
}

failed=
for name; do
	started=$(date +%s)
	if found=$("check_$name" 2>&1); then
		echo "check: $name: ok, $(($(date +%s) - started)) s"
	else
		echo "$found"
		echo "check: $name: FAILED"
		failed="$failed $name"
	fi
done
[ -z "$failed" ] || {
	echo "check: failed:$failed" >&2
	exit 1
}
