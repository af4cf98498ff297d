"""What the tests of the command line share."""

TIMEOUT = 60

# runs the command line as the console script does, after some preparation
SCRIPT = "import sys; {before}; from lenet_c.cli import command_line as c; sys.exit(c.main())"


def one_line(done):
    """Return the only line of standard error."""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("lenet-c: error: ")
    return lines[0]
