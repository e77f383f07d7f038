# GNU make. `make help` lists what there is.

prefix      ?= /usr/local
exec_prefix ?= $(prefix)
bindir      ?= $(exec_prefix)/bin
sbindir     ?= $(exec_prefix)/sbin
sysconfdir  ?= $(prefix)/etc
datarootdir ?= $(prefix)/share
mandir      ?= $(datarootdir)/man
docdir      ?= $(datarootdir)/doc/dynomite
# What runs and is kept elsewhere than the program.
localstatedir ?= /var
runstatedir   ?= /run
# Where the system looks for what belongs to a service. logrotate and init look in /etc only: with another
# sysconfdir their files are installed as examples, unless these two name a place.
defaultdir    ?= $(sysconfdir)/default
initdir       ?= $(if $(filter /etc,$(sysconfdir)),/etc/init.d)
logrotatedir  ?= $(if $(filter /etc,$(sysconfdir)),/etc/logrotate.d)
unitdir       ?= $(prefix)/lib/systemd/system
sysusersdir   ?= $(prefix)/lib/sysusers.d
tmpfilesdir   ?= $(prefix)/lib/tmpfiles.d
bashdir       ?= $(datarootdir)/bash-completion/completions
zshdir        ?= $(datarootdir)/zsh/site-functions
fishdir       ?= $(datarootdir)/fish/vendor_completions.d
# The group that may read the log.
loggroup      ?= adm
# Where dynomite-manager expects the node: make install-sidecar.
sidecardir    ?= /apps/dynomite
DESTDIR       ?=

CARGO           ?= cargo
INSTALL         ?= install
INSTALL_PROGRAM ?= $(INSTALL)
INSTALL_DATA    ?= $(INSTALL) -m 644

# Options for every cargo command that builds.
CARGOFLAGS ?= --locked
release     = $(or $(CARGO_TARGET_DIR),target)/release
manpages    = $(wildcard man/*.[1-8])
docs        = README.md CHANGELOG.md LICENSE
# The configuration that is installed where there is none.
SAMPLE     ?= conf/dynomite.yml

# What belongs to a service, written from contrib/service/dynomite.NAME.in. `instance` is the unit for several
# nodes on one machine, from the same source as `service`.
services = default init logrotate service instance sysusers tmpfiles
default-at   = $(defaultdir)/dynomite
init-at      = $(if $(initdir),$(initdir)/dynomite,$(docdir)/examples/dynomite.init)
logrotate-at = $(if $(logrotatedir),$(logrotatedir)/dynomite,$(docdir)/examples/dynomite.logrotate)
service-at   = $(unitdir)/dynomite.service
instance-at  = $(unitdir)/dynomite@.service
sysusers-at  = $(sysusersdir)/dynomite.conf
tmpfiles-at  = $(tmpfilesdir)/dynomite.conf
# The names between @ in them.
placed = sbindir sysconfdir datarootdir localstatedir runstatedir defaultdir loggroup
# What else is installed: file=place, and mode if it is not 644.
extras = \
	contrib/completions/dynomite.bash=$(bashdir)/dynomite \
	contrib/completions/dynomite-hash-tool.bash=$(bashdir)/dynomite-hash-tool \
	contrib/completions/_dynomite=$(zshdir)/_dynomite \
	contrib/completions/_dynomite-hash-tool=$(zshdir)/_dynomite-hash-tool \
	contrib/completions/dynomite.fish=$(fishdir)/dynomite.fish \
	contrib/completions/dynomite-hash-tool.fish=$(fishdir)/dynomite-hash-tool.fish \
	$(foreach tool,$(wildcard contrib/tools/*),$(tool)=$(datarootdir)/$(tool:contrib/tools/%=dynomite/%)=755) \
	contrib/prometheus/dynomite-alerts.yml=$(datarootdir)/dynomite/dynomite-alerts.yml \
	contrib/grafana/dynomite.json=$(datarootdir)/dynomite/dynomite-grafana.json \
	$(foreach sample,$(wildcard conf/*.yml),$(sample)=$(docdir)/$(sample:conf/%=examples/%))

# make bench: BENCH="micro instructions cost latency memory spike cluster memcache admin copies" (default: all but
# instructions and copies), QUICK=1, STRICT=1, RIVALS="predixy=/path c-dynomite=/path", DYNOMITE=/path (instead of
# building), BENCHFLAGS="--only GET", RENEW=1 (instructions: writes the reference)
BENCH      ?=
RENEW      ?=
QUICK      ?=
STRICT     ?=
RIVALS     ?=
DYNOMITE   ?=
BENCHFLAGS ?=
# make demo: 1 for one node instead of a cluster
NODES      ?=
# make demo: redis or memcached
STORE      ?=
# make sim: how many seeded worlds; SIM_SEED=4711 runs that one only
SEEDS ?= 20000
# make fuzz, make fuzz-coverage: seconds for each target
FUZZ_SECONDS ?= 60
# make fuzz-coverage, make fuzz-merge: which targets; none for all
TARGET ?=

# make deps: what the tools are for
FOR ?= build demo test

.PHONY: all deps help install install-strip install-sidecar uninstall deb rpm test-deb test-rpm demo test instructions lint bench sim fuzz fuzz-coverage fuzz-merge size clean

all:
	@contrib/ensure-tools build
	$(CARGO) build --release $(CARGOFLAGS)

# The only target besides demo, test, test-deb and test-rpm that installs packages of the system.
deps:
	@contrib/ensure-tools --install $(FOR)

help:
	@echo "make             build the release binaries into $(release)"
	@echo "make deps        install what building, the demo and the tests need (Debian, Ubuntu), or say what is missing;"
	@echo "                 FOR=\"build demo test lint bench deb rpm\" picks purposes"
	@echo "make demo        start a cluster of two datacenters, write here, read there, kill a node;"
	@echo "                 NODES=1: one node in front of one store; STORE=memcached: memcached instead of Redis"
	@echo "make test        every test, after make deps; DYNOMITE_PEER=/path mixes clusters with"
	@echo "                 that program, DYNOMITE_LONG_TESTS=1 takes longer"
	@echo "make lint        formatting, clippy, links in the documentation, licences and advisories"
	@echo "make bench       measure against nutcracker; RIVALS=\"name=/path ...\" adds proxies, QUICK=1 is short,"
	@echo "                 BENCH=\"cost latency memory spike cluster memcache admin copies micro instructions\" picks"
	@echo "                 experiments; BENCH=instructions RENEW=1 writes the counts that make test checks"
	@echo "make sim         run a node and clusters in SEEDS=$(SEEDS) simulated worlds; SIM_SEED=number repeats one"
	@echo "make fuzz        fuzz every parser and whole nodes, FUZZ_SECONDS=$(FUZZ_SECONDS) for each"
	@echo "make fuzz-coverage"
	@echo "                 the same under libFuzzer, which looks for inputs that reach new code; needs clang;"
	@echo "                 TARGET=node_life picks one. make fuzz-merge adds what it found to the seeds"
	@echo "make size        time of a build from scratch, size of the binary"
	@echo "make install     into prefix=$(prefix); also bindir, sbindir, sysconfdir, mandir, docdir, DESTDIR"
	@echo "make uninstall   the reverse; keeps the configuration"
	@echo "make deb, rpm    packages for this distribution, into target/packages; MAINTAINER=, REVISION="
	@echo "make test-deb, test-rpm"
	@echo "                 install, run, upgrade and remove the package under a systemd of its own (root)"
	@echo "make clean       remove what was built"

# Builds only what is missing, so that `sudo make install` after `make` needs no Rust for root.
$(release)/dynomite $(release)/dynomite-hash-tool:
	$(MAKE) all

# A configuration and an environment file that are there belong to the operator.
install: $(release)/dynomite $(release)/dynomite-hash-tool
	$(INSTALL) -d "$(DESTDIR)$(sbindir)" "$(DESTDIR)$(bindir)" "$(DESTDIR)$(sysconfdir)/dynomite" "$(DESTDIR)$(docdir)"
	$(INSTALL_PROGRAM) $(release)/dynomite "$(DESTDIR)$(sbindir)/dynomite"
	$(INSTALL_PROGRAM) $(release)/dynomite-hash-tool "$(DESTDIR)$(bindir)/dynomite-hash-tool"
	$(INSTALL_DATA) $(docs) "$(DESTDIR)$(docdir)"
	@for page in $(manpages); do \
	    directory="$(DESTDIR)$(mandir)/man$${page##*.}"; \
	    $(INSTALL) -d "$$directory" && $(INSTALL_DATA) "$$page" "$$directory" || exit 1; \
	done
	@file="$(DESTDIR)$(sysconfdir)/dynomite/dynomite.yml"; \
	if [ -e "$$file" ]; then \
	    echo "$$file is kept"; \
	else \
	    $(INSTALL_DATA) $(SAMPLE) "$$file"; \
	fi
	@set -e; place() { \
	    $(INSTALL) -d "$$(dirname "$(DESTDIR)$$2")"; \
	    source=$$1 node=dynomite instance='' title=''; \
	    [ "$$1" != instance ] || source=service node=%i instance=-%i title=' %i'; \
	    sed $(foreach name,$(placed),-e 's|@$(name)@|$($(name))|g') \
	        -e "s|@node@|$$node|g" -e "s|@instance@|$$instance|g" -e "s|@title@|$$title|g" \
	        "contrib/service/dynomite.$$source.in" >"$(DESTDIR)$$2"; \
	    chmod "$$3" "$(DESTDIR)$$2"; \
	}; \
	[ -e "$(DESTDIR)$(default-at)" ] || place default "$(default-at)" 644; \
	$(foreach name,$(filter-out default,$(services)),place $(name) "$($(name)-at)" $(if $(filter init,$(name)),755,644);)
	@set -e; for extra in $(extras); do \
	    file=$${extra%%=*} place=$${extra#*=} mode=644; \
	    case $$place in *=*) mode=$${place#*=} place=$${place%%=*} ;; esac; \
	    $(INSTALL) -D -m "$$mode" "$$file" "$(DESTDIR)$$place"; \
	done

# The layout that dynomite-manager expects, around the program installed above. The key is the cluster's own.
install-sidecar:
	$(INSTALL) -d "$(DESTDIR)$(sidecardir)/bin" "$(DESTDIR)$(sidecardir)/conf"
	$(INSTALL) -m 755 contrib/sidecar/*.sh "$(DESTDIR)$(sidecardir)/bin"
	ln -sf "$(sbindir)/dynomite" "$(DESTDIR)$(sidecardir)/bin/dynomite"

install-strip:
	$(MAKE) install INSTALL_PROGRAM="$(INSTALL_PROGRAM) -s"

uninstall:
	rm -f "$(DESTDIR)$(sbindir)/dynomite" "$(DESTDIR)$(bindir)/dynomite-hash-tool"
	@for page in $(manpages); do rm -f "$(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/}"; done
	@for file in $(docs); do rm -f "$(DESTDIR)$(docdir)/$$file"; done
	@for file in $(foreach name,$(filter-out default,$(services)),$($(name)-at)); do rm -f "$(DESTDIR)$$file"; done
	@for extra in $(extras); do place=$${extra#*=}; rm -f "$(DESTDIR)$${place%%=*}"; done
	@rmdir "$(DESTDIR)$(docdir)/examples" "$(DESTDIR)$(docdir)" "$(DESTDIR)$(datarootdir)/dynomite" 2>/dev/null || true
	@echo "kept: $(DESTDIR)$(sysconfdir)/dynomite $(DESTDIR)$(default-at)"

# MAINTAINER="Name <address>" and REVISION=1 go into the packages, which land in target/packages.
deb:
	@contrib/ensure-tools build deb
	@contrib/packages/deb

rpm:
	@contrib/ensure-tools build rpm
	@contrib/packages/rpm

# The life of the package on a machine of its own, in namespaces; said and skipped where that cannot be had.
test-deb test-rpm:
	@contrib/packages/test $(@:test-%=%)

demo:
	@CARGO="$(CARGO)" DYNOMITE="$(DYNOMITE)" NODES="$(NODES)" STORE="$(STORE)" contrib/demo

# The test runner's own summary is the last thing printed.
test:
	@$(MAKE) --no-print-directory deps FOR="build test"
	@$(MAKE) --no-print-directory instructions; counted=$$?; \
	if $(CARGO) nextest --version >/dev/null 2>&1; then \
	    set -x; $(CARGO) test $(CARGOFLAGS) --doc --quiet && $(CARGO) nextest run --no-fail-fast $(CARGOFLAGS); \
	else \
	    set -x; $(CARGO) test --no-fail-fast $(CARGOFLAGS); \
	fi && { set +x; } 2>/dev/null && exit $$counted

# Fails if a request costs more instructions than tests/bench/instructions/reference.txt says.
instructions:
	@if command -v valgrind >/dev/null 2>&1; then \
	    $(count-instructions) --check; \
	else \
	    echo "valgrind is not installed: instructions per request were not counted"; \
	fi
count-instructions = $(CARGO) run --release --quiet $(CARGOFLAGS) --example instructions --

lint:
	@contrib/ensure-tools build lint
	$(CARGO) fmt --check
	$(CARGO) clippy $(CARGOFLAGS) --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" $(CARGO) doc $(CARGOFLAGS) --no-deps --document-private-items
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
	    set -x; $(CARGO) deny --locked check; \
	else \
	    echo "cargo-deny is not installed: licences and advisories were not checked"; \
	fi

experiments = $(filter-out micro instructions,$(BENCH))
bench:
	@contrib/ensure-tools build bench
	$(if $(BENCH),$(if $(filter micro,$(BENCH)),$(CARGO) bench $(CARGOFLAGS) --bench micro),$(CARGO) bench $(CARGOFLAGS) --bench micro)
	$(if $(filter instructions,$(BENCH)),$(count-instructions) $(if $(RENEW),--renew))
	$(if $(BENCH),$(if $(experiments),$(end-to-end)),$(end-to-end))
end-to-end = $(CARGO) bench $(CARGOFLAGS) --bench e2e -- $(if $(QUICK),--quick) $(if $(STRICT),--strict) \
	$(if $(DYNOMITE),--dynomite "$(DYNOMITE)") $(foreach rival,$(RIVALS),--rival "$(rival)") $(BENCHFLAGS) $(experiments)

# Optimized, but with the checks of a debug build.
fuzz:
	@contrib/ensure-tools build
	FUZZ_SECONDS=$(FUZZ_SECONDS) $(CARGO) test $(CARGOFLAGS) --profile checked --test worlds -- --nocapture fuzz::targets::

fuzz-coverage:
	@CARGO="$(CARGO)" FUZZ_SECONDS=$(FUZZ_SECONDS) contrib/fuzz-coverage run $(TARGET)

fuzz-merge:
	@CARGO="$(CARGO)" contrib/fuzz-coverage merge $(TARGET)

# Optimized, but with the checks of a debug build.
sim:
	@contrib/ensure-tools build
	SIM_SEEDS=$(SEEDS) $(CARGO) test $(CARGOFLAGS) --profile checked --test worlds -- --nocapture nothing_goes_wrong

size:
	@contrib/ensure-tools build
	@directory=$$(mktemp -d) && trap 'rm -rf "$$directory"' EXIT && start=$$(date +%s) && \
	CARGO_TARGET_DIR="$$directory" $(CARGO) build --release $(CARGOFLAGS) --quiet && end=$$(date +%s) && \
	cp "$$directory/release/dynomite" "$$directory/stripped" && strip "$$directory/stripped" && \
	echo "build from scratch: $$((end - start)) s on $$(nproc) processors" && \
	echo "dynomite: $$(wc -c < "$$directory/release/dynomite") bytes, stripped $$(wc -c < "$$directory/stripped") bytes"

clean:
	$(CARGO) clean
