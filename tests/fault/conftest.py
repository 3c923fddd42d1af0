import harness
import pytest


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"FAULT_SEED={harness.SEED}")
    for line in harness.figures:
        terminalreporter.write_line(line)


@pytest.fixture
def page(tmp_path):
    return harness.Page(tmp_path / "page")


@pytest.fixture
def start(tmp_path):
    """Starts servers; stops what is left at the end."""
    servers = []

    def start_server(*flags, directory=None, **more):
        servers.append(harness.Server(directory or tmp_path, *flags, **more))
        return servers[-1]

    yield start_server
    for server in servers:
        if server.page:
            server.page.disarm("memory")
            server.page.disarm("io")
        if server.is_alive():
            assert server.stop() == 0, server.read_log()
