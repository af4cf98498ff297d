"""The search behind the default recipe: trained on 50,000 training images, measured on 10,000.

python tools/choose_recipe.py DIR       # DIR: the folder of MNIST; the test set is not read
"""

import sys

import numpy as np

import lenet_c

RECIPES = [
    *(
        {"batch_size": 64, "learning_rate": rate, "weight_decay": decay}
        for rate in (0.05, 0.07, 0.1)
        for decay in (5e-4, 1e-3, 2e-3)
    ),
    {"batch_size": 128, "learning_rate": 0.1, "weight_decay": 5e-4},
    {"batch_size": 32, "learning_rate": 0.03, "weight_decay": 5e-4},
    {"batch_size": 32, "learning_rate": 0.03, "weight_decay": 7e-4},
    {"batch_size": 64, "learning_rate": 0.05, "weight_decay": 7e-4, "momentum": 0.95},
    {"batch_size": 64, "learning_rate": 0.05, "weight_decay": 7e-4, "momentum": 0.8},
    {"batch_size": 64, "learning_rate": 0.05, "weight_decay": 7e-4, "schedule": "cosine"},
]


def main(folder, seeds=(0, 1, 2, 3)):
    images, labels = lenet_c.datasets.load_mnist("train", folder)
    for recipe in RECIPES:
        errors = []
        for seed in seeds:
            model = lenet_c.LeNet5(seed=seed)
            model.fit(images[:50000], labels[:50000], epochs=10, seed=seed, **recipe)
            errors.append(100 * model.evaluate(images[50000:], labels[50000:]).error_rate)
        shown = " ".join(f"{error:.2f}" for error in errors)
        print(f"{np.mean(errors):.3f} %  ({shown})  {recipe}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
