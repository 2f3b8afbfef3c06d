"""Case handling command centre: who looks at what next, until when, and what came of it."""
