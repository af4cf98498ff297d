"""Digits read in a pool of threads: python service.py FOLDER [FOLDER ...]

Every picture of the folders is prepared and read by one of eight threads; the kernels release the
GIL, and one model serves all of them. Each line of the output is a JSON object.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lenet_c

THREADS = 8


def read(model, path):
    """Return what is known of a picture."""
    try:
        image = lenet_c.images.prepare(path)
    except (OSError, ValueError) as error:
        return {"file": str(path), "error": str(error)}
    p = model.predict_proba(image, threads=1)
    return {"file": str(path), "digit": int(p.argmax()), "probability": round(float(p.max()), 4)}


def main(folders):
    model = lenet_c.LeNet5.pretrained()
    paths = [path for folder in folders for path in sorted(Path(folder).iterdir())]
    with ThreadPoolExecutor(THREADS) as pool:
        for reading in pool.map(lambda path: read(model, path), paths):
            print(json.dumps(reading), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
