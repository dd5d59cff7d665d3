"""The embedded stack: everything Codeloom needs, as child processes of one supervisor.

For one person on one machine: no container, no service manager, no root. The same processes as
in production run here, and get the same configuration by the same environment variables; only
where PostgreSQL and Valkey come from differs.

    binaries     where the servers' programs are
    identity     who runs PostgreSQL when we are root
    state        the state directory and its lock; outside: what of it cannot lie inside
    process      one child; supervisor: several; watchdog: what a killed supervisor leaves behind
    postgres, valkey, services     what each child is
    stack        what runs, in which order; the door for the command line

Laws:

1. One stack for one state directory. The lock is let go when the last process has gone, not when
   the supervisor has: the next start finds nothing half alive.
2. Ready means asked and answered, never "started".
3. However the supervisor ends, nothing that it started outlives it by more than a few seconds.
4. No directory that was closed is opened.
5. What has an address in the settings is not started here.
"""
