"""Pure decisions: the verbs. From a snapshot to a plan or a report; no I/O, no clock, no dice."""
