"""Options that all tests share, and the fixtures of the real schedulers."""

import os
import shutil
import signal
import tempfile

pytest_plugins = ["tests.real.fixtures", "tests.report.browser"]


def pytest_addoption(parser):
    """Add the project's own options."""
    group = parser.getgroup("pypoolparty")
    group.addoption("--backends", help="comma separated: run the contract on these alone, but all of it")
    group.addoption("--debug_dir", help="keep what tests leave in this folder instead of a temporary one")


def pytest_configure(config):
    """Let tests interrupt the programs that they start, also where the shell (or nohup) has us ignore that.

    And keep the settings of whoever runs the tests away from them.
    """
    for name in [name for name in os.environ if name.startswith("PYPOOLPARTY_")]:
        if name not in ("PYPOOLPARTY_MUTATION_NOTES", "PYPOOLPARTY_QUEUE_STATE", "PYPOOLPARTY_DUMMY_JOB"):
            del os.environ[name]
    nowhere = tempfile.mkdtemp(prefix="party-no-settings-")  # a browser leaves something even here
    config.add_cleanup(lambda: shutil.rmtree(nowhere, ignore_errors=True))
    os.environ.update(XDG_CONFIG_HOME=nowhere, PYPOOLPARTY_SITE_CONFIG=os.path.join(nowhere, "site.toml"))
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


def pytest_collection_modifyitems(items):
    """Run first what has to come before anything else brings the only Grid Engine up."""
    items.sort(key=lambda item: item.get_closest_marker("comes_first") is None)


def pytest_report_header(config):
    """Say where this runs, for whoever reads the log of a failure."""
    ci = "yes" if os.environ.get("CI") else "no"
    return f"CI: {ci}, cores: {os.cpu_count()}, backends: {config.getoption('backends') or 'by mark'}"
