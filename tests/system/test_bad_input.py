"""Whatever is wrong: one clear line on stderr, the right exit status, the target unharmed."""
import os
import resource
import signal
import subprocess

from harness import HEAPSPY, LAB, TARGETS, SystemTest, need, said, state_of, wait_until


class BadInput(SystemTest):
    def refused(self, *arguments, status, words, before=()):
        """heapspy says why in one line that has these words, and runs nothing."""
        done = self.run_plain(*before, HEAPSPY, *arguments)
        message = done.stderr.decode()
        self.assertEqual(done.returncode, status, message)
        self.assertEqual(done.stdout, b"")
        self.assertEqual(len(message.strip().splitlines()), 1, message)
        if arguments[0] == "trace":
            self.assertTrue(message.startswith("heapspy trace: "), message)
        for word in words:
            self.assertIn(word.lower(), message.lower())
        return message

    def test_no_such_command(self):
        self.refused("trace", "/no/such/command", status=127,
                     words=["/no/such/command", "no such command"])

    def test_no_such_command_in_the_path(self):
        self.refused("trace", "no-such-command-anywhere", status=127,
                     words=["no-such-command-anywhere", "no such command"])

    def test_no_such_command_beside_a_directory_that_may_not_be_searched(self):
        home = self.open_directory()
        heapspy = self.copy_to(home, HEAPSPY)
        (home / "closed").mkdir(mode=0)
        for path in (f"{home}/closed:/bin", f"/bin:{home}/closed"):
            done = self.run_plain(*self.as_nobody(), "env", f"PATH={path}", heapspy, "trace",
                                  "no-such-command-anywhere")
            self.assertIn(b"no such command", done.stderr)
            self.assertEqual(done.returncode, 127)

    def test_command_that_is_not_executable(self):
        file = self.directory / "plain"
        file.write_text("text")
        file.chmod(0o644)
        self.refused("trace", file, status=126, words=[str(file), "permission denied"])

    def test_command_that_is_a_directory(self):
        self.refused("trace", self.directory, status=126, words=[str(self.directory)])

    def test_command_of_an_unknown_format(self):
        file = self.directory / "nonsense"
        file.write_bytes(b"\x7fELF" + bytes(100))
        file.chmod(0o755)
        self.refused("trace", file, status=126, words=[str(file), "exec format"])

    def test_usage_errors(self):
        for arguments, word in ([["trace"], "heapspy trace ls"],
                                [["trace", "--no-such-option", "ls"], "--no-such-option"],
                                [["trace", "--filter", "no_such_call", "ls"], "no_such_call"],
                                [["trace", "--cause", "no_such_cause", "ls"], "no_such_cause"],
                                [["trace", "--min", "many", "ls"], "many"],
                                [["trace", "-p", "many"], "--pid"],
                                [["trace", "-p", "-5"], "5"],
                                [["trace", "-p", "1", "ls"], "-p"],
                                [["no-such-subcommand"], "no-such-subcommand"]):
            with self.subTest(arguments=arguments):
                self.refused(*arguments, status=2, words=[word])

    def test_outputs_that_would_empty_an_input(self):
        file, link = self.directory / "file", self.directory / "link"
        file.write_bytes(b"something")
        file.chmod(0o755)
        link.symlink_to("file")
        for arguments in (["inspect", "-o", link, file],
                          ["inspect", "--exe", file, "-o", link, "core"],
                          ["inspect", "--recording", link, "-o", file, os.getpid()],
                          ["trace", "-o", link, file],
                          ["trace", "--json", link, file],
                          ["trace", "--json", file, "-o", link, "true"],
                          ["trace", "--json", self.directory / "new", "-o",
                           f"{self.directory}/./new", "true"],
                          ["trace", "--json", "-", "-o", "-", "true"],
                          ["record", "-o", "-", "true"]):
            with self.subTest(arguments=arguments):
                self.refused(*arguments, status=2, words=["type"])
                self.assertEqual(file.read_bytes(), b"something")

    def test_a_dash_is_standard_output(self):
        done = subprocess.run([HEAPSPY, "trace", "-o", "-", "true"], cwd=self.directory,
                              capture_output=True, check=True, text=True)
        self.assertIn("execve", done.stdout)
        self.assertEqual(done.stderr, "")
        self.assertFalse((self.directory / "-").exists())

    def test_no_such_process(self):
        child = subprocess.Popen(["true"])
        child.wait()
        self.refused("trace", "-p", child.pid, status=126, words=["no process", str(child.pid)])

    def test_process_that_is_traced_already(self):
        ticker = subprocess.Popen([need("strace"), "-o", "/dev/null", TARGETS / "ticker"],
                                  stdout=subprocess.PIPE, env=self.environment)
        pid = said(ticker.stdout.readline().decode())["pid number"]
        try:
            self.refused("trace", "-p", pid, status=126, words=[str(pid), "traced"])
        finally:
            os.kill(pid, signal.SIGINT)
            ticker.stdout.close()
            ticker.wait()

    def test_program_that_another_tracer_would_follow(self):
        # LeakSanitizer traces its own process, so it fails in one that is traced.
        self.refused("trace", LAB / "heap_spy", status=126, words=["already traced", "heapspy"],
                     before=[need("strace"), "-f", "-q", "-e", "trace=none", "-o", "/dev/null",
                             "-E", "ASAN_OPTIONS=detect_leaks=0"])

    def test_no_permission_to_trace(self):
        home = self.open_directory()
        heapspy = self.copy_to(home, HEAPSPY)
        done = self.run_plain(*self.as_nobody(), heapspy, "trace", "-p", os.getpid())
        message = done.stderr.decode()
        self.assertEqual(done.returncode, 126, message)
        for word in ("not permitted", "CAP_SYS_PTRACE"):
            self.assertIn(word, message)

    def test_32_bit_target(self):
        need("as", "binutils")
        source = self.directory / "small.s"
        source.write_text(".globl _start\n_start:\n  mov $1, %eax\n  mov $7, %ebx\n  int $0x80\n")
        for command in (["as", "--32", "-o", "small.o", "small.s"],
                        ["ld", "-m", "elf_i386", "-o", "small", "small.o"]):
            if subprocess.run(command, cwd=self.directory).returncode != 0:
                self.skipTest("binutils here cannot make 32-bit programs")
        program = self.directory / "small"
        try:
            plain = self.run_plain(program).returncode
        except OSError:
            plain = 126  # this kernel runs none
        done = self.run_plain(HEAPSPY, "trace", "-o", self.directory / "story", program)
        message = done.stderr.decode()
        if plain == done.returncode == 7:
            return
        self.assertEqual(done.returncode, 126)
        self.assertEqual(len(message.splitlines()), 1, message)
        self.assertIn("32-bit", message)
        done = self.run_plain(HEAPSPY, "record", "-o", self.directory / "out", program)
        message = done.stderr.decode()
        self.assertEqual(done.returncode, 126)
        self.assertIn("32-bit", message)
        self.assertNotIn("heapspy trace", message)

    def test_unwritable_output(self):
        for option in ("-o", "--json"):
            with self.subTest(option=option):
                self.refused("trace", option, "/no/such/directory/file", LAB / "heap_spy",
                             status=1, words=["/no/such/directory/file", "no such file"])

    def unharmed(self, *options, words, **run):
        done = self.run_plain(HEAPSPY, "trace", *options, "--", "sh", "-c", "ls /; exit 5", **run)
        plain = self.run_plain("ls", "/")
        message = done.stderr.decode()
        self.assertEqual((done.stdout, done.returncode), (plain.stdout, 5), message)
        for word in words:
            self.assertRegex(message, f"(?m)^heapspy trace: .*{word}")
            self.assertEqual(message.count(word), 1, message)

    def test_full_disk(self):
        self.unharmed("-o", "/dev/full", words=["No space left on device"])
        self.unharmed("-o", self.directory / "story", "--json", "/dev/full",
                      words=["No space left on device"])

    def test_file_at_its_limit(self):
        """What ulimit -f says; the signal that comes with it is not heapspy's end."""
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

        for option in ("-o", "--json"):
            with self.subTest(option=option):
                file = self.directory / f"file{option}"
                self.unharmed(option, file, *(["-q"] if option == "--json" else []),
                              words=["File too large"], preexec_fn=limit)

    def test_reader_of_the_story_goes_away(self):
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = subprocess.run([HEAPSPY, "trace", "--", "sh", "-c", "ls /; exit 5"],
                              stdout=subprocess.PIPE, stderr=write_end, env=self.environment)
        os.close(write_end)
        plain = self.run_plain("ls", "/")
        self.assertEqual((done.stdout, done.returncode), (plain.stdout, 5))

    def test_target_keeps_running_when_the_reader_goes_away_in_between(self):
        story = self.directory / "fifo"
        os.mkfifo(story)
        ticks = self.directory / "ticks"
        with open(ticks, "wb") as output:
            heapspy = subprocess.Popen([HEAPSPY, "trace", "-o", story, TARGETS / "ticker"],
                                       stdout=output, stderr=subprocess.DEVNULL,
                                       env=self.environment)
        with open(story, "rb") as reader:
            reader.read(1000)
        pid = wait_until(lambda: said(ticks.read_text()).get("pid number"), "start", heapspy)
        before = ticks.stat().st_size
        wait_until(lambda: ticks.stat().st_size > before + 1000, "ticks after the reader's end",
                   heapspy)
        os.kill(pid, signal.SIGINT)
        self.assertEqual(heapspy.wait(), 3)
        self.assertIsNone(state_of(pid))
