"""What happens when, how often, how long, and what if it dies.

What the room is for. The graph knows what is stored, the API knows what is asked; this room moves
jobs through time. It alone runs git, talks to Celery and starts parser processes.

Its words.

* A *job* is a requested piece of work, a row; a *task* is a Celery function; a *message* says that
  a task shall look at a job. The row decides, the message is a nudge.
* The *dispatcher* chooses which jobs may run, and takes jobs back from workers that are silent.
* An *attempt* is one try at a job. Each dispatch has an *epoch*, a number that rises: whoever holds
  an older one can change nothing any more.
* A *lease* is the right to run a job. It is kept by beating, lost by silence, and guarded by a lock
  that lives exactly as long as the worker's database session.
* A *stage* is a step of an ingestion. A *budget* is what an attempt may use.

Its laws.

1. Send after commit. A message may be lost, doubled, late or forged; nothing is lost or run twice.
2. A stage takes values, returns values, and may be run twice. Nothing is visible before the last.
3. Progress, cancelling and budgets are looked at between items. No signal, no exception from
   outside, cuts an item in half.
4. An error becomes an outcome in one place: `tasks/jobs.py`.
5. What a remote or a repository says is hostile. The rules for git are in `workers.git`.

A worked example. `facade.request_ingestion` writes a job in the caller's transaction. Its commit
wakes the dispatcher, which moves the job to `dispatched` under epoch 1, commits, and sends
`{tenant_id, job_id, epoch}`. A worker's task claims the job by comparing and setting (job, epoch,
`dispatched`), takes the lock, and runs `pipeline.ingest`. It is killed in the middle. Its lease
runs out, the dispatcher puts the job back, and sends epoch 2. Another worker claims that, finds
what the first had stored, stores the rest, and publishes: one transaction, which checks the epoch
once more.

The floors, from the top: `tasks` and `dispatcher` (processes enter here), `facade` (other rooms
enter here), `pipeline`, `stages`, `lease`, and at the bottom `git`, `progress`, `budget`, `queues`.
"""
