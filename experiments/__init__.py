"""Questions asked of history: the simulated province and the main job on it."""
