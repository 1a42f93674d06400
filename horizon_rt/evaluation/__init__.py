"""Models and finished runs against truth: the runs, their results and the reports made of them."""
