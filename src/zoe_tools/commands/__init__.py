"""One thin file per command: options, then gather, plan, gate, render. No decisions here."""
