"""What operators ask for."""

from service.examples.story import LIMITS, Examples

EXAMPLES = {
    "create_tenant": Examples(bodies={"on a plan": {"name": "acme", "plan": "standard"}}),
    "change_tenant": Examples(bodies={"limits of its own": {"limits": LIMITS}}),
    "suspend_tenant": Examples(bodies={"why": {"reason": "The invoice of December is open."}}),
    "erase_tenant": Examples(bodies={"the name, to be sure": {"name": "acme"}}),
    "create_plan": Examples(
        bodies={
            "a large one": {
                "code": "enterprise",
                "title": "Enterprise",
                "weight": 4.0,
                "limits": LIMITS,
            }
        }
    ),
    "change_plan": Examples(bodies={"a larger share": {"weight": 2.0}}),
}
