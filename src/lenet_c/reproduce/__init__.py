"""The paper's figures, remade: `paper_figures` says what each shows, `paper_runs` trains, `figures`
draws.
"""

from .paper_figures import Outcome, plan, run
from .paper_runs import Data, Pass, Result, Run

__all__ = ["Data", "Outcome", "Pass", "Result", "Run", "plan", "run"]
