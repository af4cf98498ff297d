"""Figures of the paper, made again from trainings on this machine.

Read `paper_figures` first: what each figure takes and shows. `paper_results` says what a
run is and keeps its result, `paper_runs` trains the runs, `draw_figures` draws.
"""

from .paper_figures import Outcome, plan, run
from .paper_results import Data, Pass, Result, Run

__all__ = ["Data", "Outcome", "Pass", "Result", "Run", "plan", "run"]
