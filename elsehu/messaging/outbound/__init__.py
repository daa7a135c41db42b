"""From an operator's request to the phone: queued, claimed, handed over, judged, recorded."""
