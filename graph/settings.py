"""Every setting of the system; the only module that reads the environment.

A process builds it once and hands its values down: no limit is read where it is applied. A name
in the environment is the name of the field in capitals (`DATABASE_URL`, `LEASE_SECONDS`).
"""

import ipaddress
import os
import re
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_KIB = 1024
_MIB = 1024 * _KIB

_HTTPS_ORIGIN = re.compile(r"https://[a-z0-9.-]+(:[0-9]{1,5})?")


def _user_data() -> Path:
    """Where programs of this user keep their data, by the XDG convention."""
    named = Path(os.environ.get("XDG_DATA_HOME", ""))
    return named if named.is_absolute() else Path.home() / ".local" / "share"


class Settings(BaseSettings):
    """All that an operator may set; every default is right for one machine.

    Addresses are left out of the printed form, since they may carry passwords.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    # --- where the parts are -------------------------------------------------------------------
    # A login that is a member of the codeloom_* roles, as `postgresql://...`. Without it only what
    # needs no database works.
    database_url: str | None = Field(default=None, repr=False)
    # One login per role, so that a process can hold no right it does not need. Each falls back to
    # `database_url`, whose login then becomes the role for the time of the connection.
    database_owner_url: str | None = Field(default=None, repr=False)
    database_app_url: str | None = Field(default=None, repr=False)
    database_worker_url: str | None = Field(default=None, repr=False)
    database_authenticator_url: str | None = Field(default=None, repr=False)
    database_dispatcher_url: str | None = Field(default=None, repr=False)
    database_operator_url: str | None = Field(default=None, repr=False)
    database_eraser_url: str | None = Field(default=None, repr=False)
    database_maintainer_url: str | None = Field(default=None, repr=False)
    # redis://, rediss:// or unix:///path?db=0
    redis_url: str | None = Field(default=None, repr=False)
    # file:///directory; without it, a folder under `codeloom_home`.
    artifacts_url: str | None = Field(default=None, repr=False)
    codeloom_home: Path = Field(default_factory=lambda: _user_data() / "codeloom")
    # Where repositories are fetched to; without it, a folder under `codeloom_home`.
    codeloom_scratch: Path | None = None
    codeloom_host: str = "127.0.0.1"
    codeloom_port: int = Field(default=8000, ge=0, le=65535)

    # Seals page cursors and knows repeated requests again; the same in all API processes. Without
    # it, one is kept in `codeloom_home`.
    codeloom_secret: str | None = Field(default=None, repr=False)
    # Seal the credentials of tenants: `id:base64` entries between commas, 32 bytes each; the first
    # seals, all open. Without them, one is kept in `codeloom_home`.
    credential_keys: str | None = Field(default=None, repr=False)
    # For the command line: an API that runs elsewhere, and a key for it. Without them, the stack of
    # `codeloom_home` is asked.
    codeloom_api_url: str | None = Field(default=None, repr=False)
    codeloom_api_key: str | None = Field(default=None, repr=False)

    # --- what is allowed -----------------------------------------------------------------------
    # A path on this machine as a repository: right for one's own machine, never for a service.
    allow_local_repositories: bool = False
    max_body_bytes: PositiveInt = 1 * _MIB
    # Of the request line and the headers together; the address may take half of it.
    max_header_bytes: PositiveInt = 64 * _KIB
    # Proxies whose X-Forwarded-For and -Proto are believed: addresses and networks, with commas.
    trusted_proxies: str = ""
    # Whose pages may use the API from a browser: https origins, with commas.
    cors_origins: str = ""
    # Whether /docs and /openapi.json answer, to whomever.
    api_docs: bool = True
    # Connections each process may open per role.
    database_pool_size: PositiveInt = 5
    database_connect_timeout_seconds: PositiveInt = 5

    # --- the HTTP server -----------------------------------------------------------------------
    api_processes: PositiveInt = 1
    # What follows is for each of these processes.
    max_connections: PositiveInt = 1000
    # In which a request's headers, and then its body, have to be there as a whole.
    header_timeout_seconds: PositiveInt = 10
    body_timeout_seconds: PositiveInt = 60
    # A client that takes nothing of its answer this long is disconnected.
    answer_timeout_seconds: PositiveInt = 30
    # Longer than proxies keep a connection that is not used, or they meet it as it closes.
    keep_alive_seconds: PositiveInt = 65
    # What requests under way are given at a stop.
    shutdown_grace_seconds: PositiveInt = 10

    # --- limits of requests --------------------------------------------------------------------
    # What tenants and their keys may ask in a minute is in their plans. This is for an address that
    # shows no key that is known, and for the key of an operator.
    address_requests_per_minute: PositiveInt = 600
    operator_requests_per_minute: PositiveInt = 6000
    # Requests of one tenant that a process works on at once, and how long more wait for it. Fewer
    # than the connections of a process, twice `database_pool_size`, or one tenant could hold all.
    tenant_requests_at_once: PositiveInt = 4
    tenant_turn_timeout_seconds: PositiveInt = 10
    # API processes over all hosts: without Redis, each lets its share of a limit through.
    api_replicas: PositiveInt = 1
    # How long a request may wait for Redis to count it.
    limits_patience_seconds: float = Field(default=0.05, gt=0)

    # --- limits of one ingestion ---------------------------------------------------------------
    # Parser processes of a worker; 0 means as many as there are cores.
    parse_processes: NonNegativeInt = 0
    # Larger files are recorded and not parsed: nobody writes a megabyte of source by hand.
    max_file_bytes: PositiveInt = 1 * _MIB
    max_files_per_repository: PositiveInt = 500_000
    # Files and folders of a commit that are read at all; a commit with more is refused.
    max_paths_per_repository: PositiveInt = 2_000_000
    # What a fetch may bring over the network and leave on disk.
    max_clone_bytes: PositiveInt = 4 * 1024 * _MIB
    max_nodes_per_repository: PositiveInt = 20_000_000
    checkout_timeout_seconds: PositiveInt = 900
    parse_timeout_seconds: PositiveInt = 10  # one file
    # Memory of one parser process; a hostile file takes about 1.2 KB for each of its bytes.
    parse_memory_bytes: PositiveInt = 2 * 1024 * _MIB
    # From so many bytes on, what is to be parsed is cut into shards of the second size, each a job
    # of its own, so that several workers parse at once; 0 means never.
    wide_parse_bytes: NonNegativeInt = 64 * _MIB
    wide_shard_bytes: PositiveInt = 8 * _MIB

    # The only way out for git, and the authorities it trusts instead of the system's.
    git_proxy_url: str | None = Field(default=None, repr=False)
    git_ca_file: Path | None = None

    # --- the life of a job ---------------------------------------------------------------------
    # A worker that is silent this long has lost its job. Four beats fit, so that three may be late.
    lease_seconds: PositiveInt = 60
    heartbeat_seconds: PositiveInt = 15
    # A dispatched job that nobody claims this long is dispatched again.
    dispatch_lease_seconds: PositiveInt = 120
    job_soft_limit_seconds: PositiveInt = 55 * 60
    job_hard_limit_seconds: PositiveInt = 60 * 60
    # Tasks that a worker of a group runs at once: ingestions (parsing itself is spread over
    # `parse_processes`), questions to remotes, housekeeping.
    worker_concurrency: PositiveInt = 1
    git_concurrency: PositiveInt = 1
    maintenance_concurrency: PositiveInt = 1
    # Jobs that may be dispatched or running at once, over all tenants.
    dispatch_slots: PositiveInt = 8
    # Of these, for repositories of more than 20,000 files.
    dispatch_large_slots: PositiveInt = 4
    # Beside them, for upkeep, which has workers of its own: one at work and one to come.
    dispatch_upkeep_slots: PositiveInt = 2
    dispatch_poll_seconds: PositiveInt = 1
    # Refs of a tenant whose remotes are asked every quarter of an hour whether they have moved; of
    # more, each gets its turn later. 0 asks for none.
    reconciled_refs: NonNegativeInt = 20

    # --- how long things are kept --------------------------------------------------------------
    # Older audit events are in the object store only; ended keys are removed. In days.
    audit_retention_days: int = Field(default=90, ge=30)
    key_retention_days: int = Field(default=90, ge=30)
    # Of a repository: the heads of its refs, its newest snapshots, and all that are younger.
    snapshots_kept: PositiveInt = 20
    snapshot_retention_days: PositiveInt = 30

    # --- what is told --------------------------------------------------------------------------
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"

    # For tests only: `stage:action` ends (`kill`) or fails (`raise`) the worker at that stage.
    codeloom_failpoint: str = ""

    @model_validator(mode="after")
    def _beats_fit_into_the_lease(self) -> "Settings":
        if self.heartbeat_seconds * 2 > self.lease_seconds:
            raise ValueError("heartbeat_seconds must be at most half of lease_seconds")
        return self

    @model_validator(mode="after")
    def _the_soft_limit_is_first(self) -> "Settings":
        # Celery starts to wait for the hard one at the soft one: else there would be no hard one.
        if self.job_soft_limit_seconds >= self.job_hard_limit_seconds:
            raise ValueError("job_soft_limit_seconds must be less than job_hard_limit_seconds")
        return self

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_addresses(cls, value: str) -> str:
        for one in _listed(value):
            ipaddress.ip_network(one)  # says itself what is wrong
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_https(cls, value: str) -> str:
        for one in _listed(value):
            if not _HTTPS_ORIGIN.fullmatch(one):
                raise ValueError(f"{one} is not an origin as https://app.example.com")
        return value

    @property
    def proxies(self) -> tuple[str, ...]:
        """The addresses and networks of `trusted_proxies`."""
        return _listed(self.trusted_proxies)

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins of `cors_origins`."""
        return _listed(self.cors_origins)

    @property
    def scratch(self) -> Path:
        """The folder for fetched repositories."""
        return self.codeloom_scratch or self.codeloom_home / "scratch"

    @property
    def artifacts(self) -> str:
        """The address of the object store."""
        return self.artifacts_url or (self.codeloom_home / "artifacts").absolute().as_uri()


def _listed(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(",") if one.strip())


@cache
def get_settings() -> Settings:
    """The settings of this process, read from the environment the first time."""
    return Settings()
