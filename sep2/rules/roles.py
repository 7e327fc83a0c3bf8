"""What operators may do: four roles, each of which includes those before it."""

from enum import IntEnum


class OperatorRole(IntEnum):
    """How much an operator may do; a route is open to its role and to those above it."""

    VIEWER = 1
    """Looks."""
    OPERATOR = 2
    """Also sends controls and overrides, and acts on alarms and deliveries."""
    ENGINEER = 3
    """Also changes the register, groups, defaults, curves, rates and receivers of clients."""
    ADMIN = 4
    """Also operators, tokens, sessions, webhook receivers and the server's clock."""

    @property
    def word(self) -> str:
        """The role as people write it."""
        return self.name.lower()


ROLES = {role.word: role for role in OperatorRole}
VIEWER, OPERATOR, ENGINEER, ADMIN = OperatorRole
REVIEWER, SUPERVISOR = "reviewer", "supervisor"
GRANTS = (REVIEWER, SUPERVISOR)
"""What operators may be given beside their role: a reviewer decides reviews of aggregations that take part in a market,
a supervisor agrees to what refuses somebody, and decides disputes."""
