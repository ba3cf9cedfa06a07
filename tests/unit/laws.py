"""What must hold in `tests.unit.world`, whatever goes wrong there."""

from pypoolparty.chunks import tasks_of
from pypoolparty.errors import PoolPartyError

SAMPLED = 200  # in a large world, what takes long is looked at in every so many steps


def check(world):
    """Check the ledger after a step."""
    ledger, policy = world.ledger, world.policy
    outcomes, place, n_done = ledger.outcomes, ledger.place, ledger.n_done
    assert world.n - outcomes.count(0) == n_done == len(world.sink.found)
    if not world.tick or world.n_steps % SAMPLED == 0:
        assert sum(not at and not outcome for at, outcome in zip(place, outcomes)) == ledger.n_unassigned
        assert all(outcomes[i] for i in world.sink.found)
    for batch in ledger.batches.values():
        if world.tick and world.n_steps % SAMPLED:
            continue
        left = {k for k, element in enumerate(batch.elements) if not element.is_ended}
        assert len(left) == batch.n_left
        assert set(batch.unsent) <= left
        assert len(left) - len(batch.unsent) == batch.n_live
        assert batch.to_judge <= left
    hanging = [b for b in ledger.batches.values() if b.in_flight is not None or b.doubted is not None]
    assert len(hanging) <= 1, "a submission was begun before another was settled"
    assert all(attempts <= policy.max_num_resubmissions + 1 for attempts in ledger.attempts.values())
    if policy.is_elastic and policy.width is not None:
        assert ledger.live <= policy.width


def check_submission(world, submission):
    """Check what is about to be submitted."""
    policy, faults = world.policy, world.faults
    if policy.width is not None and policy.is_elastic and not faults.may_leave_jobs:
        live = sum(job.is_live for job in world.jobs)
        assert live + len(submission.elements) <= policy.width, "more than the user's share"
    if policy.limits.array_size is not None and policy.is_array:
        assert len(submission.elements) <= policy.limits.array_size
    assert submission.elements
    assert len(set(submission.elements)) == len(submission.elements)
    homes = _homes(world) if not world.tick else {}
    for itask in homes:
        if not world.ledger.outcomes[itask]:
            assert len(homes[itask]) <= 1, f"task {itask} can be claimed from {homes[itask]}"


def _homes(world):
    """Return the chunks from which each task may still be run, as far as the ledger can know."""
    homes = {}
    workers = {job.worker.name: job.worker for job in world.jobs if job.worker is not None}
    for table, chunks in world.disk.tables.items():
        for ichunk, chunk in enumerate(chunks):
            claim = world.disk.claimed.get(table, {}).get(ichunk)
            worker = workers.get(claim.removesuffix(".0")) if claim else None
            if claim and (worker is None or _element(world, worker.job).is_ended):
                continue
            for itask in tasks_of(chunk):
                if worker.may_still_run(itask) if claim else _is_reachable(world, table, ichunk):
                    homes.setdefault(itask, []).append((table, ichunk))
    return homes


def _element(world, job):
    return world.ledger.batches[job.number].elements[job.element]


def _is_reachable(world, table, ichunk):
    batches = [batch for batch in world.ledger.batches.values() if table in batch.tables]
    if world.policy.is_elastic:
        return any(batch.is_active for batch in batches)
    return any(not batch.elements[ichunk].is_ended for batch in batches)


def check_end(world):
    """Check what came of the map."""
    assert world.sink.failure is None
    assert "closed" in world.disk.ends
    assert set(range(world.n)) == set(world.sink.found)
    for itask, found in world.sink.found.items():
        if found != ("value of", itask):
            kind, error = found
            assert kind == "ValueError" or isinstance(error, PoolPartyError), found
            assert kind != "ValueError" or (itask,) == error.args
    if not world.faults.lies and not world.last_cancel_failed:
        assert [] == [job for job in world.jobs if job.is_live], "something is left in the queue"


def lost(world):
    """Return the tasks without a result, and why."""
    names = {itask: found[0] for itask, found in world.sink.found.items()}
    return {itask: name for itask, name in names.items() if name not in ("value of", "ValueError")}
