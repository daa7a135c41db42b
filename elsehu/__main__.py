"""`python -m elsehu` is `elsehu`."""

from elsehu.cli import main

main()
