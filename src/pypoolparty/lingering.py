"""A scheduler whose queue-jobs may stay for the next map: what waits is used first, the rest is submitted.

The engine does not know of it. A queue-job that goes on with another map is told to it under a job id of its own,
which names the queue-job it is in truth (`Origin`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from .errors import SchedulerError
from .events import Accepted, from_line
from .scheduler import Receipt, Scheduler, Target
from .states import Job, Limits, Resources, Submission
from .waiting_room import Seat, WaitingRoom
from .work_dir import WorkDir

__all__ = ["Lingering"]

GUEST = "guest/"


@dataclass(frozen=True)
class Origin:
    """The queue-job that the scheduler knows: an element of an array."""

    job_id: str
    element: int
    job_name: str

    @property
    def guest_id(self) -> str:
        """The job id under which the engine knows it when it works for a later map."""
        return f"{GUEST}{self.job_id}/{self.element}/{self.job_name}"

    @classmethod
    def of(cls, guest_id: str) -> Origin:
        """Return what a guest's job id says."""
        job_id, element, job_name = guest_id.removeprefix(GUEST).split("/", 2)
        return cls(job_id, int(element), job_name)


@dataclass
class Array:
    """What was submitted, as far as it matters later."""

    elements: tuple[int, ...]
    resources: Resources
    job_id: str = ""


class Lingering:
    """Hands elements of a submission to workers that wait; all else it leaves to `inner`.

    Parameters
    ----------
    inner : Scheduler
        Of arrays.
    room : WaitingRoom or None
        None: nobody is to wait, but a resumed map may have guests still.
    """

    def __init__(self, inner: Scheduler, room: WaitingRoom | None) -> None:
        self.inner, self.room = inner, room
        self._lock = threading.Lock()
        self._arrays: dict[str, Array] = {}  # by their names
        self._origins: dict[tuple[str, int], Origin] = {}  # of guests, by the name and element of their last map
        self._whereabouts: dict[Origin, tuple[str, int]] = {}

    @property
    def name(self) -> str:
        """The name for people."""
        return self.inner.name

    def limits(self) -> Limits:
        """Return how much the scheduler takes from us."""
        return self.inner.limits()

    # ------------------------------------------------------------------ submitting

    def submit(self, submission: Submission) -> Receipt:
        """Send workers that wait, and submit what they do not suffice for."""
        if self.room is not None:
            self.room.open()
        guests = self._invite(submission)
        invited = {element for element, _ in guests}
        rest = tuple(k for k in submission.elements if k not in invited)
        if not rest:
            return Receipt(tuple(guests), was_called=False)
        array = self._arrays[submission.name] = Array(rest, submission.resources)
        receipt = self.inner.submit(replace(submission, elements=rest))
        for _, job_id in receipt.jobs:
            array.job_id = job_id
        return replace(receipt, jobs=(*receipt.jobs, *guests))

    def _invite(self, submission: Submission) -> list[tuple[int, str]]:
        """Send those who wait and have what is asked for; return element and job id of each."""
        guests: list[tuple[int, str]] = []
        if submission.excluded_nodes:
            return guests  # where they are is not known here
        for seat in self._seats():
            if len(guests) == len(submission.elements):
                break
            origin = self._origin(seat.job_name, seat.element)
            if origin is None or self._arrays[origin.job_name].resources != submission.resources:
                continue
            element = submission.elements[len(guests)]
            if self.room is not None and self.room.call(seat, submission.work_dir, submission.number, element):
                with self._lock:
                    self._origins[submission.name, element] = origin
                    self._whereabouts[origin] = (submission.name, element)
                guests.append((element, origin.guest_id))
        return guests

    def _seats(self) -> Iterator[Seat]:
        return self.room.seats() if self.room is not None else iter(())

    def _origin(self, job_name: str, element: int) -> Origin | None:
        if (job_name, element) in self._origins:
            return self._origins[job_name, element]
        array = self._arrays.get(job_name)
        return Origin(array.job_id, element, job_name) if array is not None and array.job_id else None

    # ------------------------------------------------------------------ asking

    def query(self, names: Sequence[str]) -> list[Job]:
        """Ask for arrays and guests alike."""
        with self._lock:
            guests = {o: at for o, at in self._whereabouts.items() if at[0] in names}
        jobs = self.inner.query([*dict.fromkeys([*names, *(origin.job_name for origin in guests)])])
        found = []
        for job in jobs:
            if job.name in names:
                found.append(job)
            array = self._arrays.get(job.name)
            if array is not None:
                array.job_id = array.job_id or job.job_id  # the submission was not answered
            at = guests.get(Origin(job.job_id, -1 if job.element is None else job.element, job.name))
            if at is not None:
                guest_id = Origin(job.job_id, job.element or 0, job.name).guest_id
                found.append(replace(job, job_id=guest_id, name=at[0], element=at[1]))
        return found

    def post_mortem(self, job_ids: Sequence[str]) -> list[Job]:
        """Ask the accounting for arrays and guests alike."""
        origins = {Origin.of(job_id) for job_id in job_ids if job_id.startswith(GUEST)}
        own = [job_id for job_id in job_ids if not job_id.startswith(GUEST)]
        found = []
        for job in self.inner.post_mortem([*dict.fromkeys([*own, *(origin.job_id for origin in origins)])]):
            if job.job_id in own:
                found.append(job)
            for origin in origins:
                if (origin.job_id, origin.element) == (job.job_id, job.element):
                    found.append(replace(job, job_id=origin.guest_id, element=None))
        return found

    # ------------------------------------------------------------------ cancelling

    def cancel(self, targets: Sequence[Target]) -> bool:
        """Cancel what works for the map in question; who waits, or works for another map by now, is left alone."""
        meant: list[Target] = []
        for target in targets:
            if target.job_id.startswith(GUEST):
                meant += self._guest(target)
            else:
                meant += self._own(target)
        return bool(meant) and self.inner.cancel(meant)

    def _guest(self, target: Target) -> list[Target]:
        origin = Origin.of(target.job_id)
        at = self._whereabouts.get(origin)
        is_meant = target.elements is None or (at is not None and at[1] in target.elements)
        if not is_meant or (at is not None and self._is_waiting(*at)):
            return []
        return [Target(origin.job_id, (origin.element,))]

    def _own(self, target: Target) -> list[Target]:
        """Return an array without the elements that have gone on, or wait."""
        away = {origin.element for origin in self._whereabouts if origin.job_id == target.job_id}
        for seat in self._seats():
            origin = self._origin(seat.job_name, seat.element)
            if origin is not None and origin.job_id == target.job_id:
                away.add(origin.element)
        if not away:
            return [target]
        known = next((array.elements for array in self._arrays.values() if array.job_id == target.job_id), ())
        elements = tuple(k for k in (known if target.elements is None else target.elements) if k not in away)
        return [Target(target.job_id, elements)] if elements else []

    def _is_waiting(self, job_name: str, element: int) -> bool:
        return any((seat.job_name, seat.element) == (job_name, element) for seat in self._seats())

    # ------------------------------------------------------------------ the rest

    def label(self, submission: int, element: int) -> str:
        """Return the stem of the names of a queue-job's raw output in ``workers``."""
        return self.inner.label(submission, element)

    def adopt(self, work_dir: str) -> None:
        """Learn from its journal who of a map whose main process is gone are guests; that pool's room is closed."""
        self.inner.adopt(work_dir)
        left = WorkDir(work_dir)
        for line in left.journal():
            event = from_line(line)
            if not isinstance(event, Accepted):
                continue
            for element, job_id in event.jobs:
                if job_id.startswith(GUEST):
                    at = (f"{os.path.basename(work_dir)}-{event.submission:04d}", element)
                    self._origins[at] = Origin.of(job_id)
                    self._whereabouts[Origin.of(job_id)] = at
        for number in range(1, left.last_submission() + 1):
            room = left.described(number).get("linger", {}).get("room")
            if room:
                WaitingRoom(room, is_open=True).close()

    def close(self) -> None:
        """Let nobody wait any longer."""
        waiting = [self._origin(seat.job_name, seat.element) for seat in self._seats()]
        if self.room is not None:
            self.room.close()
        targets = [Target(origin.job_id, (origin.element,)) for origin in waiting if origin is not None]
        try:
            if targets:
                self.inner.cancel(targets)
        except SchedulerError:
            pass  # they find the folder gone
        self.inner.close()
