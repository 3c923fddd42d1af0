"""A private PostgreSQL for the tests in a browser, with one database: prints its URI, and then obeys "stop" and "start" on its input.

It ends with its input."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "http"))
import postgresql  # noqa: E402
import stores  # noqa: E402

try:
    cluster = postgresql.Cluster()
except postgresql.Missing as why:
    sys.exit(print(why, flush=True))
try:
    cluster.start()
    uri = cluster.uri(cluster.create("nodes"))
    stores.migrate(uri)
    print(uri, flush=True)
    for line in sys.stdin:
        {"stop": cluster.stop, "start": cluster.start}[line.strip()]()
        print("done", flush=True)
finally:
    cluster.remove()
