"""Whether the installed libraries still have the places of theirs that we take and that are not public."""

from __future__ import annotations

from collections.abc import Sequence


def unset(owner: type, *names: str) -> list[str]:
    """Those of the names that a class's constructor no longer sets or calls."""
    return [name for name in names if name not in owner.__init__.__code__.co_names]


def require_fit(part: str, library: str, *, missing: Sequence[str], file: str) -> None:
    """See to it that nothing is missing; call it at start-up.

    Args:
        part: What would not work.
        library: What has changed.
        missing: Its places that are not there.
        file: What has to be adapted to it.

    Raises: RuntimeError.
    """
    if missing:
        raise RuntimeError(
            f"The {part} does not fit the installed {library}: {', '.join(missing)} has changed. "
            f"Install the locked versions, or adapt {file} to the new one."
        )
