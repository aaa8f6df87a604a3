"""Chromium without a screen, driven by its own protocol (DevTools) over a pair of pipes: opens a page,
runs JavaScript in it and hands back what that says, takes a picture."""
import base64
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import time

from harness import PATIENCE_SECONDS, need, wait_until


def own_children():
    return set(map(int, pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))


class Browser:
    """One page. A context manager: at its end the browser and all that it started are gone."""

    def __init__(self, width=1200, height=800):
        chromium = need("chromium")
        # It makes a socket some 60 letters below, whose path may not have more than 107: wherever
        # TMPDIR is, not there.
        self.profile = tempfile.mkdtemp(prefix="heapspy-browser-", dir="/tmp")
        # chrome://tracing is a page that one has to ask for.
        pathlib.Path(self.profile, "Local State").write_text('{"internal_only_uis_enabled": true}')
        # The browser reads commands from its descriptor 3 and writes to 4.
        command_read, self.commands = os.pipe()
        self.answers, answer_write = os.pipe()

        def place_pipes():
            # First out of the way of 3 and 4 themselves.
            ends = [os.dup(os.dup(os.dup(end))) for end in (command_read, answer_write)]
            for wanted, end in zip((3, 4), ends):
                os.dup2(end, wanted)

        self.others = own_children()
        self.process = subprocess.Popen(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--disable-breakpad", "--disable-background-networking", "--no-first-run",
             "--allow-file-access-from-files", "--remote-debugging-pipe",
             f"--window-size={width},{height}", f"--user-data-dir={self.profile}"],
            preexec_fn=place_pipes, close_fds=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=dict(os.environ, HOME=self.profile, TMPDIR=self.profile))
        os.close(command_read)
        os.close(answer_write)
        self.received = b""
        self.last_id = 0
        self.session = None

    def __enter__(self):
        try:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.call("Target.attachToTarget", targetId=target,
                                     flatten=True)["sessionId"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        wait_until(self._is_gone, "the browser's processes are gone")
        os.close(self.commands)
        os.close(self.answers)
        shutil.rmtree(self.profile, ignore_errors=True)

    def _is_gone(self):
        """Whether nothing is left of it. Its orphans are children of ours: tests are subreapers."""
        left = own_children() - self.others
        for pid in left:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, os.WNOHANG)
        return not left

    def call(self, method, **parameters):
        """A command of the protocol, and its result."""
        self.last_id += 1
        message = {"id": self.last_id, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.commands, data):]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = self._receive(deadline)
            if answer.get("id") != self.last_id:
                continue  # an event
            if "error" in answer:
                raise AssertionError(f"{method}: {answer['error']}")
            return answer["result"]

    def _receive(self, deadline):
        while b"\0" not in self.received:
            ready = select.select([self.answers], [], [], max(0, deadline - time.monotonic()))[0]
            some = os.read(self.answers, 1 << 20) if ready else b""
            if not some:
                raise AssertionError("the browser does not answer")
            self.received += some
        message, _, self.received = self.received.partition(b"\0")
        return json.loads(message)

    def open(self, url):
        self.call("Page.navigate", url=str(url))
        wait_until(lambda: self.run("document.readyState") == "complete", f"{url} is loaded")

    def run(self, expression):
        """The value of a JavaScript expression; of a promise, what it becomes."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in result:
            raise AssertionError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def picture(self, path):
        data = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))
