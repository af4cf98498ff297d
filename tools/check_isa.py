"""Reads the machine code of the built modules with objdump (binutils).

    python tools/check_isa.py                      # of the installed package
    python tools/check_isa.py --package DIR

1. `engine`, `table_baseline` and `table_float64` hold no VEX or EVEX instruction: every
   x86-64 runs them.
2. In `table_avx512` the steps with convolutions and full layers, on the way that an input of
   32 x 32 takes, have all their multiply-adds on zmm, and their innermost loops move no vector to
   or from the stack. So do the functions of one image.

Functions are found by their symbols: build without `-s`, and do not strip. The exit status is 1
where something is violated.
"""

import argparse
import importlib.util
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

BASELINE = ("engine", "table_baseline", "table_float64")
STEPS = (
    "c1_s2_forward", "c1_s2_predict", "c3_forward", "c5_forward", "f6_forward", "output_forward",
    "output_backward", "f6_backward", "c5_backward", "c3_backward_weight", "c3_backward_input",
    "c1_backward_weight",
)  # fmt: skip
ONLINE = (
    "image_c1", "image_c3", "image_head", "image_c3_backward", "image_c1_backward",
    "c_online_train",
)  # fmt: skip

PREFIXES = {"66", "67", "f0", "f2", "f3", "2e", "36", "3e", "26", "64", "65"}
VEX = {"c4", "c5", "62"}  # the first byte behind the prefixes, in 64-bit mode
MULTIPLY_ADD = re.compile(r"vfn?m(add|sub)\d*ps$")
WIDE = re.compile(r"%([xyz]mm)\d+")
KEPT = {"bx", "bp", "sp", "r12", "r13", "r14", "r15"}  # by a call


class Instruction:
    """One line of objdump -d: address, first bytes, mnemonic, operands in the order of AT&T."""

    def __init__(self, line):
        address, code, *text = line.split("\t")
        self.address = int(address.strip(" :"), 16)
        self.code = code.split()
        name, _, rest = (text[0] if text else "").partition(" ")
        self.name, self.operands = name, re.split(r",(?![^(]*\))", rest.split("#")[0].strip())
        where = re.match(r"([0-9a-f]+) <", rest.strip())
        self.target = int(where[1], 16) if where and name.startswith("j") else None
        self.text = f"{self.address:x}: {' '.join(text)}"

    @property
    def is_vex(self):
        return next((byte for byte in self.code if byte not in PREFIXES), "") in VEX

    @property
    def is_multiply_add(self):
        return bool(MULTIPLY_ADD.match(self.name))

    @property
    def base(self):
        """The base register of a memory operand, or None."""
        found = re.search(r"\(%(\w+)", " ".join(self.operands))
        return plain(found[1]) if found else None

    @property
    def written(self):
        """The general register that is the destination, or None."""
        last = self.operands[-1]
        if self.name.startswith(("cmp", "test", "push", "j", "call")) or not last.startswith("%"):
            return None
        return None if WIDE.match(last) else plain(last[1:])


def plain(register):
    """Return one name for the parts of a general register: ax for rax, eax and al."""
    if re.match(r"r\d", register):
        return register.rstrip("dwb")
    name = re.sub("^[re]", "", register)
    return {"al": "ax", "bl": "bx", "cl": "cx", "dl": "dx", "sil": "si", "dil": "di"}.get(
        name, name
    )


def functions(path):
    """Yield (name without module and suffix, list of instructions) of a module."""
    command = ["objdump", "-d", "-w", str(path)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for part in re.split(r"\n(?=[0-9a-f]+ <)", text):
        head = re.match(r"[0-9a-f]+ <([^>]+)>:", part)
        if head:
            name = re.sub(r"^__pyx_f_\d+lenet_c_\d+kernels_\d+table_[a-z0-9]+?_", "", head[1])
            lines = [line for line in part.splitlines()[1:] if "\t" in line]
            yield name.split(".")[0], [Instruction(line) for line in lines]


class Graph:
    """The basic blocks of a function: `blocks` start -> instructions, `next` start -> starts."""

    def __init__(self, code):
        inside = {i.address for i in code}
        starts = {code[0].address} | {i.target for i in code if i.target in inside}
        starts |= {b.address for a, b in pairwise(code) if ends_block(a)}
        self.entry, self.blocks, self.next = code[0].address, {}, {}
        for i in code:
            if i.address in starts:
                block = self.blocks[i.address] = []
            block.append(i)
        order = sorted(starts)
        for start, after in zip(order, [*order[1:], None], strict=True):
            last = self.blocks[start][-1]
            falls = not (last.name.startswith(("jmp", "ret", "ud2", "hlt")) or after is None)
            self.next[start] = [t for t in (last.target,) if t in inside] + [after] * falls

    def keep_paper_network(self):
        """Drop the ways that an input of another size than 32 x 32 takes (`is_paper_network`)."""
        at = self.entry
        while len(self.next[at]) == 2:
            compared = [i for i in self.blocks[at] if i.name.startswith(("cmp", "test"))]
            if not compared or compared[-1].operands[0] != "$0x20":
                break
            taken, falls = self.next[at]
            self.next[at] = [falls if self.blocks[at][-1].name == "jne" else taken]
            at = self.next[at][0]
        reached = self.reach([self.entry], self.next)
        self.blocks = {s: b for s, b in self.blocks.items() if s in reached}
        self.next = {s: self.next[s] for s in self.blocks}

    @staticmethod
    def reach(starts, edges, without=None):
        seen, todo = set(), [s for s in starts if s != without]
        while todo:
            at = todo.pop()
            if at not in seen:
                seen.add(at)
                todo += [t for t in edges[at] if t != without]
        return seen

    def innermost_loops(self):
        """Return sets of block starts: natural loops that hold no other."""
        back = {s: [] for s in self.blocks}
        for s, targets in self.next.items():
            for t in targets:
                back[t].append(s)
        loops = {}
        for head in self.blocks:
            below = set(self.blocks) - self.reach([self.entry], self.next, without=head)
            tails = [s for s in back[head] if s in below]  # every way to them leads by the head
            if tails:
                loops[head] = {head} | self.reach(tails, back, without=head)
        return [b for head, b in loops.items() if not any(h in b for h in loops if h != head)]

    def stack_accesses(self):
        """Return block start -> vector instructions on the stack, by whatever register."""
        found, into, todo = {}, {s: None for s in self.blocks}, [self.entry]
        into[self.entry] = {"sp"}
        while todo:
            at = todo.pop()
            stack, found[at] = set(into[at]), []
            for i in self.blocks[at]:
                if WIDE.search(" ".join(i.operands)) and i.base in stack:
                    found[at].append(i)
                follow(i, stack)
            for t in self.next[at]:
                if into[t] is None or not stack <= into[t]:
                    into[t] = (into[t] or set()) | stack
                    todo.append(t)
        return found


def ends_block(i):
    return i.name.startswith(("j", "ret", "ud2", "hlt"))


def follow(i, stack):
    """Change `stack`, the registers that hold addresses in the stack, as an instruction does."""
    if i.name.startswith("call"):
        stack &= KEPT
    to = i.written
    if to is None or to == "sp" or i.name.startswith(("add", "sub", "and", "inc", "dec")):
        return
    source = None
    if i.name.startswith("lea"):
        source = i.base
    elif i.name == "mov" and i.operands[0].startswith("%"):
        source = plain(i.operands[0][1:])
    if source in stack:
        stack.add(to)
    else:
        stack.discard(to)


def check_baseline(name, path):
    """Print a module's line; return the places of its VEX and EVEX instructions."""
    found = [(f, i) for f, code in functions(path) for i in code if i.is_vex]
    print(f"{name:<24}{len(found):>12} VEX or EVEX")
    return [f"{name}, {f}: {i.text}" for f, i in found]


def check_kernels(path):
    """Print a line a function of the AVX-512 build; return the violations."""
    print(f"\n{'table_avx512':<24}     zmm     ymm   other   loops  spills")
    bad, wanted = [], STEPS + ONLINE
    found = [(name, code) for name, code in functions(path) if name in wanted]
    for name, code in sorted(found, key=lambda function: wanted.index(function[0])):
        graph = Graph(code)
        graph.keep_paper_network()
        fused = [i for block in graph.blocks.values() for i in block if i.is_multiply_add]
        widths = [WIDE.search(i.operands[-1])[1] for i in fused]
        narrow = [i for i, width in zip(fused, widths, strict=True) if width != "zmm"]
        stack, loops = graph.stack_accesses(), graph.innermost_loops()
        loops = [b for b in loops if any(i.is_multiply_add for s in b for i in graph.blocks[s])]
        spills = [i for body in loops for s in sorted(body) for i in stack[s]]
        counts = [widths.count(width) for width in ("zmm", "ymm", "xmm")]
        print(f"{name:<24}", *(f"{n:>7}" for n in [*counts, len(loops), len(spills)]))
        bad += [f"{name}, not on zmm: {i.text}" for i in narrow]
        bad += [f"{name}, spill: {i.text}" for i in spills]
    missing = set(wanted) - {name for name, _ in found}
    return bad + [f"{name}: no such symbol; stripped?" for name in sorted(missing)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", type=Path, help="folder of the built modules")
    folder = parser.parse_args().package
    if folder is None:
        found = importlib.util.find_spec("lenet_c")
        if found is None:
            parser.error("lenet_c is not installed; --package DIR")
        folder = Path(found.submodule_search_locations[0])
    modules = {path.name.split(".")[0]: path for path in folder.rglob("*.so")}
    missing = [name for name in (*BASELINE, "table_avx512") if name not in modules]
    if missing:
        sys.exit(f"{folder}: no {', '.join(missing)}")
    bad = []
    for name in BASELINE:
        bad += check_baseline(name, modules[name])
    bad += check_kernels(modules["table_avx512"])
    print(f"\n{len(bad)} violations" if bad else "\nno violation")
    for line in bad[:40]:
        print(f"  {line}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
