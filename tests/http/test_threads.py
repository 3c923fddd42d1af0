"""Jobs that leave the number of their threads open share the cores of the machine."""

import re

from conftest import ENDLESS, QUICK, eventually
from test_memory import estimate

# What trains on images leaves them open.
IMAGES = {"dataset": {"name": "digits", "n": 64}, "network": {"channels": [16, 16]}, "training": {"epochs": 1000000, "batch_size": 64}}


def threads_of(server, job):
    """All numbers of threads that the job has had, the last one last."""
    return [int(number) for number in re.findall(rf'"threads chosen" job={job} threads=(\d+)', server.read_log())]


def test_jobs_share_the_cores(start):
    server = start("--workers", "2", "--log-level", "debug")
    cores = int(re.search(r"cores=(\d+)", server.read_log())[1])
    half = {max(cores // 2, 1), cores - cores // 2}
    first = server.submit(IMAGES)
    eventually(lambda: threads_of(server, first) == [cores])
    second = server.submit(ENDLESS)  # of one thread, which is its share of two cores
    server.wait_for_step(second, 1)
    eventually(lambda: threads_of(server, first)[-1] in half)
    assert threads_of(server, second) == [1]
    server.post(f"/v1/jobs/{second}/cancel")
    eventually(lambda: threads_of(server, first)[-1] == cores)
    third = server.submit(IMAGES)
    eventually(lambda: {threads_of(server, job)[-1] for job in (first, third) if threads_of(server, job)} <= half)
    eventually(lambda: sum(threads_of(server, job)[-1] for job in (first, third) if threads_of(server, job)) == max(cores, 2))
    server.wait_for_step(third, 1)
    for job in (first, third):
        assert server.post(f"/v1/jobs/{job}/cancel").status == 200
        server.wait(job)


def test_whoever_says_how_many_gets_so_many(start):
    server = start("--workers", "2", "--log-level", "debug")
    jobs = [server.submit({**QUICK, "training": {**QUICK["training"], "threads": threads}}) for threads in (3, 1)]
    assert [server.wait(job)["status"] for job in jobs] == ["succeeded", "succeeded"]
    assert [threads_of(server, job) for job in jobs] == [[3], [1]]


def test_the_result_does_not_depend_on_them(server):
    dataset = {"name": "digits", "n": 100}
    weights = []
    for threads in (0, 1, 3):
        job = server.submit({**IMAGES, "dataset": dataset, "training": {"epochs": 2, "batch_size": 32, "threads": threads}})
        assert server.wait(job)["spec"]["training"]["threads"] == threads
        weights.append(server.get(f"/v1/models/{job}/samples.npy?n=4&seed=1").body)
    assert weights[0] == weights[1] == weights[2]


def test_the_default_is_open_for_images_only(server):
    for spec, threads in (({"dataset": "digits"}, 0), ({"dataset": "digits", "preset": "images-large"}, 0), ({}, 1)):
        said = server.post("/v1/jobs?validate_only=true", spec).json
        assert said["spec"]["training"]["threads"] == threads


def test_a_small_limit_of_memory_costs_threads_not_the_job(start):
    """Open threads are fewer if there is no memory for them; those that were asked for are not."""

    def wide(threads):
        return {**IMAGES, "network": {"channels": [256, 256]}, "training": {**IMAGES["training"], "threads": threads}}

    roomy = start()
    one, eight = (estimate(roomy, wide(threads))["memory_bytes"] for threads in (1, 8))
    assert eight - one > 7 * 2**20 and one <= estimate(roomy, wide(0))["memory_bytes"]
    assert roomy.stop() == 0
    small = start("--max-training-memory", str(one // 2**20 + 1))
    assert estimate(small, wide(0))["memory_bytes"] == one
    refused = small.post("/v1/jobs?validate_only=true", wide(8))
    assert (refused.status, refused.json["code"]) == (422, "too_large")
