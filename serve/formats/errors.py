"""What is raised for everything that cannot be read."""

from __future__ import annotations

from ..command import UserError


class InvalidImageError(UserError, ValueError):
    """A picture that cannot be read. `name` says which, `reason` why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason
