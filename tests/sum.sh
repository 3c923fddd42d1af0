# For scripts that run several others, each of which ends with "NAME: N passed, N failed", and end with the sum.
sums=$(mktemp)
part() { # command...
    "$@" | tee "$sums.part"
    tail -n 1 "$sums.part" >>"$sums"
    rm "$sums.part"
}
sum() { # name
    awk -v name="$1" '{ passed += $2; failed += $4 } NF != 5 { failed++ } END { print name ": " passed " passed, " failed " failed"; exit failed > 0 }' "$sums"
    status=$?
    rm "$sums"
    return $status
}
