"""The simulated phone of docs/demo does what it promises."""

import subprocess
import sys

from harness import REPOSITORY, LoopbackTest, binary


class Demo(LoopbackTest):
    weight = 7

    def test_phone(self):
        """docs/demo/phone.py passes its own assertions in record, redact and block mode, in 60 lines at most."""
        done = subprocess.run([sys.executable, REPOSITORY / "docs/demo/phone.py", "--binary", binary()],
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertLessEqual(len(done.stdout.splitlines()), 60)
