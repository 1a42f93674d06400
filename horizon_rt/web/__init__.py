"""The live page: picture, attitude and state of a run, for browsers on this machine or elsewhere."""
