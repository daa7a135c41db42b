"""`elsehu doctor`: everything that an installation rests on is tried, and each finding says what to do."""

from elsehu.doctor.examining import examine
from elsehu.doctor.findings import Finding, State

__all__ = ["Finding", "State", "examine"]
