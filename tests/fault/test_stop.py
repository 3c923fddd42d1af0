"""SIGTERM under load (T17): exit 0 within five seconds, and no training step is lost."""

import http.client
import signal
import threading
import time

import harness
from harness import ENDED, PATIENCE, SOAK

STOPS = 50 if SOAK else 5
STREAMS, POLLERS = 16, 6
SPEC = {
    "dataset": {"name": "spiral", "n": 2000},
    "diffusion": {"timesteps": 20},
    "network": {"hidden_size": 32, "hidden_layers": 2},
    "training": {"epochs": 1_000_000, "batch_size": 20, "checkpoint_every": 50},
}


class Load:
    """Clients that want everything at once until the server goes."""

    def __init__(self, server, job):
        self.server, self.job = server, job
        self.answers, self.ended, self.broken = 0, 0, []
        self.threads = [threading.Thread(target=self.stream) for _ in range(STREAMS)]
        self.threads += [threading.Thread(target=self.poll, args=(path,)) for path in self.paths() * (POLLERS // 3)]
        for thread in self.threads:
            thread.start()

    def paths(self):
        return [f"/v1/jobs/{self.job}", f"/v1/models/{self.job}/samples.csv?n=2000", "/v1/jobs"]

    def poll(self, path):
        while self.server.is_alive():
            status, _ = self.server.ask("GET", path)
            self.answers += status == 200
            if status not in (0, 200, 503):
                self.broken.append((path, status))

    def stream(self):
        """A stream is told that it is over: it ends as HTTP has it, not by a cut."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60 * PATIENCE)
        try:
            connection.request("GET", "/v1/events", headers={"Accept": "text/event-stream"})
            text = connection.getresponse().read()
            self.ended += text.endswith(b"event: shutdown\ndata: {}\n\n")
        except (OSError, http.client.HTTPException) as error:
            self.broken.append(("/v1/events", error))
        finally:
            connection.close()

    def join(self):
        for thread in self.threads:
            thread.join()


def test_stops_under_load(tmp_path):
    dice = harness.dice("stop")
    server = harness.Server(tmp_path, "--workers", "1")
    job = server.submit(SPEC)
    took, answers, seen = [], 0, 0
    for _ in range(STOPS):
        server.wait_for_epoch(job, seen + 1)
        load = Load(server, job)
        time.sleep(0.3 + dice.uniform(0, 0.5))
        seen = server.ask("GET", f"/v1/jobs/{job}")[1]["progress"]["epoch"]
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=30 * PATIENCE) == 0, server.read_log()[-2000:]
        took.append(time.monotonic() - began)
        load.join()
        assert load.broken == [] and load.ended == STREAMS, (load.broken, load.ended)
        answers += load.answers
        server.log.close()
        server.start()
        state = server.wait(job, ("running", *ENDED))
        assert state["progress"]["epoch"] >= seen and state["attempt"] == 1, (seen, state)
    assert server.ask("POST", f"/v1/jobs/{job}/cancel")[0] == 200
    assert server.stop() == 0
    harness.check_integrity(server.database)
    harness.tell(
        f"stop: {STOPS} of {STOPS} SIGTERMs under load ({answers} answers, {STREAMS} streams each): exit 0 after"
        f" {1000 * harness.percentile(took, 0.5):.0f} ms (median), {1000 * max(took):.0f} ms (longest), no epoch lost"
    )
