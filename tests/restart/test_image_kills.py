"""A model of images after kills, on another number of threads: the same history, weights and images as without them."""

from conftest import SANITIZED, eventually, outcome

EPOCHS = 40 if SANITIZED else 60


def spec(threads):
    return {
        "dataset": {"name": "digits", "n": 150},
        "network": {"channels": [16, 32]},
        "diffusion": {"timesteps": 100},
        "training": {"epochs": EPOCHS, "batch_size": 40, "ema_decay": 0.9, "threads": threads, "checkpoint_every": 10},
    }


def test_images_train_to_the_same_bytes_after_kills_with_any_number_of_threads(start, tmp_path):
    ends = []
    for most, threads in (0, 1), (2, 2):
        directory, kills = tmp_path / str(most), 0
        directory.mkdir()
        server = start("--workers", "1", directory=directory)
        job = server.submit(spec(threads))
        for kill in range(most):
            server.wait_for_epoch(job, 11 * (kill + 1))
            # After a kill the job may still be in the queue, already beyond this epoch.
            if server.wait(job, ("running", "succeeded", "failed"))["status"] == "running":
                # On PostgreSQL it counts as running until the lease of the killed node is over.
                eventually(lambda: server.get(f"/v1/jobs/{job}").json["attempt"] == kills + 1)
                server.kill()
                kills += 1
                server.start()
        assert kills >= min(most, 1)
        state = server.wait(job, seconds=120)
        assert state["status"] == "succeeded" and state["attempt"] == kills + 1, state
        images = server.fetch("GET", f"/v1/models/{job}/samples.npy?n=20&seed=3&steps=5").body
        ends.append((outcome(server, job), images))
        assert server.stop() == 0
    assert ends[0] == ends[1]
