"""EiReport as either side does it: one part for the source of reports, one for who asks for them.

A VEN reports to its VTN and a VTN to its VENs by the same rules (section 8.3 of the profile). What is here keeps
nothing and sends nothing: it takes what is remembered of a peer, and says what is remembered afterwards.
"""

from oadr_core.reports.requester import Examined, Requester, is_over
from oadr_core.reports.source import Source

__all__ = ["Examined", "Requester", "Source", "is_over"]
