"""The table of contents of the API."""

from service.routes import (
    admin_audit,
    admin_erasures,
    admin_plans,
    admin_tenants,
    api_keys,
    audit_events,
    credentials,
    docs,
    events,
    files,
    health,
    jobs,
    problems,
    repositories,
    snapshots,
    stats,
    symbols,
    tenants,
    usage,
)

# The most asked first: a request tries them in turn.
ROUTERS = (
    symbols.router,
    jobs.router,
    files.router,
    stats.router,
    snapshots.router,
    repositories.router,
    events.router,
    tenants.router,
    usage.router,
    api_keys.router,
    audit_events.router,
    credentials.router,
    admin_tenants.router,
    admin_plans.router,
    admin_erasures.router,
    admin_audit.router,
    health.router,
    problems.router,
    docs.router,
)

TAGS = [
    {"name": "tenant", "description": "Whose key this is."},
    {"name": "keys", "description": "Who may do what."},
    {"name": "credentials", "description": "For private repositories."},
    {"name": "repositories", "description": "What may be ingested."},
    {"name": "jobs", "description": "Ingestions are requested, watched and cancelled."},
    {"name": "snapshots", "description": "The graph of one repository at one commit."},
    {"name": "graph", "description": "Questions to a snapshot."},
    {"name": "operator", "description": "For whoever runs the installation, by keys of their own."},
    {"name": "service", "description": "The service itself."},
]
