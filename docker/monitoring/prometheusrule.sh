#!/bin/sh
# Prints alerts.yaml, which Prometheus reads, as the resource that the Prometheus Operator reads.
set -eu
cat <<'END'
# Made from alerts.yaml: make rules
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: denoised
  labels:
    app.kubernetes.io/name: denoised
spec:
END
sed 's/^\(.\)/  \1/' "$(dirname "$0")/alerts.yaml"
