#!/usr/bin/env python3
"""docs/models.md is of the models, the command and the inputs that lie here; and a page of others is noticed."""

import importlib.util
import sys
import unittest
from importlib.machinery import SourceFileLoader
from pathlib import Path

sys.dont_write_bytecode = True
LOADER = SourceFileLoader("matrix", str(Path(__file__).with_name("matrix")))
SPEC = importlib.util.spec_from_loader("matrix", LOADER)
matrix = importlib.util.module_from_spec(SPEC)
sys.modules["matrix"] = matrix  # dataclasses look themselves up there
LOADER.exec_module(matrix)


def page(models=matrix.MODELS, command=matrix.COMMAND, digest=None):
    text = matrix.HEADING.format(digest=digest or matrix.digest_of_inputs(), commit="0000000")
    figures = {"seconds": 1, "requests": 1, "hand_seconds": 1, "hand_commands": 1, "hand_requests": 1}
    return text + "".join(matrix.ROW.format(model=model, command=command, **figures) for model in models)


class Staleness(unittest.TestCase):
    def test_of_the_page_that_lies_here(self):
        self.assertEqual("", matrix.what_is_stale(matrix.PAGE.read_text()), "run 'make matrix'")

    def test_is_noticed(self):
        self.assertEqual("", matrix.what_is_stale(page()))
        self.assertIn("models", matrix.what_is_stale(page(models=matrix.MODELS[1:])))
        self.assertIn("command", matrix.what_is_stale(page(command="meshtrust apply")))
        self.assertIn("inputs", matrix.what_is_stale(page(digest="0123456789ab")))


if __name__ == "__main__":
    unittest.main()
