#!/bin/sh
# Installs what some tests talk to for real: an SSH server, PostgreSQL and a browser (Chromium). For Debian and its kin, as root; `make test` runs it.
# Idempotent and quiet. Where it cannot install, it says in one line which tests will be skipped, and lets the rest run.
set -u

has_sshd() {
    command -v sshd >/dev/null 2>&1 || [ -x /usr/sbin/sshd ] || [ -x /usr/local/sbin/sshd ]
}

has_postgres() {
    command -v postgres >/dev/null 2>&1 && command -v initdb >/dev/null 2>&1 && return 0
    for server in /usr/lib/postgresql/*/bin/postgres; do
        [ -x "$server" ] && return 0
    done
    return 1
}

has_browser() {
    command -v chromium >/dev/null 2>&1
}

missing() {
    has_sshd || echo openssh-server
    has_postgres || echo postgresql
    has_browser || echo chromium fonts-dejavu-core
}

skip() {
    echo "tests/system.sh: $1: tests that need $(missing | tr '\n' ' ')will be skipped"
    exit 0
}

[ -z "$(missing)" ] && exit 0
command -v apt-get >/dev/null 2>&1 || skip "no apt-get here"
[ "$(id -u)" = 0 ] || skip "not root"

# packages start their services when installed; this says no to that, and to nothing else, for as long as we install
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
fi

log=$(mktemp) || skip "no room for a log"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2046
if apt-get update >"$log" 2>&1 && apt-get install -y --no-install-recommends $(missing) >>"$log" 2>&1; then
    rm -f "$log"
    exit 0
fi
tail -n 5 "$log" >&2
rm -f "$log"
skip "apt-get could not install them"
