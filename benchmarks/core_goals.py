"""What many_cores.py prints: tables of its figures, and the goals beside those that meet them."""

from lenet_c.benchmark import timing

CARD, GRAPH, CPU = "PyTorch, card", "PyTorch, graph", "PyTorch, CPU"
HEADER = ("work", "goal", "measured", "met")


def table(name, rows, others=()):
    """Print thousand images a second by batch and threads, and those of others at that batch."""
    threads = list(rows[0]["threads"])
    print(f"\n{name}: thousand images/s (ratio to {threads[0]} thread; share of the peak of all)")
    lines = []
    for row in rows:
        cells = [_cell(row["threads"][t]) for t in threads]
        shown = [found.get(row["batch"]) for _, found in others]
        lines.append((row["batch"], *cells, *(f"{n / 1000:.1f}" if n else "-" for n in shown)))
    timing.print_table(("batch", *threads, *(other for other, _ in others)), lines)


def _cell(figure):
    of_peak = f", {figure['of_peak']:.0%}" if "of_peak" in figure else ""
    return f"{figure['median'] / 1000:.1f} ({figure['ratio']:.2f}{of_peak})"


def by_batch(section):
    """Return batch -> images a second of a section of PyTorch's."""
    return {row["batch"]: row["median"] for row in section.get("training", ())}


def _with_card(name, section):
    card = section.get("facts", {}).get("card")
    return f"{name} ({card})" if card else name


class Goals:
    """The goals that a run's figures tell of: `lines` of (work, goal, measured, whether met)."""

    def __init__(self, sections):
        self.lines = []
        tables = sections.get("tables", {})
        self.peak = tables.get("peak", {})
        self.training, self.prediction = (
            {row["batch"]: row["threads"] for row in tables.get(name, ())}
            for name in ("training", "prediction")
        )
        card, graph = (by_batch(sections.get(name, {})) for name in (CARD, GRAPH))
        if not self.training and not self.prediction:
            return
        self.most = max(next(iter((self.training or self.prediction).values())), key=int)
        named = {name: _with_card(name, sections.get(name, {})) for name in (CARD, GRAPH)}
        self._faster(named[GRAPH], graph, (64,))
        self._faster(named[CARD], card, tuple(n for n in self.training if n <= 1024))
        if int(self.most) >= 4:
            self._gain("training", self.training, 64, "4", 3.4)
        if int(self.most) >= 16:
            self._peak_gain("training", self.training, (256, 1024), 0.7)
            self._gain("prediction", self.prediction, 16, self.most, 2.5)
            self._gain("prediction", self.prediction, 64, self.most, 4)
            self._peak_gain("prediction", self.prediction, (1024,), 0.85)
        elif self.most == "2":
            for name, rows in (("training", self.training), ("prediction", self.prediction)):
                for batch in rows:
                    self._gain(name, rows, batch, "2", 1.5 if batch < 64 else 1.9)
        self._never_slower("alone", self.training, self.prediction)
        self._one_image(sections.get("one image", {}))
        self._beside(sections.get("busy", {}))
        self._profile(sections.get("profile", {}))

    def _add(self, work, goal, measured, met):
        self.lines.append((work, goal, measured, "yes" if met else "NO"))

    def _faster(self, name, rates, batches):
        for batch in batches:
            if batch in self.training and batch in rates:
                ours, theirs = self.training[batch][self.most]["median"], rates[batch]
                work = f"training, batch {batch}, {self.most} threads"
                shown = f"{ours / 1000:.1f} : {theirs / 1000:.1f} = {ours / theirs:.2f}"
                self._add(work, f"faster than {name}", shown, ours > theirs)

    def _gain(self, name, rows, batch, threads, least):
        if batch in rows and threads in rows[batch]:
            ratio, work = rows[batch][threads]["ratio"], f"{name}, batch {batch}, {threads} threads"
            self._add(work, f"{least} times one thread", f"{ratio:.2f}", ratio >= least)

    def _peak_gain(self, name, rows, batches, least):
        gain = self.peak[self.most] / self.peak[min(self.peak, key=int)]
        for batch in batches:
            if batch in rows:
                ratio = rows[batch][self.most]["ratio"]
                work = f"{name}, batch {batch}, {self.most} threads"
                shown = f"{ratio:.2f} : {gain:.2f} = {ratio / gain:.0%}"
                self._add(work, f"{least:.0%} of the peak's gain", shown, ratio >= least * gain)

    def _never_slower(self, where, *tables):
        worst = (2.0, "")
        for name, rows in zip(("training", "prediction"), tables, strict=True):
            for batch, figures in rows.items():
                best = 0.0
                for threads, figure in figures.items():
                    if best:
                        place = f"{name}, batch {batch}, {threads} threads"
                        worst = min(worst, (figure["median"] / best, place))
                    best = max(best, figure["median"])
        if worst[1]:
            goal = "at least 0.95 of fewer threads"
            self._add(f"any, {where}", goal, f"{worst[0]:.2f} ({worst[1]})", worst[0] >= 0.95)

    def _one_image(self, section):
        predict, train = section.get("predict_us"), section.get("training_us")
        if predict:
            us = predict["softmax"]
            self._add("predict, one image, softmax", "15 us", f"{us:.1f} us", us <= 15)
        for work, found in (("predict, one image", predict), ("training, batch 1", train)):
            for name, us in (found or {}).items():
                ratio = us / found["softmax"]
                if name != "softmax":
                    goal = "1.5 times softmax"
                    self._add(f"{work}, {name}", goal, f"{ratio:.2f} ({us:.1f} us)", ratio <= 1.5)

    def _beside(self, section):
        tables = [
            {row["batch"]: row["threads"] for row in section.get(name, ())}
            for name in ("training", "prediction")
        ]
        if any(tables):
            self._never_slower(f"beside {section['processes']} busy", *tables)

    def _profile(self, section):
        for isa in ("avx512", "avx2"):
            for step in section.get(isa, {}).get("sums", ()):
                if step["direction"] == "training":
                    goal = "62 % of the peak" if isa == "avx512" else "not lowered"
                    met = isa == "avx2" or step["of_peak"] >= 0.62
                    self._add(f"sum of training steps, {isa}", goal, f"{step['of_peak']:.1%}", met)

    def show(self):
        """Print them."""
        if self.lines:
            print("\nGoals; rates in thousand images/s, ratios in this run")
            timing.print_table(HEADER, self.lines)
