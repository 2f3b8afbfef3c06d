"""The closed loop on the simulated province: month by month, beside other orders."""
