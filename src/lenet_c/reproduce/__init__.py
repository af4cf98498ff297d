"""The paper's figures, remade: `paper_figures` says what each shows, `paper_runs` trains, `figures`
draws.
"""
