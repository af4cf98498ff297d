"""The command serve: the drawing page and the JSON endpoint."""

import argparse
import contextlib
import os
import threading
import webbrowser

from ..common.messages import complain
from . import models
from .options import integer

HELP = """\
Serve a page on which to draw a digit with mouse, finger or keyboard: the answer, the
probabilities, the 28x28 image that the network gets and the maps of every layer follow the
drawing. POST /api/predict is the same for programs.

Ctrl-C ends it. Only this machine can reach it, unless --host says otherwise; there is neither a
password nor encryption.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add = parser.add_argument
    add(
        "--model",
        metavar="MODEL",
        help=f"file that `lenet-c train` saved, {models.WORDS} (default: photos)",
    )
    add("--host", default="127.0.0.1", help="name or address to listen on (default: %(default)s)")
    add(
        "--port",
        type=integer(0, 65535),
        default=8000,
        metavar="N",
        help="0: any that is free (default: %(default)s)",
    )
    add("--open", action="store_true", help="open the page in the browser")
    add("--verbose", action="store_true", help="tell every request on standard error")


def run(args: argparse.Namespace) -> int:
    """Run ``lenet-c serve``."""
    from ..serve.answers import Reader
    from ..serve.server import Server  # only this command pays for them

    model = models.model_of(args.model, "photos")
    name = "photos" if args.model is None else os.path.basename(args.model)
    with Server(Reader(model, name), args.host, args.port, verbose=args.verbose) as server:
        print(f"{server.url}  (Ctrl-C ends)", flush=True)
        if not server.names:
            complain("other machines can reach this one; nothing is encrypted", kind="")
        if args.open:  # a browser in the terminal returns when it is closed: hence the thread
            threading.Thread(target=webbrowser.open, args=(server.url,), daemon=True).start()
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
    return 0
