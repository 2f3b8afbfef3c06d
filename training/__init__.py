"""Labels, temporal splits, training sets, fit, evaluate, promote."""
