#!/usr/bin/python3
"""The JSON Schema accepts what the loader accepts, on the corpus in tests/data/mesh.

The folders are the loader's verdict (corpus_test.cpp holds it to that), the golden file is the
schema (schema_test.cpp likewise). A bad file that a schema cannot catch says so in its first line:
"# schema cannot express: REASON", with one of the reasons below.
"""

import json
import pathlib
import unittest

import jsonschema
import yaml

TESTS = pathlib.Path(__file__).resolve().parent.parent
MARK = "# schema cannot express: "
CANNOT_EXPRESS = {
    "a key that is written twice",
    "a sum of days, hours, minutes and seconds",
    "addresses",
    "anchors",
    "contexts that are unique",
    "durations compared",
    "how many clusters have a role",
    "merge keys",
    "names that are unique",
    "names that refer to an entry",
    "networks that are equal or differ",
    "tags",
    "unquoted scalars that only some parsers read as a number",
    "unquoted scalars that only some parsers read as a truth value",
    "values compared",
    "values of other programs",
    "versions compared",
    "what a version can do",
    "what gateways need",
    "what has not been tried",
    "who makes lists",
}


def reason(path):
    first = path.read_bytes().split(b"\n")[0].decode("utf-8", "replace")
    return first.removeprefix(MARK) if first.startswith(MARK) else None


class SchemaCorpus(unittest.TestCase):
    def setUp(self):
        schema = json.loads((TESTS / "golden/mesh.schema.json").read_text())
        jsonschema.Draft7Validator.check_schema(schema)
        self.validator = jsonschema.Draft7Validator(schema)

    def problems(self, path):
        """What an editor would say: the parser's problem, or the schema's."""
        try:
            document = yaml.safe_load(path.read_bytes())
        except (yaml.YAMLError, UnicodeDecodeError) as problem:
            return [str(problem)]
        return [error.message for error in self.validator.iter_errors(document)]

    def files(self, verdict):
        files = sorted((TESTS / "data/mesh" / verdict).glob("*.yaml"))
        self.assertGreater(len(files), 10)
        return files

    def test_accepts_every_good_file(self):
        for path in self.files("good"):
            with self.subTest(path.stem):
                self.assertEqual(self.problems(path), [])

    def test_accepts_the_examples_and_the_file_that_init_writes(self):
        examples = sorted((TESTS.parent / "examples").glob("*.yaml"))
        self.assertGreater(len(examples), 0)
        for path in [*examples, TESTS / "golden/init.mesh.yaml"]:
            with self.subTest(path.stem):
                self.assertEqual(self.problems(path), [])

    def test_refuses_every_bad_file_that_a_schema_can_tell(self):
        for path in self.files("bad"):
            with self.subTest(path.stem):
                if reason(path) is None:
                    self.assertNotEqual(self.problems(path), [])
                else:
                    self.assertEqual(self.problems(path), [], "the mark is no longer needed")

    def test_every_reason_for_an_exception_is_listed_and_used(self):
        used = {reason(path) for path in self.files("bad")} - {None}
        self.assertEqual(used, CANNOT_EXPRESS)


if __name__ == "__main__":
    unittest.main()
