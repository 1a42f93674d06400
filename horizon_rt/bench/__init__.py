"""How fast the tracker is here: the timing harness behind `horizon-rt bench`."""
