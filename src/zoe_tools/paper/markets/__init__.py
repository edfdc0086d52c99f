"""Where prices come from: made up, recorded, or mirrored."""
