#!/bin/sh
# The same training, built and run in many ways: the bits must be the same. Kernels with fused multiply-add are what the
# compiler makes of them, so between compilers only the baseline kernels are compared.
# usage: tests/soak/exact.sh [quick]
set -eu
# name: compiler, optimisation
builds="gcc-O0 gcc-O2 gcc-O3 clang-O0 clang-O2 clang-O3 gcc-asan"
threads="1 2 4"
if [ "${1:-}" = quick ]; then
    builds="gcc-O0 gcc-O2 clang-O2"
    threads="1 3"
fi
without_fma="GLIBC_TUNABLES=glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2"
runs=0
wrong=0
expected=""

# name kernels threads [environment]
compare() {
    result=$(env ${4:-A=} "build/exactness/$1/exact" "$2" "$3" | tr '\n' ' ')
    runs=$((runs + 1))
    [ -n "$expected" ] || expected=$result
    if [ "$result" != "$expected" ]; then
        echo "$*: $result"
        echo "   but the first was: $expected"
        wrong=$((wrong + 1))
    fi
}

for name in $builds; do
    optimise=-${name#*-}
    [ "$name" != gcc-asan ] || optimise="-O1 -fsanitize=address,undefined"
    make --no-print-directory -s CC="${name%-*}" CFLAGS_OPT="$optimise" B="build/exactness/$name" \
        HARDENING=-fPIE "build/exactness/$name/exact"
    for count in $threads; do
        compare "$name" baseline "$count"
    done
    compare "$name" baseline 1 "$without_fma"
done
for kernels in avx2 avx512; do
    grep -qw "$(echo $kernels | sed 's/avx512/avx512bw/')" /proc/cpuinfo || continue
    expected=""
    for count in $threads; do
        compare gcc-O2 $kernels "$count"
    done
    compare gcc-O2 $kernels 1 "$without_fma"
done
echo "exact: $runs runs, $wrong differ"
[ "$wrong" -eq 0 ]
