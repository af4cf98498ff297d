"""Figures of the paper, made again from trainings on this machine.

Read `paper_figures` first: what each figure takes and shows. `paper_runs` trains and keeps what it
trained, `draw_figures` draws.
"""

from .paper_figures import Outcome, plan, run
from .paper_runs import Data, Pass, Result, Run

__all__ = ["Data", "Outcome", "Pass", "Result", "Run", "plan", "run"]
