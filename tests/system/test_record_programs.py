"""heapspy record on real programs, and on what is hard to walk: the same output and exit status as
without it, and every event counted."""
import os
import pathlib
import signal
import subprocess
import sys
import urllib.error
import urllib.request

from harness import (HEAPSPY, NOBODY, PATIENCE_SECONDS, TARGETS, build_target, listens, need, said,
                     wait_until)
from recording import RecordTest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
from addresses import free_address

NODE = """
const { Worker } = require('worker_threads'), zlib = require('zlib');
const words = [...Array(20000).keys()].map(i => String(i * 7919 % 10007)).join(' ');
console.log(zlib.gunzipSync(zlib.gzipSync(words)).length);
new Worker("require('worker_threads').parentPort.postMessage('from a worker')", {eval: true})
  .on('message', text => console.log(text));
"""

# Becomes a program by a descriptor: of a file in memory, or of a mount that has no place.
WITHOUT_PATH = """
import ctypes, os, sys
place, program = sys.argv[1:]
OPEN_TREE, HERE, CLONE = 428, -100, 1
if place == 'memfd':
    file = os.memfd_create('copy')
    os.write(file, open(program, 'rb').read())
else:
    file = ctypes.CDLL(None).syscall(OPEN_TREE, HERE, program.encode(), CLONE)
if file < 0: print('refused')
else: os.execve(file, [program], os.environ)
"""

NGINX = """
daemon off;
{user}
worker_processes 2;
pid "{directory}/nginx.pid";
error_log "{directory}/error.log";
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path "{directory}/body";
  proxy_temp_path "{directory}/proxy";
  fastcgi_temp_path "{directory}/fastcgi";
  uwsgi_temp_path "{directory}/uwsgi";
  scgi_temp_path "{directory}/scgi";
  gzip on; gzip_types text/plain; gzip_min_length 1;
  server {{ listen {address}; root "{directory}/pages"; }}
}}
"""

QUERY = ("SELECT count(*), sum(length(md5(x::text))), (SELECT max(y) FROM "
         "(SELECT row_number() OVER (ORDER BY md5(z::text)) AS y FROM generate_series(1, 3000) z) w) "
         "FROM generate_series(1, 5000) x")


class RecordPrograms(RecordTest):
    def serve(self, *command, options=(), before=()):
        """A server that runs under heapspy record, in a session of its own."""
        log = open(self.directory / "server.log", "wb")
        self.addCleanup(log.close)
        server = subprocess.Popen(
            [str(word) for word in (*before, HEAPSPY, "record", "-q", "-o", self.file, *options, "--",
                                    *command)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            cwd=self.directory, env=self.environment)

        def kill():
            try:
                os.killpg(server.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            server.wait()
            while True:  # those that it left became ours
                try:
                    os.waitpid(-1, 0)
                except ChildProcessError:
                    break

        self.addCleanup(kill)
        return server

    def wait_for(self, server, ready):
        def look():
            self.assertIsNone(server.poll(), (self.directory / "server.log").read_text())
            return ready()
        return wait_until(look, "the server is ready")

    def stop(self, server, number):
        """By the signal that its manual says; heapspy ends with its status. SIGINT and SIGQUIT come
        from a terminal, to all at once: heapspy does not pass them on."""
        children = pathlib.Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
        os.kill(int(children.split()[0]), number)
        self.assertEqual(server.wait(PATIENCE_SECONDS), 0,
                         (self.directory / "server.log").read_text())

    def check_all_recordings(self, least):
        """Each of one process of the server; all of them whole."""
        files = [self.file, *self.others()]
        self.assertGreaterEqual(len(files), least)
        for file in files:
            report = self.report(file)
            self.assertEqual(report["totals"]["dropped_events"], 0, file)
            self.assertEqual(report["losses"]["lost_blocks"], 0, file)
        return files

    def test_node(self):
        report = self.check_same(need("node", "nodejs"), "-e", NODE)
        self.assertGreater(report["totals"]["allocations"], 1000)

    def test_java(self):
        java = need("java", "default-jre-headless")
        plain = self.run_plain(java, "-Xint", "-version")
        recorded = self.record(java, "-Xint", "-version", options=["-q"])
        self.assertEqual((recorded.returncode, recorded.stderr),
                         (plain.returncode, plain.stderr.decode()))
        self.assertGreater(self.report()["totals"]["allocations"], 100)

    def test_coroutines(self):
        self.check_whole_stacks("coroutines", "in_coroutine: 200 14000 0\n")

    def test_a_smaller_stack_at_the_place_of_another(self):
        recorded = self.record(build_target("smaller_stack"))
        self.assertEqual((recorded.returncode, recorded.stdout), (0, "both ran\n"))

    def test_php(self):
        # Its extensions are opened so that they look for functions in the C library first.
        php = need("php", "php-cli")
        self.environment["USE_ZEND_ALLOC"] = "0"
        report = self.check_same(php, "-r", "for ($i = 0; $i < 20000; $i++) $a[] = str_repeat($i, 9);"
                                 "echo md5(implode($a)), count(get_loaded_extensions());")
        self.assertGreater(report["totals"]["allocations"], 20000)

    def test_git(self):
        git = need("git")
        self.environment.update(GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_SYSTEM="/dev/null",
                                GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@b", GIT_COMMITTER_NAME="a",
                                GIT_COMMITTER_EMAIL="a@b", HOME=str(self.directory))
        work = self.directory / "work"
        work.mkdir()
        for i in range(50):
            (work / f"file{i}").write_text(str(i) * 500)
        for command in (["init", "-q", "."], ["add", "."], ["commit", "-q", "-m", "one"]):
            done = self.record(git, "-C", work, "-c", "maintenance.autoDetach=false", *command,
                               options=["-q"])
            self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.check_same(git, "-C", work, "log", "--stat")
        self.check_same(git, "-C", work, "gc", "--quiet")  # starts others

    def test_redis(self):
        server = need("redis-server")
        benchmark = need("redis-benchmark", "redis-tools")
        path = self.directory / "redis.sock"
        process = self.serve(server, "--port", "0", "--unixsocket", path, "--save", "",
                             "--dir", self.directory)
        self.wait_for(process, lambda: listens(path))
        done = self.run_plain(benchmark, "-s", path, "-n", "5000", "-q", "-t", "set,lpush")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.stop(process, signal.SIGTERM)
        report = self.report()
        self.check_whole(report)
        self.assertGreater(report["totals"]["allocations"], 10000)

    def test_nginx(self):
        nginx = need("nginx", "nginx-light")
        pages = self.directory / "pages"
        pages.mkdir()
        page = " ".join(str(i * 7919 % 10007) for i in range(5000))
        (pages / "page.txt").write_text(page)
        address = free_address()
        config = self.directory / "nginx.conf"
        config.write_text(NGINX.format(directory=self.directory, address=address,
                                       user="user root;" if os.geteuid() == 0 else ""))
        server = self.serve(nginx, "-c", config, "-e", self.directory / "error.log")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

        def fetch():
            try:
                with opener.open(f"http://{address}/page.txt", timeout=PATIENCE_SECONDS) as answer:
                    return answer.read().decode()
            except OSError:
                return None

        self.wait_for(server, lambda: fetch() == page)
        for _ in range(200):
            self.assertEqual(fetch(), page)
        self.stop(server, signal.SIGQUIT)
        files = self.check_all_recordings(3)
        self.assertTrue(any(self.report(file)["totals"]["allocations"] > 200 for file in files))

    def test_postgres(self):
        homes = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        if not homes:
            self.skipTest("postgres is not installed (Debian package postgresql)")
        home = homes[-1].parent
        self.directory.chmod(0o755)
        data = self.directory / "data"
        data.mkdir()
        before, options = [], []
        if os.geteuid() == 0:  # it refuses to be root's
            os.chown(data, NOBODY, NOBODY)
            before = [need("setpriv", "util-linux"), f"--reuid={NOBODY}", f"--regid={NOBODY}",
                      "--clear-groups"]
            before += ["env"]
            options = ["--agent", self.copy_to(self.open_directory(), self.agent())]
        self.file = data / "out.heapspy"
        done = self.run_plain(*before, home / "initdb", "-D", data / "cluster", "-U", "tester", "-A",
                              "trust", "--no-sync", "--locale=C", "--encoding=UTF8")
        self.assertEqual(done.returncode, 0, done.stderr)

        def query(text):
            return self.run_plain(home / "psql", "-h", data, "-U", "tester", "-d", "postgres", "-X",
                                  "-q", "-A", "-t", "-c", text)

        server = self.serve(home / "postgres", "-D", data / "cluster", "-k", data, "-F",
                            "-c", "listen_addresses=", options=options, before=before)
        self.wait_for(server, lambda: query("SELECT 1").stdout == b"1\n")
        done = query(QUERY)
        self.assertEqual((done.stdout, done.stderr), (b"5000|160000|3000\n", b""))
        self.stop(server, signal.SIGINT)  # what its manual calls a fast shutdown
        files = sorted(data.glob("out*.heapspy"))
        self.assertGreater(len(files), 3)  # one for each of its processes
        for file in files:
            report = self.report(file)
            self.assertEqual(report["totals"]["dropped_events"], 0, file)
            self.assertEqual(report["losses"]["lost_blocks"], 0, file)

    def agent(self):
        """As heapspy finds it: built beside it, or installed."""
        folder = pathlib.Path(HEAPSPY).resolve().parent
        for found in (folder / "../agent/libheapspy-agent.so", folder / "../lib/libheapspy-agent.so"):
            if found.exists():
                return found
        self.skipTest("the agent is not where a build has it")

    def test_64_threads(self):
        report = self.check_same(build_target("threads"), "64")
        self.assertEqual(sum(1 for thread in report["threads"] if thread["allocations"] >= 100), 64)

    def test_10000_frames(self):
        done = self.record(build_target("deep"), "10000", options=["--max-frames", "16384"])
        self.assertEqual((done.returncode, done.stdout), (0, "10000 calls deep: 10 1000\n"))
        report = self.report()
        self.assertEqual(report["losses"]["truncated_stacks"], 0)
        [deepest] = [stack for stack in report["stacks"]
                     if stack["frames"][0].get("function") == "at_the_bottom"
                     or stack["frames"][1].get("function") == "at_the_bottom"]
        self.assertEqual((deepest["allocations"], deepest["allocated_bytes"]), (10, 1000))
        names = [frame.get("function") for frame in deepest["frames"]]
        self.assertEqual(names.count("go_down"), 10001)
        self.assertIn("main", names)

    def test_frames_that_are_left_out_are_counted(self):
        done = self.record(build_target("deep"), "10000")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = self.report()
        self.assertEqual(report["losses"]["truncated_stacks"], 10)
        sums = self.by_function(report, ["at_the_bottom"])
        self.assertEqual(sums["at_the_bottom"], [10, 1000, 0])

    def test_a_stripped_program(self):
        whole = self.check_same(build_target("recorded"))["totals"]
        stripped = self.check_same(build_target("recorded_stripped"))["totals"]
        for key in ("allocations", "allocated_bytes", "live_at_exit_bytes"):
            self.assertEqual(stripped[key], whole[key], key)

    def lines_of(self, program):
        """Of the program's own code, those that are known."""
        report = self.check_same(program)
        return {(pathlib.Path(frame["file"]).name, frame["line"]) for stack in report["stacks"]
                for frame in stack["frames"]
                if frame["module"] == str(program) and frame.get("file")}

    def test_source_lines_without_a_folder(self):
        lines = self.lines_of(build_target("recorded"))
        self.assertGreater(len(lines), 3)
        self.assertEqual(self.lines_of(build_target("recorded_anywhere")), lines)

    def test_source_lines_that_several_files_share(self):
        programs = [self.copy_to(self.directory, build_target(name))
                    for name in ("recorded", "allocates")]
        lines = self.lines_of(programs[0])
        subprocess.run([need("dwz"), "-m", "common.debug", *programs], cwd=self.directory,
                       check=True)
        self.assertEqual(self.lines_of(programs[0]), lines)
        (self.directory / "common.debug").unlink()
        self.assertEqual(self.lines_of(programs[0]), set())

    def test_shared_debug_information_that_is_a_pipe(self):
        """A program's file may name anything: nobody waits for a writer."""
        pipe = self.directory / "pipe"
        os.mkfifo(pipe)
        link = self.directory / "link"
        link.write_bytes(bytes(pipe) + b"\0" + bytes(20))
        program = self.copy_to(self.directory, build_target("recorded"))
        subprocess.run([need("objcopy", "binutils"), "--add-section",
                        f".gnu_debugaltlink={link}", program], check=True)
        self.assertEqual(self.lines_of(program), set())

    def test_a_program_whose_file_has_no_path(self):
        program = build_target("recorded")
        for place in ("memfd", "mount"):
            with self.subTest(place):
                done = self.record(need("/usr/bin/python3", "python3"), "-S", "-c", WITHOUT_PATH,
                                   place, program)
                if done.stdout == "refused\n":
                    self.skipTest("no mount can be made here")
                self.assertEqual(done.returncode, 42, done.stderr)
                [file] = self.directory.glob("out.*.2.heapspy")
                expected = self.told(done.stdout)
                found = self.by_function(self.report(file), expected)
                self.assertEqual({name: found[name] for name in expected}, expected)
                file.unlink()

    def test_code_without_call_frame_information(self):
        report = self.check_same(build_target("without_cfi"))
        facts = said(self.run_plain(build_target("without_cfi")).stdout.decode())
        self.assertGreaterEqual(report["totals"]["allocations"], facts["blocks number"])
        # Where a walk ends there, that is counted; none may have come out by chance.
        self.assertGreaterEqual(report["losses"]["truncated_stacks"], facts["blocks number"])

    def test_exceptions_through_frames(self):
        report = self.check_same(build_target("throws"))
        facts = said(self.run_plain(build_target("throws")).stdout.decode())
        sums = [0, 0, 0]
        for stack in report["stacks"]:
            names = [frame.get("function") or "" for frame in stack["frames"]]
            if any("Block::Block" in name for name in names):
                self.assertTrue(any("catches" in name for name in names), names)
                for i, key in enumerate(("allocations", "allocated_bytes", "live_at_exit_blocks")):
                    sums[i] += stack[key]
        self.assertEqual(sums, [facts["blocks number"], facts["bytes number"], 0])

    def test_libraries_that_are_opened_by_a_relative_path_have_names(self):
        done = self.record(build_target("unloads").resolve(), "./libjoined_library.so", cwd=TARGETS)
        self.assertEqual(done.returncode, 0, done.stderr)
        sums = self.by_function(self.report(), ["library_block"])
        self.assertEqual(sums["library_block"], [600, 30000, 300])

    def test_a_library_that_gets_the_place_of_another_is_not_taken_for_it(self):
        libraries = [TARGETS / "libjoined_library.so", TARGETS / "libother_library.so"]
        # More of them than there are places for in the agent.
        for rounds, how in ((4200, "shown"), (3, "hidden")):
            with self.subTest(how):
                report = self.check_same(build_target("replaces"), rounds, how, *libraries)
                counts = dict.fromkeys(map(str, libraries), 0)
                for stack in report["stacks"]:
                    module = stack["frames"][0].get("module")
                    if module in counts:
                        counts[module] += stack["allocations"]
                self.assertEqual(list(counts.values()), [rounds, 1])

    def test_libraries_that_are_gone_keep_their_names_in_stacks(self):
        report = self.check_same(build_target("unloads"), TARGETS / "libjoined_library.so")
        sums = self.by_function(report, ["library_block"])
        self.assertEqual(sums["library_block"], [600, 30000, 300])
