// The v0 scheme: https://doc.rust-lang.org/rustc/symbol-mangling/v0.html, whose words name the
// functions here. A part of a name may stand for an earlier one, which may do the same, so that a
// short name can be endless: steps, depth and what is printed have bounds.
#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/utf8.h"
#include "unwind/punycode.h"
#include "unwind/rust_names.h"
#include "unwind/rust_v0_reader.h"

namespace mini::unwind {
namespace {

constexpr int kMostSteps = 1 << 16;
constexpr int kMostDepth = 300;
constexpr std::uint64_t kMostLifetimes = 1000;

// By their letters; "" is none.
constexpr std::array<std::string_view, 26> kBasicTypes{
    "i8",   "bool", "char", "f64", "str", "f32", "",    "u8", "isize", "usize", "",    "i32", "u32",
    "i128", "u128", "_",    "",    "",    "i16", "u16", "()", "...",   "",      "i64", "u64", "!"};

/// Reads a name and prints it as it goes.
class Printer {
 public:
  Printer(std::string_view mangled, std::size_t most_bytes)
      : in_(mangled), most_bytes_(most_bytes) {}

  std::optional<std::string> print();

 private:
  void path(bool is_value);
  void impl(char kind);
  void nested_path(bool is_value);
  void generic_arg();
  bool path_with_open_arguments();
  void type();
  void array_type(bool has_length);
  void tuple_type();
  void reference_type(bool is_mutable);
  void fn_type();
  void dyn_type();
  void dyn_trait();
  void constant();
  void integer(bool is_signed);
  void character();
  void lifetime(std::uint64_t index);

  /// Parts up to an "E"; how many.
  std::size_t list(std::string_view separator, auto&& part);
  /// A part that may have lifetimes of its own: for<'a, 'b>.
  void bound(auto&& part);
  /// The earlier part, nested, that this one stands for.
  void backref(auto&& part);
  void nested(auto&& part);
  void skipped(auto&& part);

  void append(std::string_view text);
  void append(const RustIdentifier& identifier);
  bool goes_on() const { return in_.is_sound() && !is_full_; }

  RustV0Reader in_;
  std::size_t most_bytes_;
  std::string out_;
  bool is_full_ = false;
  bool is_silent_ = false;
  int steps_ = 0;
  int depth_ = 0;
  std::uint64_t lifetimes_ = 0;  // that the parts around bind
};

std::optional<std::string> Printer::print() {
  path(true);
  // The crate that this copy was made for.
  if (goes_on() && is_between(in_.next(), 'A', 'Z')) skipped([&] { path(false); });
  const bool is_whole = in_.at_end() || in_.next() == '.' || in_.next() == '$';
  if (!in_.is_sound() || (!is_full_ && !is_whole)) return std::nullopt;
  return std::move(out_);
}

void Printer::path(bool is_value) {
  nested([&] {
    switch (const char kind = in_.take()) {
      case 'C':
        return append(in_.identifier());
      case 'M':
      case 'X':
      case 'Y':
        return impl(kind);
      case 'N':
        return nested_path(is_value);
      case 'I':
        path(is_value);
        append(is_value ? "::<" : "<");
        list(", ", [&] { generic_arg(); });
        return append(">");
      case 'B':
        return backref([&] { path(is_value); });
      default:
        in_.fail();
    }
  });
}

/// <T>, <T as Trait>, and the same of what the trait itself has.
void Printer::impl(char kind) {
  if (kind != 'Y') {
    skipped([&] {
      if (in_.take('s')) in_.base_62_number();
      path(false);
    });
  }
  append("<");
  type();
  if (kind != 'M') {
    append(" as ");
    path(false);
  }
  append(">");
}

void Printer::nested_path(bool is_value) {
  const char space = in_.take();
  path(is_value);
  const RustIdentifier name = in_.identifier();
  if (!is_between(space, 'A', 'Z')) {
    if (!is_between(space, 'a', 'z')) in_.fail();
    if (name.text.empty()) return;
    append("::");
    return append(name);
  }
  // What has no name in the source.
  append("::{");
  append(space == 'C' ? "closure" : space == 'S' ? "shim" : std::string_view(&space, 1));
  if (!name.text.empty()) append(":");
  append(name);
  append("#" + std::to_string(name.disambiguator) + "}");
}

void Printer::generic_arg() {
  if (in_.take('L')) return lifetime(in_.base_62_number());
  if (in_.take('K')) return constant();
  type();
}

/// A trait's path whose ">" is left for what follows; whether there is one to come.
bool Printer::path_with_open_arguments() {
  bool is_open = false;
  nested([&] {
    if (in_.take('B')) return backref([&] { is_open = path_with_open_arguments(); });
    is_open = in_.take('I');
    path(false);
    if (!is_open) return;
    append("<");
    list(", ", [&] { generic_arg(); });
  });
  return is_open;
}

void Printer::type() {
  nested([&] {
    constexpr std::string_view kPaths = "CMXYNI";
    if (kPaths.contains(in_.next())) return path(false);
    const char kind = in_.take();
    if (is_between(kind, 'a', 'z')) {
      const std::string_view name = kBasicTypes[static_cast<std::size_t>(kind - 'a')];
      if (name.empty()) in_.fail();
      return append(name);
    }
    switch (kind) {
      case 'A':
      case 'S':
        return array_type(kind == 'A');
      case 'T':
        return tuple_type();
      case 'R':
      case 'Q':
        return reference_type(kind == 'Q');
      case 'P':
      case 'O':
        append(kind == 'P' ? "*const " : "*mut ");
        return type();
      case 'F':
        return bound([&] { fn_type(); });
      case 'D':
        return dyn_type();
      case 'B':
        return backref([&] { type(); });
      default:
        in_.fail();
    }
  });
}

void Printer::array_type(bool has_length) {
  append("[");
  type();
  if (has_length) {
    append("; ");
    constant();
  }
  append("]");
}

void Printer::tuple_type() {
  append("(");
  const std::size_t count = list(", ", [&] { type(); });
  append(count == 1 ? ",)" : ")");
}

void Printer::reference_type(bool is_mutable) {
  append("&");
  const std::uint64_t index = in_.take('L') ? in_.base_62_number() : 0;
  if (index != 0) {
    lifetime(index);
    append(" ");
  }
  if (is_mutable) append("mut ");
  type();
}

void Printer::fn_type() {
  if (in_.take('U')) append("unsafe ");
  if (in_.take('K')) {
    const bool is_c = in_.take('C');
    std::string abi = is_c ? "C" : std::string(in_.identifier().text);
    std::ranges::replace(abi, '_', '-');
    append("extern \"" + abi + "\" ");
  }
  append("fn(");
  list(", ", [&] { type(); });
  append(")");
  if (in_.take('u')) return;
  append(" -> ");
  type();
}

void Printer::dyn_type() {
  append("dyn ");
  bound([&] { list(" + ", [&] { dyn_trait(); }); });
  if (!in_.take('L')) in_.fail();
  const std::uint64_t index = in_.base_62_number();
  if (index == 0) return;
  append(" + ");
  lifetime(index);
}

void Printer::dyn_trait() {
  bool is_open = path_with_open_arguments();
  while (goes_on() && in_.take('p')) {
    append(is_open ? ", " : "<");
    is_open = true;
    append(in_.identifier());
    append(" = ");
    type();
  }
  if (is_open) append(">");
}

void Printer::constant() {
  nested([&] {
    const char kind = in_.take();
    switch (kind) {
      case 'p':
        return append("_");
      case 'b': {
        const std::uint64_t value = in_.hexadecimal_number();
        if (value > 1) in_.fail();
        return append(value != 0 ? "true" : "false");
      }
      case 'c':
        return character();
      case 'B':
        return backref([&] { constant(); });
      default:
        constexpr std::string_view kUnsigned = "htmyoj";
        constexpr std::string_view kSigned = "aslxni";
        if (kUnsigned.contains(kind) || kSigned.contains(kind)) {
          return integer(kSigned.contains(kind));
        }
        in_.fail();  // of a kind that no stable Rust has
    }
  });
}

void Printer::integer(bool is_signed) {
  constexpr std::size_t kMostDigits = 16;
  if (is_signed && in_.take('n')) append("-");
  const std::size_t begin = in_.at();
  const std::string_view digits = in_.hexadecimal_digits();
  if (digits.size() > kMostDigits) return append("0x" + std::string(digits));
  in_.go_to(begin);
  append(std::to_string(in_.hexadecimal_number()));
}

void Printer::character() {
  const std::uint64_t code = in_.hexadecimal_number();
  std::string text = "'";
  if (code <= 0x10ffff && is_character(static_cast<char32_t>(code))) {
    append_utf8(text, static_cast<char32_t>(code));
  } else {
    in_.fail();
  }
  append(text + "'");
}

/// By how many binders further in than its own it stands; 0 is one without a name.
void Printer::lifetime(std::uint64_t index) {
  if (index > lifetimes_) {
    in_.fail();
    return;
  }
  const std::uint64_t number = lifetimes_ - index;
  if (index == 0) {
    append("'_");
  } else if (number < 26) {
    append(std::string("'") + static_cast<char>('a' + number));
  } else {
    append("'_" + std::to_string(number));
  }
}

std::size_t Printer::list(std::string_view separator, auto&& part) {
  std::size_t count = 0;
  for (; goes_on() && !in_.take('E'); ++count) {
    if (count > 0) append(separator);
    part();
  }
  return count;
}

void Printer::bound(auto&& part) {
  const std::uint64_t before = lifetimes_;
  if (in_.take('G')) {
    const std::uint64_t count = in_.base_62_number() + 1;
    if (count > kMostLifetimes - std::min(before, kMostLifetimes)) in_.fail();
    append("for<");
    for (std::uint64_t i = 0; goes_on() && i < count; ++i) {
      ++lifetimes_;
      if (i > 0) append(", ");
      lifetime(1);
    }
    append("> ");
  }
  part();
  lifetimes_ = before;
}

void Printer::backref(auto&& part) {
  const std::size_t here = in_.at() - 1;
  const std::uint64_t target = in_.base_62_number();
  if (target >= here) in_.fail();
  // What is not printed need not be looked at twice.
  if (!goes_on() || is_silent_) return;
  const std::size_t after = in_.at();
  in_.go_to(target);
  part();
  in_.go_to(after);
}

void Printer::nested(auto&& part) {
  if (depth_ >= kMostDepth || ++steps_ > kMostSteps) in_.fail();
  if (!goes_on()) return;
  ++depth_;
  part();
  --depth_;
}

void Printer::skipped(auto&& part) {
  const bool was_silent = std::exchange(is_silent_, true);
  part();
  is_silent_ = was_silent;
}

void Printer::append(std::string_view text) {
  if (!goes_on() || is_silent_) return;
  out_ += text;
  is_full_ = out_.size() > most_bytes_;
}

void Printer::append(const RustIdentifier& identifier) {
  if (!identifier.is_punycode) return append(identifier.text);
  if (!goes_on() || is_silent_) return;
  const std::size_t end = identifier.text.rfind('_');
  const bool has_basic = end != std::string_view::npos;
  const std::string_view basic = has_basic ? identifier.text.substr(0, end) : "";
  const auto text = from_punycode(basic, identifier.text.substr(has_basic ? end + 1 : 0));
  append(text ? *text : "punycode{" + std::string(identifier.text) + "}");
}

}  // namespace

std::optional<std::string> rust_v0_name(std::string_view mangled, std::size_t most_bytes) {
  // A digit would be the version of a later scheme.
  if (mangled.empty() || !is_between(mangled.front(), 'A', 'Z')) return std::nullopt;
  return Printer(mangled, most_bytes).print();
}

}  // namespace mini::unwind
