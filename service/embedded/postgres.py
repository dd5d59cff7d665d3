"""The embedded PostgreSQL: its data directory, its command line, its readiness, its first role.

Only the programs of the wheel are used. The server runs in the foreground as a direct child,
listens on a unix socket in a closed directory and, when asked, on one TCP port with a password.
Whoever may enter the socket's directory may be any role; that is right for one machine, and row
level security holds for each role all the same.
"""

import asyncio
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from service.embedded import binaries
from service.embedded.errors import EmbeddedError
from service.embedded.identity import Identity, unprivileged
from service.embedded.process import ProcessSpec

SUPERUSER = "postgres"
LOGIN = "codeloom"
DATABASE = "codeloom"
_SOCKET_NUMBER = 5432
_ADMIN_SECONDS = 60
_CLAIM = "postmaster.pid"

# The login owns the database and makes the roles of the migrations, but is no superuser: a
# superuser would bypass row level security, and development would not see what production does.
_FIRST_ROLE = f"""
select 'create role {LOGIN} login createrole'
where not exists (select from pg_roles where rolname = '{LOGIN}') \\gexec
alter role {LOGIN} set createrole_self_grant = 'set, inherit';
select 'create database {DATABASE} owner {LOGIN}'
where not exists (select from pg_database where datname = '{DATABASE}') \\gexec
"""  # noqa: S608 - the names are constants of this file


@dataclass(frozen=True, slots=True)
class TcpAccess:
    """A loopback port on which the login's password is asked."""

    port: int
    password: str


class PostgresServer:
    """One PostgreSQL cluster in `data`, listening in `sockets`.

    Both directories must be reachable by the user it runs as (`identity`), and are created here,
    owned by that user. `durable=False` trades safety against power loss for speed: tests only.
    """

    def __init__(
        self,
        data: Path,
        sockets: Path,
        *,
        durable: bool = True,
        tcp: TcpAccess | None = None,
    ) -> None:
        self._identity = unprivileged()
        self._programs = binaries.postgres_home(self._identity) / "bin"
        self._data = data
        self._sockets = sockets
        self._durable = durable
        self._tcp = tcp
        # The number is also part of the socket's name.
        self._port = tcp.port if tcp else _SOCKET_NUMBER

    def url(self, user: str = LOGIN, database: str = DATABASE) -> str:
        """Where clients find it over the socket; SQLAlchemy and libpq both read it."""
        host = quote(str(self._sockets), safe="")
        return f"postgresql://{user}@/{database}?host={host}&port={self._port}"

    def tcp_url(self, database: str = DATABASE) -> str:
        """Where clients find it over TCP.

        Raises EmbeddedError when it was not asked to listen there.
        """
        if self._tcp is None:
            raise EmbeddedError("This PostgreSQL listens on its socket only.")
        password = quote(self._tcp.password, safe="")
        return f"postgresql://{LOGIN}:{password}@127.0.0.1:{self._port}/{database}"

    async def prepare(self) -> None:
        """The cluster exists and no dead server claims it afterwards.

        Call it under the lock on the state directory. Raises EmbeddedError, with the words of the
        program, when the cluster cannot be made.
        """
        self._create_directory(self._sockets)
        if (self._data / "PG_VERSION").exists():
            await self._clear_stale_claim()
            return
        # A rename at the end: a start that was killed half way leaves no half cluster.
        partial = self._data.with_name(f"{self._data.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        self._create_directory(partial)
        await self._run(
            "initdb",
            f"--pgdata={partial}",
            f"--username={SUPERUSER}",
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C.UTF-8",
            "--no-sync",
            as_server=True,
        )
        partial.rename(self._data)

    def specification(self) -> ProcessSpec:
        """How to run it."""
        return ProcessSpec(
            name="postgres",
            argv=[str(self._programs / "postgres"), "-D", str(self._data), *self._options()],
            environment=self._environment(),
            ready=self._answers,
            # Recovery after a crash replays the log before it answers.
            ready_seconds=120,
            # "Fast": open transactions are rolled back, the files are left clean.
            stop_signal=signal.SIGINT,
            stop_seconds=3,
            identity=self._identity,
        )

    async def create_login(self) -> None:
        """The login and its database exist afterwards; call it once the server is ready."""
        script = _FIRST_ROLE
        if self._tcp is not None:
            literal = self._tcp.password.replace("'", "''")
            script += f"alter role {LOGIN} password '{literal}';\n"
        await self._run(
            "psql",
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            f"--dbname={self.url(SUPERUSER, SUPERUSER)}",
            script=script,
        )

    def _options(self) -> list[str]:
        options = {
            "unix_socket_directories": str(self._sockets),
            "unix_socket_permissions": "0700",
            "port": str(self._port),
            "listen_addresses": "127.0.0.1" if self._tcp else "",
            "max_connections": "200",
            "shared_buffers": "256MB",
            # Bulk loads: fewer checkpoints, and indexes built in memory.
            "max_wal_size": "2GB",
            "checkpoint_timeout": "15min",
            "maintenance_work_mem": "256MB",
            # Nothing replicates from it, so the log need not carry what only replicas read.
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "log_min_messages": "warning",
        }
        if not self._durable:
            options |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        return [word for name, value in options.items() for word in ("-c", f"{name}={value}")]

    def _environment(self) -> dict[str, str]:
        return {"LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": str(self._data)}

    def _create_directory(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._identity is not None:
            self._identity.own(directory)

    async def _clear_stale_claim(self) -> None:
        """Remove the process id file of a server that no longer runs.

        After a crash the number in it may belong to any process (in a container it often does),
        and PostgreSQL would refuse to start because of that one.
        """
        server = server_on(self._data)
        if server is not None:
            raise EmbeddedError(
                f"A PostgreSQL server (process {server}) still runs on {self._data}. End it first.",
            )
        (self._data / _CLAIM).unlink(missing_ok=True)

    async def _answers(self, _pid: int) -> bool:
        process = await asyncio.create_subprocess_exec(
            str(self._programs / "pg_isready"),
            "--quiet",
            f"--dbname={self.url(SUPERUSER, SUPERUSER)}",
            env=self._environment(),
        )
        return await process.wait() == 0

    async def _run(
        self,
        program: str,
        *arguments: str,
        script: str = "",
        as_server: bool = False,
    ) -> None:
        """Run one of PostgreSQL's own programs to its end, quietly."""
        identity: Identity | None = self._identity if as_server else None
        process = await asyncio.create_subprocess_exec(
            str(self._programs / program),
            *arguments,
            env=self._environment(),
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **(identity.spawn_arguments() if identity else {}),
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(script.encode()), _ADMIN_SECONDS)
        except TimeoutError:
            process.kill()
            raise EmbeddedError(f"{program} did not end within {_ADMIN_SECONDS} s.") from None
        if process.returncode != 0:
            raise EmbeddedError(f"{program} failed:\n{output.decode(errors='replace').rstrip()}")


def server_on(data: Path) -> int | None:
    """The process id of the live server of a cluster, None when it has none."""
    claim = data / _CLAIM
    if not claim.exists():
        return None
    number = claim.read_text(errors="replace").split("\n", 1)[0].strip().lstrip("-")
    try:
        # Its working directory tells a server from whatever else may have its number by now.
        works_here = number.isdecimal() and Path(f"/proc/{number}/cwd").samefile(data)
    except OSError:
        return None
    return int(number) if works_here else None
