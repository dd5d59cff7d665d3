"""Jobs: the queue, which is a table.

Three parties change a row, each in its own file. A tenant asks for work (`requesting`), watches and
cancels (`asking`); the dispatcher chooses over all tenants (`dispatching`) and takes back what a
dead worker held (`reaping`); the worker takes a job (`claiming`), says how it goes and how it ended
(`holding`), and asks for further jobs (`family`). That a job succeeded by publishing a snapshot is
said in `graph.storage.publish`, in the transaction that makes the snapshot visible.

Every change names the state and, for the holder, the epoch it expects. The epoch rises with each
dispatch: whoever holds an older one changes nothing.
"""

from graph.storage.jobs.asking import (
    cancel,
    discard,
    find_by_task,
    get,
    list_page,
    retry,
    unfinished,
)
from graph.storage.jobs.attempts import Attempt, attempts
from graph.storage.jobs.claiming import ClaimedJob, claim
from graph.storage.jobs.dispatching import Dispatched, depth, pick
from graph.storage.jobs.family import FollowUp, Group, Shown, Wanted, forward, split
from graph.storage.jobs.holding import (
    Beat,
    Counts,
    beat,
    fail,
    finish,
    progress,
    retry_later,
)
from graph.storage.jobs.reading import Job
from graph.storage.jobs.reaping import Reaped, Silent, last_task, reap, silent
from graph.storage.jobs.requesting import request

__all__ = [
    "Attempt",
    "Beat",
    "ClaimedJob",
    "Counts",
    "Dispatched",
    "FollowUp",
    "Group",
    "Job",
    "Reaped",
    "Shown",
    "Silent",
    "Wanted",
    "attempts",
    "beat",
    "cancel",
    "claim",
    "depth",
    "discard",
    "fail",
    "find_by_task",
    "finish",
    "forward",
    "get",
    "last_task",
    "list_page",
    "pick",
    "progress",
    "reap",
    "request",
    "retry",
    "retry_later",
    "silent",
    "split",
    "unfinished",
]
