"""heapspy record on a program of Rust: names by both of its schemes, and places that are its own."""
import collections
import os
import subprocess

from harness import need
from recording import RecordTest

SOURCE = """
mod list {
    pub struct Names { pub all: Vec<String> }
    impl Names {
        #[inline(never)]
        pub fn grow(&mut self) {
            self.all.reserve_exact(1000);
            self.all.push(String::new());  // no tail call before
        }
    }
    impl Clone for Names {
        #[inline(never)]
        fn clone(&self) -> Names { Names { all: Vec::with_capacity(self.all.capacity() * 2) } }
    }
}

#[inline(never)]
fn größe(times: usize) -> String { "é".repeat(times) }

#[inline(never)]
fn called<T, F: Fn(usize) -> T>(what: F) -> T { what(30_000) }

fn main() {
    let mut names = list::Names { all: Vec::new() };
    names.grow();
    let copy = names.clone();
    let text = größe(5_000);
    let bytes = called(|count| vec![7u8; count]);
    std::process::exit((copy.all.len() + text.len() + bytes.len() + names.all.len()) as i32 - 40_000);
}
"""

# What each place allocates.
V0 = {"<names::list::Names>::grow": 24_000,
      "<names::list::Names as core::clone::Clone>::clone": 48_000,
      "names::größe": 10_000,
      "names::main::{closure#0}": 30_000}
LEGACY = {"names::list::Names::grow": 24_000,
          "<names::list::Names as core::clone::Clone>::clone": 48_000,
          "names::größe": 10_000,
          "names::main::{{closure}}": 30_000}


class RecordRust(RecordTest):
    def functions(self, scheme, build, *options):
        """All functions of a recording of a build; the places that allocated much."""
        program = self.directory / build / "names"
        program.parent.mkdir(exist_ok=True)
        source = self.directory / "names.rs"
        source.write_text(SOURCE)
        # Metadata is what hashes are made of. To ask for the legacy scheme by name is unstable.
        made = subprocess.run(
            [need("rustc"), "--edition", "2021", "-Z", "unstable-options", "-C",
             f"symbol-mangling-version={scheme}", "-C", f"metadata={build}", *options, "-o", program,
             source],
            env={**os.environ, "RUSTC_BOOTSTRAP": "1"}, capture_output=True, text=True, check=False)
        self.assertEqual(made.returncode, 0, made.stderr)
        done = self.record(program)
        self.assertEqual(done.returncode, 1, done.stderr)
        functions = set()
        places = collections.Counter()
        for stack in self.report()["stacks"]:
            functions |= {frame["function"] for frame in stack["frames"] if frame["function"]}
            place = stack["frames"][stack["place_frame"]]["function"]
            places[place] += stack["allocated_bytes"]
        return functions, {place: n for place, n in places.items() if n >= 5_000}

    def check_scheme(self, scheme, expected):
        functions, places = self.functions(scheme, "first")
        self.assertEqual(places, expected)
        mangled = {name for name in functions if name.startswith("_R") or "17h" in name}
        self.assertEqual(mangled, set())
        rebuilt, _ = self.functions(scheme, "second")
        self.assertEqual(rebuilt, functions)
        # What the compiler inlines has its name from DWARF.
        _, places = self.functions(scheme, "third", "-O", "-g")
        self.assertEqual(places, expected)

    def test_names_of_v0(self):
        self.check_scheme("v0", V0)

    def test_names_of_the_legacy_scheme(self):
        self.check_scheme("legacy", LEGACY)
