"""heapspy inspect on programs as they are: what its rows add up to is what the kernel counts, and the
memory of other allocators and runtimes is said to be theirs."""
import contextlib
import os
import pathlib
import re
import shutil
import subprocess

from harness import SystemTest, listens, need, state_of, wait_until
from test_inspect import inspect_json

PRELOADS = {"jemalloc": ("libjemalloc.so.2", "libjemalloc2"),
            "tcmalloc": ("libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
            "mimalloc": ("libmimalloc.so.2", "libmimalloc2.0")}
LIBRARIES = pathlib.Path("/usr/lib/x86_64-linux-gnu")
ALLOCATE = "x = [bytes(200) for _ in range(50000)]; print('ready', flush=True); input()"


def resident_by_smaps(pid):
    smaps = pathlib.Path(f"/proc/{pid}/smaps").read_text()
    return sum(int(kib) for kib in re.findall(r"^Rss:\s+(\d+) kB", smaps, re.MULTILINE)) * 1024


def no_child_is_left():
    """Children of children are ours when their parents have ended (harness)."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
        return False
    except ChildProcessError:
        return True


@contextlib.contextmanager
def running(*command, ready=True, **options):
    """A program that says that it is ready, and ends when its input does."""
    child = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **options)
    try:
        if ready:
            child.stdout.readline()
            # It goes on from there to where it waits, by code that it may not have touched so far.
            wait_until(lambda: state_of(child.pid)[0] == "S", "it sleeps", child)
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


class Programs(SystemTest):
    def check(self, pid, idle=True):
        """The rows against the kernel. A program that does nothing has the same memory afterwards."""
        report = inspect_json(pid)
        self.assertEqual(report["damages"], [])
        self.assertEqual(report["inconsistencies"], 0)
        self.assertEqual(sum(row["bytes"] for row in report["resident_ledger"]), report["rss_bytes"])
        self.assertEqual(sum(row["bytes"] for row in report["virtual_ledger"]),
                         report["virtual_bytes"])
        kinds = {row["kind"]: row["bytes"] for row in report["resident_ledger"]}
        self.assertEqual(kinds.get("remainder", 0), 0)
        if idle:
            self.assertEqual(report["rss_bytes"], resident_by_smaps(pid))
        return report

    def check_owner(self, report, owner, least):
        bytes_of_owner = sum(row["bytes"] for row in report["resident_ledger"]
                             if row["owner"] == owner)
        self.assertGreater(bytes_of_owner, least, report["resident_ledger"])
        self.assertTrue(all(row["tag"] == "estimated" for row in report["resident_ledger"]
                            if row["owner"] == owner))

    def test_python_and_its_own_allocator(self):
        with running("/usr/bin/python3", "-c", ALLOCATE) as child:
            self.check_owner(self.check(child.pid), "CPython obmalloc", 2 << 20)

    def test_other_allocators(self):
        tried = 0
        for name, (library, _) in PRELOADS.items():
            if not (LIBRARIES / library).exists():
                continue
            tried += 1
            with self.subTest(name):
                environment = dict(os.environ, LD_PRELOAD=str(LIBRARIES / library),
                                   PYTHONMALLOC="malloc")
                with running("/usr/bin/python3", "-c", ALLOCATE, env=environment) as child:
                    report = self.check(child.pid)
                self.check_owner(report, name, 5 << 20)
        if tried == 0:
            self.skipTest("none of " + ", ".join(package for _, package in PRELOADS.values()) +
                          " is installed")

    def test_musl(self):
        loader = pathlib.Path("/lib/ld-musl-x86_64.so.1")
        if not loader.exists():
            self.skipTest("musl's loader is not installed (Debian package musl)")
        source = self.directory / "musl.c"
        source.write_text("""#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(void) {
  for (int i = 0; i < 50000; ++i) memset(malloc(200), 1, 200);
  puts("ready"); fflush(stdout); char c; return (int)read(0, &c, 1);
}""")
        program = self.directory / "musl"
        subprocess.run([need("musl-gcc", "musl-tools"), "-o", program, source], check=True)
        with running(program) as child:
            report = self.check(child.pid)
        self.assertIsNone(report["heap"])
        self.check_owner(report, "musl", 1 << 20)

    def test_go(self):
        with running(need("fzf"), "--filter", "x", ready=False) as child:
            child.stdin.write(b"x y z\n" * 100000)
            child.stdin.flush()
            wait_until(lambda: resident_by_smaps(child.pid) > 8 << 20, "fzf's reading", child)
            report = self.check(child.pid, idle=False)
        self.check_owner(report, "Go runtime", 4 << 20)

    def test_node(self):
        with running(need("node", "nodejs"), "-e",
                     "global.x = [...Array(200000).keys()].map(i => ({i}));"
                     "console.log('ready'); process.stdin.resume()") as child:
            report = self.check(child.pid, idle=False)
        self.check_owner(report, "V8", 4 << 20)

    def test_java(self):
        java = need("java", "default-jre-headless")
        compiler = need("javac", "default-jdk-headless")
        source = self.directory / "Wait.java"
        source.write_text("public class Wait { public static void main(String[] a) throws Exception {"
                          " byte[][] x = new byte[4000][]; for (int i = 0; i < 4000; ++i) x[i] = new"
                          " byte[4000]; System.out.println(\"ready\"); System.in.read();"
                          " System.out.println(x.length); } }")
        subprocess.run([compiler, "-d", self.directory, source], check=True)
        with running(java, "-Xmx128m", "-cp", self.directory, "Wait") as child:
            report = self.check(child.pid, idle=False)
        self.check_owner(report, "HotSpot", 16 << 20)

    def test_redis_after_a_load(self):
        path = self.directory / "redis.sock"
        with running(need("redis-server"), "--port", "0", "--unixsocket", path, "--save", "",
                     "--dir", self.directory, ready=False, cwd=self.directory) as child:
            wait_until(lambda: listens(path), "redis", child)
            subprocess.run([need("redis-benchmark", "redis-tools"), "-s", path, "-t", "set",
                            "-n", "20000", "-r", "20000", "-d", "300", "-q"], check=True,
                           capture_output=True)
            report = self.check(child.pid, idle=False)
        rows = {row["owner"] for row in report["resident_ledger"]}
        self.assertIn("jemalloc", rows)  # what Debian's is built with

    def test_nginx(self):
        configuration = self.directory / "nginx.conf"
        configuration.write_text(
            "daemon off; master_process off; error_log stderr; pid '%s/pid';\n"
            "events {} http { access_log off; client_body_temp_path '%s'; proxy_temp_path '%s';"
            " fastcgi_temp_path '%s'; uwsgi_temp_path '%s'; scgi_temp_path '%s';"
            " server { listen 'unix:%s/socket'; } }" % ((self.directory,) * 7))
        with running(need("nginx", "nginx-light"), "-c", configuration, "-p", self.directory,
                     ready=False) as child:
            wait_until(lambda: (self.directory / "pid").exists() and
                       (self.directory / "pid").read_text() and state_of(child.pid)[0] == "S",
                       "nginx waits for clients", child)
            report = self.check(child.pid)
        self.assertGreater(report["heap"]["live_blocks"], 0)

    def test_postgres(self):
        programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        postgres = programs[-1] if programs else pathlib.Path(need("postgres", "postgresql"))
        initdb = postgres.resolve().parent / "initdb"
        if not initdb.exists():
            self.skipTest("initdb is not beside postgres (Debian package postgresql)")
        as_user = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        if as_user:
            os.chown(self.directory, 65534, 65534)
        data = self.directory / "data"
        started = subprocess.run([*as_user, initdb, "-D", data, "-N", "-A", "trust"],
                                 capture_output=True, text=True)
        if started.returncode != 0:
            self.skipTest(f"initdb cannot be run here: {started.stderr.strip()}")
        with running(*as_user, postgres, "-D", data, "-k", data, "-c", "listen_addresses=",
                     ready=False) as child:
            wait_until(lambda: listens(data / ".s.PGSQL.5432"), "postgres", child)
            report = self.check(child.pid, idle=False)
            child.terminate()
            child.wait()
        self.assertIn("shared_memory", {row["kind"] for row in report["resident_ledger"]})

    def test_chromium(self):
        chromium = shutil.which("chromium") or need("chromium")
        with running(chromium, "--headless=new", "--no-sandbox", "--disable-gpu",
                     "--remote-debugging-port=0", f"--user-data-dir={self.directory}/profile",
                     "about:blank", ready=False, start_new_session=True) as child:
            port_file = self.directory / "profile/DevToolsActivePort"
            wait_until(port_file.exists, "chromium", child)
            pid = child.pid
            report = inspect_json(pid)
            child.terminate()
            wait_until(no_child_is_left, "chromium's end")
        self.assertEqual(sum(row["bytes"] for row in report["resident_ledger"]),
                         report["rss_bytes"])
        self.assertGreater(report["rss_bytes"], 50 << 20)
