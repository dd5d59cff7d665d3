"""What can stop the embedded stack from starting, as sentences for a person."""

from graph.errors import CodeloomError


class EmbeddedError(CodeloomError):
    """The embedded stack cannot do what was asked."""

    code = "embedded_error"
    kind = "unavailable"


class BinaryNotFound(EmbeddedError):
    """A server's program is not in this environment."""

    code = "embedded_binary_not_found"


class UnsafeDirectory(EmbeddedError):
    """A directory the stack would use belongs to someone else or is open to others."""

    code = "embedded_unsafe_directory"


class StateInUse(EmbeddedError):
    """Another stack already runs on this state directory."""

    code = "embedded_state_in_use"


class AddressTaken(EmbeddedError):
    """Something else already listens where the API should."""

    code = "embedded_address_taken"


class ProcessFailed(EmbeddedError):
    """A process of the stack ended early or did not become ready; the message ends with its log."""

    code = "embedded_process_failed"
