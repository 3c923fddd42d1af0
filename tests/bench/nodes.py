"""How many nodes one PostgreSQL carries, without the machines: the steps of the trainings sleep instead of computing, so that
what is left is the queue and the database. For 1, 2, 4, 8 and 16 nodes of one worker each: jobs per hour beside as many times
those of one node, and what a job costs the database; and how fast four claim jobs and end them. The server of the database
shares this machine with the nodes.

usage: nodes.py DENOISED [--seconds 40] [--nodes 1,2,4,8,16] [--step-us 10000]
"""

import argparse
import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "http"))
import postgresql
import psycopg2

# 100 epochs of 4 steps: as many epochs as a default job has, and so as many rows and events.
JOB = {
    "dataset": {"name": "spiral", "n": 128},
    "diffusion": {"timesteps": 10},
    "network": {"hidden_size": 32, "hidden_layers": 3},
    "training": {"epochs": 100, "batch_size": 32, "validation_fraction": 0},
}
WARM_SECONDS = 5
CLAIMERS, CLAIMED = 4, 1000
COUNTS = """SELECT (SELECT count(*) FROM job WHERE status = 'succeeded'), xact_commit, xact_rollback, wal_bytes
            FROM pg_stat_database, pg_stat_wal WHERE datname = current_database()"""


class Node:
    def __init__(self, binary, uri, step_us):
        self.process = subprocess.Popen(
            [binary + "-faults", "serve", "--port", "0", "--database", uri, "--workers", "1", "--max-queued", "100000", "--log-level", "error"],
            stdout=subprocess.PIPE,
            env={**os.environ, "DENOISED_STEP_US": str(step_us)},
        )
        self.port = int(self.process.stdout.readline().decode().rsplit(":", 1)[1])

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status < 300, answer.read()
        return json.loads(answer.read())

    def stop(self):
        self.process.terminate()
        self.process.wait()


def processor_seconds(parent):
    """Of a process and its children, so far."""
    ticks = 0
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, fields = stat.parent.name, stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(pid) == parent or int(fields[1]) == parent:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(beside, binary, count, seconds, step_us):
    """(jobs, commits, rollbacks, bytes of WAL, the server's processor seconds, seconds) of a while in which all nodes are busy."""
    database = beside.create(f"nodes{count}")
    uri = beside.uri(database)
    subprocess.run([binary, "migrate", "--database", uri], check=True, capture_output=True)
    nodes = [Node(binary, uri, step_us) for _ in range(count)]
    least = JOB["training"]["epochs"] * 4 * step_us / 1e6  # seconds of a job
    for number in range(int(count * (2 + (seconds + WARM_SECONDS) / least))):
        nodes[number % count].ask("POST", "/v1/jobs", JOB)
    connection = psycopg2.connect(uri)
    connection.autocommit = True

    def ask(text):
        with connection.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetchone()

    def counts():
        ask("SELECT pg_stat_clear_snapshot()")
        return [*map(float, ask(COUNTS)), processor_seconds(beside.process.pid), time.monotonic()]

    try:
        time.sleep(WARM_SECONDS)
        before = counts()
        time.sleep(seconds)
        after = counts()
        assert ask("SELECT count(*) FROM job WHERE status = 'queued'")[0] > 0, "there was not always something to do"
    finally:
        connection.close()
        for node in nodes:
            node.stop()
    beside.drop(database)
    return [end - begin for begin, end in zip(before, after)]


def claim(beside, program):
    """What it prints."""
    database = beside.create("claims")
    done = subprocess.run([program, beside.uri(database), str(CLAIMERS), str(CLAIMED)], check=True, capture_output=True, text=True)
    beside.drop(database)
    return done.stdout.strip()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--nodes", default="1,2,4,8,16")
    parser.add_argument("--step-us", type=int, default=10000)
    options = parser.parse_args()
    binary = os.path.realpath(options.binary)
    print("nodes  jobs/hour  x linear  commits/job  rollbacks/job  WAL kB/job  commits/s  server's processors")
    alone = None
    with postgresql.cluster() as beside:
        for count in map(int, options.nodes.split(",")):
            jobs, commits, rollbacks, wal, processor, seconds = measure(beside, binary, count, options.seconds, options.step_us)
            rate = jobs / seconds
            alone = alone or rate / count
            print(
                f"{count:5}  {3600 * rate:9.0f}  {rate / (alone * count):8.2f}  {commits / jobs:11.1f}  {rollbacks / jobs:13.1f}  "
                f"{wal / jobs / 1e3:10.1f}  {commits / seconds:9.1f}  {processor / seconds:19.2f}",
                flush=True,
            )
        print(claim(beside, os.path.dirname(binary) + "/claims"))


if __name__ == "__main__":
    main()
