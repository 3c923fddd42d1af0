"""The Kubernetes manifests of docker/ as a TypeScript program: each is a literal of the type of its kind, so that a compiler finds fields
that do not exist, that are missing, or whose value is of another type. Written to standard output.

usage: manifests.py DOCKER_DIRECTORY
"""

import json
import pathlib
import sys

import yaml

# apiVersion -> the package that has its kinds; others are Kubernetes' own.
PACKAGES = {
    "keda.sh/v1alpha1": "@kubernetes-models/keda",
    "monitoring.coreos.com/v1": "@kubernetes-models/prometheus-operator",
}
# For kustomize and Compose, and what the type checker must refuse: (kind, what is wrong).
WRONG = [
    ({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replica": 3}}, "no such field"),
    ({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "spec": {"maxUnavailable": True}}, "a value of another type"),
    ({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "spec": {"scaleTargetRef": {"name": "denoised"}}}, "no triggers"),
    ({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "X", "name": "x"},
      "metrics": [{"type": "External", "external": {"metric": {"name": "x"}, "target": {"averageValue": "2"}}}]}}, "a metric without a type"),
]  # fmt: skip


def manifests(docker):
    for path in sorted([*docker.glob("kubernetes/**/*.yaml"), *docker.glob("monitoring/*.yaml")]):
        for one in yaml.safe_load_all(path.read_text()):
            if "kind" in one and not one["apiVersion"].startswith("kustomize."):
                yield path.relative_to(docker), one


def main(docker):
    found = list(manifests(docker))
    kinds = {(one["apiVersion"], one["kind"]) for one in [*(one for _, one in found), *(one for one, _ in WRONG)]}
    for version, kind in sorted(kinds):
        name = f"{PACKAGES.get(version, 'kubernetes-models')}/{version}/{kind}"
        print(f'import type {{ I{kind} }} from "{name}";')
    for i, (path, one) in enumerate(found):
        print(f"// {path}\nexport const m{i}: I{one['kind']} = {json.dumps(one, indent=2)};")
    for i, (one, why) in enumerate(WRONG):
        print(f"// @ts-expect-error {why}\nexport const wrong{i}: I{one['kind']} = {json.dumps(one)};")


main(pathlib.Path(sys.argv[1]))
