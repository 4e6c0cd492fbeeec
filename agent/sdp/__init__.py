"""What may come near the WebRTC stack: offers, candidates and answers, checked as text in linear time.

Nothing of aiortc is imported here and nothing here does I/O.
"""

from agent.sdp.answer import announce
from agent.sdp.candidate import (
    MAX_CANDIDATE_CHARS,
    MAX_CANDIDATES,
    CandidateBudget,
    InvalidCandidate,
    check_candidate,
)
from agent.sdp.offer import MAX_CHARS, MAX_LINE_CHARS, MAX_LINES, InvalidOffer, check_offer

__all__ = [
    "MAX_CANDIDATES",
    "MAX_CANDIDATE_CHARS",
    "MAX_CHARS",
    "MAX_LINES",
    "MAX_LINE_CHARS",
    "CandidateBudget",
    "InvalidCandidate",
    "InvalidOffer",
    "announce",
    "check_candidate",
    "check_offer",
]
