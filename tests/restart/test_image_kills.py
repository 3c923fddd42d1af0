"""A model of images after kills, on another number of threads: the same history, weights and images as without them."""

from conftest import SANITIZED, end_despite_kills, outcome

EPOCHS, IMAGES = (40, 60) if SANITIZED else (60, 150)


def spec(threads):
    return {
        "dataset": {"name": "digits", "n": IMAGES},
        "network": {"channels": [16, 32]},
        "diffusion": {"timesteps": 100},
        "training": {"epochs": EPOCHS, "batch_size": 40, "ema_decay": 0.9, "threads": threads, "checkpoint_every": 10},
    }


def test_images_train_to_the_same_bytes_after_kills_with_any_number_of_threads(start, tmp_path):
    ends = []
    for most, threads in (0, 1), (2, 2):
        directory = tmp_path / str(most)
        directory.mkdir()
        server = start("--workers", "1", directory=directory)
        job = server.submit(spec(threads))
        end_despite_kills(server, job, most, 11)
        images = server.fetch("GET", f"/v1/models/{job}/samples.npy?n=20&seed=3&steps=5").body
        ends.append((outcome(server, job), images))
        assert server.stop() == 0
    assert ends[0] == ends[1]
