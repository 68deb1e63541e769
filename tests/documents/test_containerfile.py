"""`packaging/Containerfile`, read by hadolint, the linter of such files. What it says of this
repository is held by the tests of the server (`documents/containerfile.rs`)."""

import json
import subprocess
import sys
import unittest
from pathlib import Path

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"


def findings(text):
    """What hadolint finds in `text`, of every severity."""
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, "--format", "json", "--no-fail", "-"],
        input=text,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


class Containerfile(unittest.TestCase):
    text = (PACKAGING / "Containerfile").read_text(encoding="utf-8")

    def test_the_linter_finds_nothing(self):
        self.assertEqual(findings(self.text), [])

    def test_nothing_is_switched_off_in_it(self):
        self.assertNotIn("hadolint ignore", self.text)

    def test_the_linter_would_find_what_is_wrong(self):
        base = "FROM gcr.io/distroless/cc-debian12:nonroot"
        self.assertIn(base, self.text)
        for old, new, code in (
            (base, "FROM gcr.io/distroless/cc-debian12", "DL3006"),
            (base, "FROM gcr.io/distroless/cc-debian12:latest", "DL3007"),
            ("USER 65532:65532", "USER root", "DL3002"),
            ('CMD ["serve"]', "CMD serve", "DL3025"),
        ):
            with self.subTest(code):
                found = findings(self.text.replace(old, new))
                self.assertIn(code, [finding["code"] for finding in found])


if __name__ == "__main__":
    unittest.main()
