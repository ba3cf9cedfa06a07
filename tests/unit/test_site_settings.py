"""Settings of a site and of its user, which stand in for arguments that are not given."""

import dataclasses
import inspect
import os
import subprocess
import sys

import pytest

import pypoolparty
from pypoolparty import resuming, site_names, site_settings
from pypoolparty.errors import BadSetting, PoolPartyError

POOLS = {
    "slurm": [pypoolparty.slurm.Pool, pypoolparty.slurm.array.Pool],
    "sun_grid_engine": [pypoolparty.sun_grid_engine.Pool, pypoolparty.sun_grid_engine.array.Pool],
    "local": [pypoolparty.local.Pool],
}
# What is of one program, and not of a site.
NOT_OF_A_SITE = {"self", "processes", "retry", "initializer", "initargs"}
EVERY_POOL = [pool for pools in POOLS.values() for pool in pools]


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Return functions that write the user's file and the site's."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("PYPOOLPARTY_SITE_CONFIG")
    monkeypatch.setattr(site_settings, "SITE_FILE", str(tmp_path / "etc" / "config.toml"))

    def write(path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    class Site:
        def of_user(self, text):
            return write(tmp_path / "config" / "pypoolparty" / "config.toml", text)

        def of_all(self, text):
            return write(tmp_path / "etc" / "config.toml", text)

    return Site()


def setting_of(pool):
    """Return what a pool was made with; nothing was submitted."""
    pool.terminate()
    return pool._setting


def resources_of(pool):
    """Return the resources that a pool asks for."""
    return setting_of(pool).options.resources


@pytest.mark.parametrize("pool", EVERY_POOL, ids=lambda pool: pool.__module__)
def test_each_argument_of_a_site_may_be_set(pool):
    """All arguments that are not of one program alone can be set; the signature is as it is written."""
    assert set(inspect.signature(pool.__init__).parameters) - NOT_OF_A_SITE <= set(site_settings.ALLOWED)


def test_nothing_may_be_set_that_no_pool_has():
    """Each name that is allowed is an argument of some pool."""
    known = {name for pool in EVERY_POOL for name in inspect.signature(pool.__init__).parameters}
    assert set() == set(site_settings.ALLOWED) - known


def test_argument_before_variable_before_user_before_site(site, monkeypatch):
    """Each source goes before the ones that are further away, and what is said of a scheduler before what is of all."""
    site.of_all('[slurm]\npartition = "of the site"\n')
    assert "of the site" == resources_of(pypoolparty.slurm.array.Pool()).partition
    site.of_user('[all]\npartition = "of all"\n')
    assert "of all" == resources_of(pypoolparty.slurm.array.Pool()).partition
    site.of_user('[all]\npartition = "of all"\n[slurm]\npartition = "of the user"\n')
    assert "of the user" == resources_of(pypoolparty.slurm.array.Pool()).partition
    monkeypatch.setenv("PYPOOLPARTY_PARTITION", "of a variable")
    assert "of a variable" == resources_of(pypoolparty.slurm.array.Pool()).partition
    monkeypatch.setenv("PYPOOLPARTY_SLURM_PARTITION", "of slurm's variable")
    assert "of slurm's variable" == resources_of(pypoolparty.slurm.Pool()).partition
    assert "of an argument" == resources_of(pypoolparty.slurm.array.Pool(partition="of an argument")).partition
    assert resources_of(pypoolparty.slurm.array.Pool(partition=None)).partition is None


def test_positional_arguments_and_other_names_are_given(site):
    """An argument counts as given also by its position, and the width by multiprocessing's name."""
    site.of_user("[all]\nnum_simultaneously_running_tasks = 3\npolling_interval = 7\n")
    assert (3, 7.0) == width_and_interval(pypoolparty.local.Pool())
    assert (2, 7.0) == width_and_interval(pypoolparty.local.Pool(2))
    assert (2, 7.0) == width_and_interval(pypoolparty.local.Pool(processes=2))
    assert (2, 1.0) == width_and_interval(pypoolparty.local.Pool(2, None, 1.0))


def width_and_interval(pool):
    """Return two settings of a pool."""
    setting = setting_of(pool)
    return setting.policy.width, setting.polling_interval


def test_what_another_pool_has_is_no_matter(site):
    """Settings for all apply to the pools that have such an argument."""
    site.of_user('[all]\nqos = "long"\nparallel_environment = "mpi"\nlinger = 3\n')
    assert resources_of(pypoolparty.local.Pool(1)).qos is None
    assert "long" == resources_of(pypoolparty.slurm.Pool(1)).qos


def test_paths_and_tables(site, monkeypatch, tmp_path):
    """In paths ~ and variables are replaced; lists and tables are taken as they are."""
    monkeypatch.setenv("SCRATCH", str(tmp_path))
    site.of_user('[local]\nwork_dir = "$SCRATCH/maps"\nsetup = ["A=1"]\n[local.env]\nCOLOUR = "~"\n')
    setting = setting_of(pypoolparty.local.Pool(1))
    assert (f"{tmp_path}/maps", ["A=1"], {"COLOUR": "~"}) == (setting.parent, list(setting.setup), dict(setting.env))


@pytest.mark.parametrize("scheduler", POOLS)
def test_each_scheduler_has_names_of_its_own(scheduler):
    """In the table of a scheduler may be what one of its pools has, and nothing else."""
    known = {name for pool in POOLS[scheduler] for name in inspect.signature(pool.__init__).parameters}
    assert sorted(known - NOT_OF_A_SITE) == site_names.allowed_in(scheduler)


def test_argument_goes_before_its_other_name(site):
    """Where an argument has two names, whoever gives one of them has given both."""
    site.of_user('[sun_grid_engine]\nqueue_name = "long.q"\nproject = "astro"\n')
    pool = pypoolparty.sun_grid_engine.array.Pool
    assert ("long.q", "astro") == queue_and_project(pool(1))
    assert ("short.q", "other") == queue_and_project(pool(1, partition="short.q", qos="other"))
    assert ("short.q", "other") == queue_and_project(pool(1, queue_name="short.q", project="other"))


def test_setting_goes_before_its_other_name_further_away(site, monkeypatch):
    """So it is among settings, too; of two in one table for all, a scheduler takes the name of its own."""
    pool = pypoolparty.sun_grid_engine.array.Pool
    site.of_user('[all]\npartition = "long"\n[sun_grid_engine]\nqueue_name = "long.q"\n')
    assert "long.q" == queue_and_project(pool(1))[0]
    monkeypatch.setenv("PYPOOLPARTY_PARTITION", "now.q")
    assert "now.q" == queue_and_project(pool(1))[0]
    monkeypatch.delenv("PYPOOLPARTY_PARTITION")
    for text in ('partition = "long"\nqueue_name = "long.q"\n', 'queue_name = "long.q"\npartition = "long"\n'):
        site.of_user(f"[all]\n{text}")
        assert "long.q" == queue_and_project(pool(1))[0]
        assert "long" == resources_of(pypoolparty.slurm.array.Pool(1)).partition
        path = site.of_user(f"[sun_grid_engine]\n{text}")
        with pytest.raises(BadSetting, match=f"{path}:[23]: .* mean the same"):
            pool(1)


def queue_and_project(pool):
    """Return the two as Grid Engine knows them."""
    resources = resources_of(pool)
    return resources.partition, resources.qos


def test_pool_that_is_chosen(site):
    """`pypoolparty.Pool` has the settings of the pool that it chooses, also for the width."""
    site.of_user("[local]\nnum_simultaneously_running_tasks = 3\n")
    assert 3 == setting_of(pypoolparty.Pool(backend="local")).policy.width
    assert 2 == setting_of(pypoolparty.Pool(2, backend="local")).policy.width


def test_variable_that_is_not_set(site, monkeypatch, tmp_path):
    """A path with an unknown variable is no folder named so; who does not use it is not bothered."""
    monkeypatch.delenv("NO_SUCH_SCRATCH", raising=False)
    path = site.of_user('[slurm]\nwork_dir = "${NO_SUCH_SCRATCH}/maps"\n')
    with pytest.raises(BadSetting, match=rf"^{path}:2: work_dir = .*NO_SUCH_SCRATCH\}} is not set"):
        pypoolparty.slurm.Pool(1)
    assert str(tmp_path) == setting_of(pypoolparty.slurm.Pool(1, work_dir=tmp_path)).parent
    setting_of(pypoolparty.local.Pool(1))
    assert ["${NO_SUCH_SCRATCH}/maps"] == [one.value for one in site_settings.shown()]


def test_empty_variable_sets_nothing(site, monkeypatch):
    """So a variable can be taken back in a shell."""
    site.of_user('[slurm]\npartition = "long"\n')
    monkeypatch.setenv("PYPOOLPARTY_PARTITION", "")
    assert "long" == resources_of(pypoolparty.slurm.Pool(1)).partition


def test_file_of_the_site_may_be_elsewhere(tmp_path, monkeypatch):
    """Where nobody may write to /etc, a module file says where the site's settings are."""
    path = tmp_path / "site.toml"
    path.write_text("[local]\ncpus = 3\n")
    monkeypatch.setenv("PYPOOLPARTY_SITE_CONFIG", str(path))
    assert 3 == resources_of(pypoolparty.local.Pool(1)).cpus


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("VERBOSE", "true", ("verbose", True)),
        ("CPUS", "4", ("cpus", 4)),
        ("SLURM_MEM", "4G", ("mem", "4G")),
        ("SLURM_PARTITION", "12", ("partition", "12")),
        ("KEEP_WORK_DIR", "1", ("keep_work_dir", True)),
        ("ELASTIC", "off", ("elastic", False)),
        ("SUBMIT_ARGS", "--constraint=avx2", ("submit_args", ["--constraint=avx2"])),
        ("SUBMIT_ARGS", "--nice --comment='of mine'", ("submit_args", ["--nice", "--comment=of mine"])),
        ("SETUP", "module load a\nmodule load b", ("setup", ["module load a", "module load b"])),
        ("SETUP", '["module load a", "module load b"]', ("setup", ["module load a", "module load b"])),
        ("ENV", '{A = "1"}', ("env", {"A": "1"})),
        ("SLURM_CALL_TIMEOUT", "9.5", ("slurm_call_timeout", 9.5)),
    ],
)
def test_texts_of_variables(site, monkeypatch, variable, text, expected):
    """A variable is read by what its argument is."""
    monkeypatch.setenv(f"PYPOOLPARTY_{variable}", text)
    (setting,) = site_settings.settings_of("slurm").values()
    assert expected == (setting.name, setting.value)
    assert f"PYPOOLPARTY_{variable}" == setting.source


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[all]\nverbose = true\n\n[slurm]\npartitoin = "x"\n', 5, "did you mean 'partition'"),
        ("[slurm]\ncpus = 'four'\n", 2, "cpus must be an integer, not 'four'"),
        ("[slurm]\ncpus = true\n", 2, "cpus must be an integer, not True"),
        ("[slurm]\nverbose = 1\n", 2, "verbose must be true or false, not 1"),
        ("[slurm]\nsetup = 'module'\n", 2, "setup must be a list of texts, not 'module'"),
        ("[slurm]\ncpus = 1\n[slurm.env]\nA = 1\n", 3, "env must be a table of texts"),
        ("[lsf]\nqueue = 'x'\n", 1, "no table or key 'lsf' at the top"),
        ("\npartition = 'x'\n", 2, "no table or key 'partition' at the top"),
        ("slurm = 3\n", 1, "slurm must be a table"),
        ("[local]\npartition = 'x'\n", 2, "no setting 'partition' of local"),
        ("[slurm]\nmem = '4Q'\n", 2, "mem"),
        ("[slurm]\ncpus = 0\n", 2, "cpus must be at least 1, not 0"),
    ],
)
def test_errors_name_file_and_line(site, text, line, words):
    """What can not be is told with the file, the line, the value, and what is allowed."""
    path = site.of_user(text)
    with pytest.raises(BadSetting) as caught:
        pypoolparty.slurm.array.Pool(1)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert words in str(caught.value)


def test_file_that_is_not_toml(site):
    """The parser's own words have the line."""
    path = site.of_user("[slurm\n")
    with pytest.raises(PoolPartyError, match=r"not TOML: .*line 1"):
        pypoolparty.slurm.array.Pool(1)
    path.write_bytes(b"\xff")
    with pytest.raises(BadSetting, match="can not be read"):
        pypoolparty.slurm.array.Pool(1)


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [("CPUS", "many", "cpus must be an integer, not 'many'"), ("COLOUR", "red", "there is no setting 'colour'")],
)
def test_errors_name_the_variable(site, monkeypatch, variable, text, words):
    """A variable that can not be is told by its name."""
    monkeypatch.setenv(f"PYPOOLPARTY_{variable}", text)
    with pytest.raises(BadSetting, match=f"PYPOOLPARTY_{variable}: {words}"):
        pypoolparty.local.Pool(1)


def test_wrong_argument_is_not_blamed_on_the_site(site):
    """What the program gave is told as ever."""
    site.of_user("[all]\ncpus = 2\n")
    with pytest.raises(ValueError, match=r"^mem ") as caught:
        pypoolparty.local.Pool(1, mem="4Q")
    assert not isinstance(caught.value, BadSetting)


def test_going_on_has_the_arguments_of_the_map(site, tmp_path):
    """A map is gone on with as it was begun, whatever has been set since."""
    with pypoolparty.local.Pool(1, work_dir=tmp_path, keep_work_dir=True) as pool:
        result = pool.map_async(abs, [1])
        result.get(60)
    site.of_user("[all]\npolling_interval = 99\n")
    assert 0.1 == setting_of(resuming.pool_of(result.work_dir)).polling_interval
    assert 99 == setting_of(pypoolparty.local.Pool()).polling_interval


def test_going_on_has_the_retry_of_the_map(tmp_path):
    """What is to be done about deaths is not forgotten; exceptions are found again by their names."""
    retry = pypoolparty.Retry(max_num_resubmissions=4, max_mem="64G", retry_exceptions=(ConnectionError,))
    with pypoolparty.local.Pool(1, work_dir=tmp_path, keep_work_dir=True, retry=retry) as pool:
        result = pool.map_async(abs, [1])
        result.get(60)
    policy = setting_of(resuming.pool_of(result.work_dir)).policy
    assert 4 == policy.max_num_resubmissions
    assert dataclasses.replace(retry, max_num_resubmissions=None) == policy.retry
    assert 2 == setting_of(resuming.pool_of(result.work_dir, max_num_resubmissions=2)).policy.max_num_resubmissions


def test_all_that_holds_can_be_shown(site, monkeypatch):
    """For people: what is set for which scheduler, and from where."""
    path = site.of_user('[slurm]\npartition = "long"\n')
    monkeypatch.setenv("PYPOOLPARTY_LOCAL_CPUS", "2")
    shown = [(one.scheduler, one.name, one.value, one.source) for one in site_settings.shown()]
    assert [("slurm", "partition", "long", f"{path}:2"), ("local", "cpus", 2, "PYPOOLPARTY_LOCAL_CPUS")] == shown


def test_no_settings_cost_nothing(tmp_path):
    """Where there are none, no parser is imported."""
    code = "import sys, pypoolparty; pypoolparty.slurm.array.Pool(1); "
    code += "print(sorted({'tomllib', 'tomli'} & set(sys.modules)))"
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.strip()
