"""The parcel handed from training to serving: what a scorer is, what it says, and why."""
