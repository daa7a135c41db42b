"""What became of jobs when they ran last."""

from piccolo.columns import BigInt, Real, Text, Timestamptz, Varchar
from piccolo.table import Table

from elsehu.db import DIALECT


class JobRun(Table, db=DIALECT, tablename="job_runs"):
    """The last run of each job, by the job's name. `result` is running, ok or failed, `told` what it said of itself.

    Times are the worker's.
    """

    name = Varchar(length=120, primary_key=True)
    result = Varchar(length=10)
    error = Text(default="")
    told = Text(default="")
    started_at = Timestamptz()
    finished_at = Timestamptz(default=None, null=True)
    succeeded_at = Timestamptz(default=None, null=True)
    seconds = Real(default=None, null=True)
    runs = BigInt(default=0)
    failures = BigInt(default=0)
