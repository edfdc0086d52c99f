"""The trading loop: feeds in, one turn after the other, everything sent through the gate."""
