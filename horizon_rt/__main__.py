"""`python -m horizon_rt` is `horizon-rt`."""

from horizon_rt.cli import main

if __name__ == "__main__":
    main()
