"""Real programs do what they do on glibc's malloc: same output, same status."""
import hashlib
import os
import re
import sys
import textwrap
import urllib.request
from pathlib import Path

import harness
from harness import PATIENCE_SECONDS, PreloadTest, fails_on, need
from servers import Server

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from addresses import free_address

PYTHON = """
import ctypes, collections, json, random, re, subprocess, sys, threading, zlib
random.seed(5)
words = [''.join(random.choices('abcdefgh', k=random.randrange(1, 200))) for _ in range(20000)]
counts = collections.Counter(word[:3] for word in words)
print(sorted(counts.items())[:10], len(json.dumps(words)), zlib.crc32('|'.join(words).encode()))
results = []
def work(n):
    table = {i: str(i) * (i % 50) for i in range(n)}
    results.append(sum(map(len, table.values())))
threads = [threading.Thread(target=work, args=(20000,)) for _ in range(6)]
[t.start() for t in threads]; [t.join() for t in threads]
print(results)
buffers = [ctypes.create_string_buffer(1000 * i) for i in range(200)]
print(sum(map(len, buffers)), re.sub('(a+)(b*)', r'\\2\\1', words[7])[:40])
print(subprocess.run([sys.executable, '-c', 'print(sum(range(1000)))'], capture_output=True).stdout)
big = bytearray(50_000_000); big.extend(bytes(30_000_000)); print(len(big))
"""

CXX = """
#include <iostream>
#include <map>
#include <string>
#include <thread>
int main() {
  std::map<std::string, int> counts;
  for (int i = 0; i < 20000; ++i) ++counts[std::to_string(i * 7919 % 1000)];
  std::size_t size = 0;
  std::thread([&] { size = std::string(100000, 'x').size(); }).join();
  std::cout << counts.size() << ' ' << size << std::endl;
}
"""

SQL = """
CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT, length INTEGER);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
INSERT INTO word SELECT i, hex(i * 7919 % 10007) || substr('abcdefghijklmnopqrstuvwxyz', 1, i % 26), i % 97 FROM n;
CREATE INDEX by_text ON word (text);
SELECT count(*), sum(length), min(text), max(text) FROM word;
SELECT length, count(*), group_concat(substr(text, 1, 2)) FROM word WHERE id < 2000 GROUP BY length ORDER BY 2, 1 LIMIT 5;
UPDATE word SET text = text || text WHERE id % 3 = 0;
DELETE FROM word WHERE id % 5 = 0;
VACUUM;
PRAGMA integrity_check;
SELECT a.id, b.id FROM word a JOIN word b ON a.text = b.text AND a.id < b.id ORDER BY 1, 2 LIMIT 5;
"""

PERL = r"""
my (%count, @lines);
for my $i (1 .. 60000) { my $w = sprintf("%05d", $i * 7919 % 10007); $count{$w}++; push @lines, "$w " x ($i % 9); }
my $text = join("\n", @lines); my $n = () = $text =~ /(\d)\1/g;
print scalar(keys %count), " $n ", length($text), "\n";
print join(",", (sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count)[0 .. 4]), "\n";
my $pid = fork; if (!$pid) { my @x = map { "x" x $_ } 1 .. 2000; exit(@x % 7) } waitpid $pid, 0; print $? >> 8, "\n";
"""

RUBY = r"""
words = (1..40000).map { |i| (i * 7919 % 10007).to_s * (i % 7 + 1) }
puts words.tally.size, words.sort.first(3).inspect, words.join.scan(/(\d)\1/).size
puts 4.times.map { |t| Thread.new { (1..5000).map { |i| i.to_s * t }.join.size } }.map(&:value).inspect
GC.start
GC.compact if GC.respond_to?(:compact) && RUBY_VERSION >= "3.2"
puts `echo from a child`
"""

PHP = r"""
$words = []; for ($i = 0; $i < 50000; $i++) $words[] = str_repeat($i * 7919 % 10007, $i % 5 + 1);
sort($words, SORT_STRING); echo count(array_unique($words)), ' ', md5(implode(' ', $words)), "\n";
echo strlen(serialize($words)), ' ', preg_match_all('/([0-9])\1/', implode(' ', $words)), ' ';
echo strlen(json_encode($words)), ' ', count(json_decode(json_encode($words))), "\n";
$file = tempnam('.', 'php'); file_put_contents($file, $words[7]); echo filesize($file), "\n"; unlink($file);
echo count(get_loaded_extensions()) > 10 ? "extensions\n" : "none\n";
"""

NODE = r"""
const { Worker } = require('worker_threads'), zlib = require('zlib'), crypto = require('crypto');
const words = [...Array(50000).keys()].map(i => String(i * 7919 % 10007).repeat(i % 5 + 1));
const packed = zlib.gzipSync(words.join(' '));
console.log(zlib.gunzipSync(packed).length, crypto.createHash('sha256').update(words.join()).digest('hex'));
console.log([1, 2, 3].map(i => Buffer.alloc(i * 3000000, i).reduce((a, b) => a + b)).join());
const code = `require('worker_threads').parentPort.postMessage([...Array(9999).keys()].map(String).join('').length)`;
let left = 4;
for (let i = 0; i < 4; ++i) new Worker(code, {eval: true}).on('message', m => { if (--left == 0) console.log(m); });
"""

JAVA = """
import java.util.*;
import java.util.stream.*;
import java.util.zip.*;
public class Tiny {
  public static void main(String[] arguments) throws Exception {
    Map<String, Integer> counts = new TreeMap<>();
    for (int i = 0; i < 200000; i++) counts.merge(Integer.toString(i * 31 % 1009), 1, Integer::sum);
    System.out.println(counts.size() + " " + IntStream.range(0, 100000).parallel().mapToLong(i -> i % 7).sum());
    Deflater deflater = new Deflater();
    deflater.setInput(new byte[3000000]);
    deflater.finish();
    System.out.println(deflater.deflate(new byte[100000]));
    deflater.end();
    Thread[] threads = new Thread[20];
    for (int i = 0; i < 20; i++) (threads[i] = new Thread(() -> new StringBuilder("x".repeat(100000)))).start();
    for (Thread thread : threads) thread.join();
    java.nio.ByteBuffer.allocateDirect(20000000).put(7, (byte) 1);
  }
}
"""

REDIS_DATA = """
for i = 1, 3000 do
  redis.call('SET', 'text:' .. i, string.rep('x' .. i, i % 300 + 1))
  redis.call('HSET', 'hash:' .. i % 50, 'field' .. i, string.rep('y', i % 1000))
  redis.call('ZADD', 'sorted', i * 7919 % 10007, 'member' .. i)
  redis.call('RPUSH', 'list:' .. i % 7, i, i * i)
  if i % 3 == 0 then redis.call('DEL', 'text:' .. i - 1) end
end
return redis.call('DBSIZE')
"""

POSTGRES = """
CREATE TABLE word (id int PRIMARY KEY, text text, numbers int[]);
INSERT INTO word SELECT i, repeat(md5(i::text), i % 9), ARRAY[i, i % 7] FROM generate_series(1, 20000) i;
CREATE INDEX ON word (text);
ANALYZE word;
SELECT count(*), sum(length(text)), max(text) FROM word;
SELECT numbers[2], count(*), md5(string_agg(text, ',' ORDER BY id)) FROM word GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM word a JOIN word b ON a.text = b.text WHERE a.id < 2000;
DO $$ BEGIN FOR i IN 1..200 LOOP PERFORM repeat('x', i * 1000); END LOOP; END $$;
SELECT regexp_replace('memory allocated', '(l+)', '<\\1>', 'g');
VACUUM FULL word;
"""

# What it says follows from SQL alone.
POSTGRES_SAYS = """20000|2559840|fffb8ef15de06d87e6ba6c830f3b6284
0|2857|fd0f10f1b64e2e0826380ba74933ebd1
1|2858|498f5df3660c0b8550709c7e9760d4a9
2|2857|093333fe1294abff9d7cb5faecb3dd57
3|2857|c1a9e472341100e1b5bc5207beda157b
4|2857|6df28bacb97e9389aac6939f466d2cfa
5|2857|99e79b46efbff5e6149ce63c1dfb1f55
6|2857|b9d4c3ef202f71205cf88f89601dd54b
495061
memory a<ll>ocated
"""

NGINX = """
daemon off;
worker_processes 2;
{user}
pid "{directory}/nginx.pid";
error_log "{directory}/error.log" warn;
events {{ worker_connections 64; }}
http {{
  access_log off;
  gzip on;
  gzip_min_length 1;
  gzip_types *;
  client_body_temp_path "{directory}/body";
  proxy_temp_path "{directory}/proxy";
  fastcgi_temp_path "{directory}/fastcgi";
  uwsgi_temp_path "{directory}/uwsgi";
  scgi_temp_path "{directory}/scgi";
  server {{
    listen {address};
    root "{directory}/pages";
    location /again/ {{ proxy_pass http://{address}/; }}
  }}
}}
"""


def without_numbers(text):
    """Of gdb's: process numbers and addresses, which depend on what is mapped where."""
    return re.sub(r"\b(process|Thread|LWP) [0-9a-f]+|0x[0-9a-f]+", "N", text)


class Programs(PreloadTest):
    def both(self, argv, through=lambda text: text, env=None):
        """The same command on glibc and on the library; returns what it printed."""
        plain = self.run_command(argv, env=self.plain_environment | (env or {}))
        self.assertEqual(plain.returncode, 0, f"on glibc itself: {plain.stdout}{plain.stderr}")
        done = self.run_command(argv, env=self.environment | (env or {}))
        self.assertEqual((done.returncode, through(done.stdout), through(done.stderr)),
                         (0, through(plain.stdout), through(plain.stderr)))
        return done.stdout

    def write(self, name, text):
        path = self.directory / name
        path.write_text(text)
        return path

    def test_python(self):
        """With every object from malloc; and that it is the library's."""
        self.both([sys.executable, self.write("words.py", PYTHON)], env={"PYTHONMALLOC": "malloc"})
        if harness.LIBRARY:
            maps = self.run_command([sys.executable, "-c", "print(open('/proc/self/maps').read())"])
            self.assertIn(str(Path(harness.LIBRARY).resolve()), maps.stdout)

    def test_pythons_own_tests(self):
        command = [sys.executable, "-m", "test", "-q", "test_list", "test_dict", "test_ctypes",
                   "test_threading"]
        if self.run_command([sys.executable, "-c", "import test.test_list"]).returncode != 0:
            self.skipTest("Python's own tests are not installed (Debian package libpython3.11-testsuite)")
        done = self.run_command(command, env=self.environment | {
            "PYTHONMALLOC": "malloc", "TMPDIR": str(self.directory_for_libraries())})
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-1000:])

    def test_compiler(self):
        source = self.write("words.cc", CXX)
        compiler = need("g++")
        binaries = []
        for environment in self.plain_environment, self.environment:
            done = self.run_command([compiler, "-O1", "-g", "-pthread", "-o", "words", source],
                                    env=environment)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
            binaries.append(hashlib.sha256((self.directory / "words").read_bytes()).hexdigest())
        self.assertEqual(*binaries)
        self.assertEqual(self.both([self.directory / "words"]), "1000 100000\n")

    def test_sqlite(self):
        output = self.both([need("sqlite3"), "-batch", ":memory:", SQL])
        self.assertIn("\nok\n", output)

    def test_perl(self):
        self.both([need("perl"), "-e", PERL], env={"PERL_HASH_SEED": "0"})

    def test_ruby(self):
        self.both([need("ruby"), "-e", RUBY])

    @fails_on(jemalloc="crashes", tcmalloc="crashes", mimalloc="crashes")
    def test_php(self):
        self.both([need("php", "php-cli"), "-r", PHP])

    def test_node(self):
        self.both([need("node", "nodejs"), "-e", NODE])

    def test_java_version(self):
        self.both([need("java", "default-jre-headless"), "-version"])

    def test_java_program(self):
        need("javac", "default-jdk-headless")
        self.both([need("java", "default-jre-headless"), self.write("Tiny.java", JAVA)])

    def test_gdb(self):
        """gdb and what it debugs, both on the library."""
        words = ["-ex", "set debuginfod enabled off", "-ex", "break construct", "-ex", "run", "-ex", "bt",
                 "-ex", "print sizeof(Set)", "-ex", "info line main", "-ex", "continue"]
        output = self.both([need("gdb"), "-batch", "-nx", *words, harness.PROGRAMS / "early"],
                           through=without_numbers)
        self.assertRegex(output, r"(?m)^ok$")

    def test_git(self):
        git = [need("git"), "-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main"]
        dates = {"GIT_AUTHOR_DATE": "2001-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2001-01-01T00:00:00Z",
                 "GIT_CONFIG_NOSYSTEM": "1"}
        logs = []
        for name, environment in ("plain", self.plain_environment), ("library", self.environment):
            repository = self.directory / name
            repository.mkdir()

            def do(*words):
                done = self.run_command([*git, *words], env=environment | dates, cwd=repository)
                self.assertEqual(done.returncode, 0, f"git {words}: {done.stdout}{done.stderr}")
                return done.stdout

            do("init", "-q")
            for commit in range(6):
                for file in range(20):
                    text = "\n".join(f"line {i * commit * file % 101}" for i in range(300))
                    (repository / f"file{file}").write_text(text)
                do("add", "-A")
                do("commit", "-q", "-m", f"number {commit}")
            do("gc", "-q")
            do("fsck", "--strict")
            logs.append(do("log", "--stat", "-p", "--format=%H %s") + do("grep", "-c", "line 1"))
        self.assertEqual(*logs)


class Servers(PreloadTest):
    def library_in(self, server):
        if harness.LIBRARY:
            self.assertTrue(server.uses(Path(harness.LIBRARY).resolve()), "runs without the library")

    def redis_digest(self, environment):
        """Starts redis, loads it, lets it save itself by a fork; returns the digest of its data."""
        path = self.directory / "redis.socket"
        server = Server(self, [need("redis-server"), "--port", "0", "--unixsocket", path, "--save", "",
                               "--dir", self.directory, "--enable-debug-command", "local"],
                        env=environment)

        def ask(*words):
            done = self.run_command([need("redis-cli", "redis-tools"), "-s", path, *words],
                                    env=self.plain_environment)
            return done.stdout.strip()

        server.wait_until(lambda: path.exists() and ask("PING") == "PONG")
        if environment is self.environment:
            self.library_in(server)
            done = self.run_command([need("redis-benchmark", "redis-tools"), "-s", path, "-q", "-c", "20",
                                     "-n", "10000", "-P", "8", "-r", "5000", "-d", "200",
                                     "-t", "set,get,incr,lpush,lpop,sadd,hset,spop,zadd,mset"],
                                    env=self.plain_environment)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual(ask("FLUSHALL"), "OK")
        self.assertNotEqual(ask("EVAL", REDIS_DATA, "0"), "")
        ask("BGSAVE")
        server.wait_until(lambda: "rdb_bgsave_in_progress:0" in ask("INFO", "persistence"))
        self.assertIn("rdb_last_bgsave_status:ok", ask("INFO", "persistence"))
        digest = ask("DEBUG", "DIGEST")
        ask("SHUTDOWN", "NOSAVE")
        self.assertEqual(server.process.wait(PATIENCE_SECONDS), 0)
        return digest

    def test_redis(self):
        plain = self.redis_digest(self.plain_environment)
        self.assertRegex(plain, "^[0-9a-f]{40}$")
        self.assertEqual(self.redis_digest(self.environment), plain)

    def test_postgres(self):
        homes = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        if not homes:
            self.skipTest("postgres is not installed (Debian package postgresql)")
        home = homes[-1].parent
        # It refuses to be root's; and whom it runs as must be able to read the library.
        as_user = []
        self.directory.chmod(0o755)
        data = self.directory / "data"
        data.mkdir()
        if os.geteuid() == 0:
            as_user = [need("setpriv", "util-linux"), "--reuid=65534", "--regid=65534", "--clear-groups",
                       "--pdeathsig=KILL"]
            os.chown(data, 65534, 65534)
        library = harness.LIBRARY
        if library:
            copy = self.directory_for_libraries() / Path(library).name
            copy.write_bytes(Path(library).read_bytes())
            copy.chmod(0o755)
            library = str(copy)
        runs = [*as_user, "env", f"LD_PRELOAD={library}"]
        done = self.run_command([*runs, home / "initdb", "-D", data / "cluster", "-U", "tester", "-A", "trust",
                                 "--no-sync", "--locale=C", "--encoding=UTF8"], env=self.plain_environment)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        server = Server(self, [*runs, home / "postgres", "-D", data / "cluster", "-k", data, "-F",
                               "-c", "listen_addresses=", "-c", "max_parallel_workers=2"],
                        env=self.plain_environment)

        def query(environment, text):
            return self.run_command([home / "psql", "-h", data, "-U", "tester", "-d", "postgres", "-X",
                                     "-q", "-A", "-t", "-c", text], env=environment)

        server.wait_until(lambda: query(self.plain_environment, "SELECT 1").stdout == "1\n")
        if library:
            self.assertTrue(server.uses(library), "runs without the library")
        done = self.run_command([home / "psql", "-h", data, "-U", "tester", "-d", "postgres", "-X", "-q",
                                 "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", self.sql_file()])
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertEqual(done.stdout, POSTGRES_SAYS)
        self.assertEqual(server.stop(2), 0)  # SIGINT: fast shutdown

    def sql_file(self):
        path = self.directory / "words.sql"
        path.write_text(POSTGRES)
        return path

    def test_nginx(self):
        nginx = need("nginx", "nginx-light")
        pages = self.directory / "pages"
        pages.mkdir()
        page = textwrap.fill(" ".join(str(i * 7919 % 10007) for i in range(9000)), 100)
        (pages / "page.txt").write_text(page)
        address = free_address()
        config = self.directory / "nginx.conf"
        config.write_text(NGINX.format(directory=self.directory, address=address,
                                       user="user root;" if os.geteuid() == 0 else ""))
        server = Server(self, [nginx, "-c", config, "-e", self.directory / "error.log"],
                        env=self.environment)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

        def fetch(path):
            try:
                with opener.open(f"http://{address}/{path}", timeout=PATIENCE_SECONDS) as answer:
                    return answer.read().decode()
            except OSError:
                return None

        def workers():
            return set(Path("/proc/{0}/task/{0}/children".format(server.process.pid)).read_text().split())

        server.wait_until(lambda: fetch("page.txt") == page)
        self.library_in(server)
        for path in "page.txt", "again/page.txt":
            done = self.run_command([need("ab", "apache2-utils"), "-q", "-k", "-n", "1500", "-c", "20",
                                     "-H", "Accept-Encoding: gzip", f"http://{address}/{path}"],
                                    env=self.plain_environment)
            self.assertRegex(done.stdout, r"Complete requests: +1500\nFailed requests: +0\n", done.stderr)
            self.assertNotIn("Non-2xx", done.stdout)
            old = workers()
            os.kill(server.process.pid, 1)  # SIGHUP: new workers, the old ones end
            server.wait_until(lambda: len(workers()) == 2 and not old & workers())
        server.wait_until(lambda: fetch("again/page.txt") == page)
        self.assertEqual(server.stop(3), 0)  # SIGQUIT: graceful
        log = (self.directory / "error.log").read_text()
        self.assertNotRegex(log, r"\[(alert|emerg|crit|error)\]|exited on signal")
