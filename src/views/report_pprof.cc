// pprof's format, profile.proto: https://github.com/google/pprof/blob/main/proto/profile.proto
//
// A location is a frame of the profile, a line of it one of its (inlined) functions. Addresses are
// in the numbering of their file, so each file is mapped at 0: pprof can look them up there.
#include <algorithm>
#include <array>
#include <cstddef>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/utf8.h"
#include "views/function_table.h"
#include "views/gzip_writer.h"
#include "views/protobuf_writer.h"
#include "views/report_export.h"

namespace mini::views {
namespace {

using explain::Measure;
using model::BlockTotals;

// The numbers of profile.proto's fields.
enum ProfileField : unsigned {
  kSampleType = 1,
  kSample = 2,
  kMapping = 3,
  kLocation = 4,
  kFunction = 5,
  kStringTable = 6,
  kTimeNanos = 9,
  kDurationNanos = 10,
  kPeriodType = 11,
  kPeriod = 12,
  kComment = 13,
  kDefaultSampleType = 14,
};
enum ValueTypeField : unsigned { kType = 1, kUnit = 2 };
enum SampleField : unsigned { kSampleLocations = 1, kSampleValues = 2 };
enum MappingField : unsigned {
  kMappingId = 1,
  kMemoryLimit = 3,
  kMappingFile = 5,
  kBuildId = 6,
  kHasFunctions = 7,
  kHasFileNames = 8,
  kHasLineNumbers = 9,
  kHasInlineFrames = 10,
};
enum LocationField : unsigned {
  kLocationId = 1,
  kLocationMapping = 2,
  kAddress = 3,
  kLine = 4,
};
enum LineField : unsigned { kLineFunction = 1, kLineNumber = 2 };
enum FunctionField : unsigned { kFunctionId = 1, kName = 2, kSystemName = 3, kFileName = 4 };

using model::Amount;

struct SampleType {
  const char* name;
  const char* unit;
  Amount (*amount)(const BlockTotals&);
  std::uint64_t Amount::* figure;
};

template <Amount BlockTotals::* Figure>
Amount total(const BlockTotals& totals) {
  return totals.*Figure;
}
Amount leaked(const BlockTotals& totals) {
  return totals.leaked();
}

constexpr std::array kSampleTypes = {
    SampleType{"allocations", "count", total<&BlockTotals::allocated>, &Amount::blocks},
    SampleType{"allocated", "bytes", total<&BlockTotals::allocated>, &Amount::bytes},
    SampleType{"peak_blocks", "count", total<&BlockTotals::peak>, &Amount::blocks},
    SampleType{"peak", "bytes", total<&BlockTotals::peak>, &Amount::bytes},
    SampleType{"leaked_blocks", "count", leaked, &Amount::blocks},
    SampleType{"leaked", "bytes", leaked, &Amount::bytes},
    SampleType{"temporary", "count", total<&BlockTotals::temporary>, &Amount::blocks},
    SampleType{"temporary_bytes", "bytes", total<&BlockTotals::temporary>, &Amount::bytes},
};

/// The type that pprof shows unless it is asked for another one.
std::string_view default_type(Measure measure) {
  return measure == Measure::kCalls ? "allocations" : explain::measure_name(measure);
}

/// Where a function's two names are the same pprof takes all in brackets out of it, as is well for
/// "std::vector<int>::push_back(int&&)". Of "<app::Name as Clone>::clone" and of "(anonymous
/// namespace)::load" it would leave "::clone" and "::load".
bool is_whole_without_brackets(std::string_view name) {
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool begins_part = i == 0 || name[i - 1] == ':';
    if (begins_part && (name[i] == '<' || name[i] == '(')) return false;
  }
  return true;
}

class PprofWriter {
 public:
  PprofWriter(GzipWriter& gzip, const model::HeapProfile& profile)
      : gzip_(gzip),
        profile_(profile),
        is_used_(profile.frames.size(), false),
        mappings_(profile.modules.size()) {
    string_number("");  // the format wants it first
  }

  void write(const ExportOptions& options) {
    write_facts(options);
    for (const model::StackProfile& stack : profile_.stacks) write_sample(stack);
    for (std::size_t i = 0; i < is_used_.size(); ++i) {
      if (is_used_[i]) write_location(i);
    }
    if (has_empty_stack_) write_empty_stack_location();
    write_functions();
    write_mappings();
    for (const std::string* text : strings_) field(kStringTable, *text);
    gzip_.finish();
  }

 private:
  /// What is known of a module by its frames.
  struct Mapping {
    std::uint64_t limit = 0;  // not below its last address; 0: no frame is in it
    bool has_functions = false;
    bool has_files = false;
    bool has_lines = false;
    bool has_inlined = false;
  };

  std::uint64_t string_number(std::string_view text) {
    const auto [at, is_new] = numbers_.try_emplace(well_formed_utf8(text), strings_.size());
    if (is_new) strings_.push_back(&at->first);
    return at->second;
  }

  /// Writes a field of the profile itself; `value` may be the message that was just made.
  void field(unsigned number, std::string_view value) {
    std::string encoded;
    ProtobufWriter(encoded).bytes(number, value);
    gzip_.write(encoded);
  }

  std::string value_type(std::string_view type, std::string_view unit) {
    std::string message;
    ProtobufWriter(message).number(kType, string_number(type)).number(kUnit, string_number(unit));
    return message;
  }

  void write_facts(const ExportOptions& options) {
    for (const SampleType& type : kSampleTypes) {
      field(kSampleType, value_type(type.name, type.unit));
    }
    const model::ProfileProcess& process = profile_.process;
    const std::uint64_t comments[] = {
        string_number(fmt::format("heapspy {}", options.version)),
        string_number(fmt::format("{}", fmt::join(process.command, " "))),
    };
    std::string numbers;
    ProtobufWriter(numbers)
        .number(kTimeNanos, process.start_unix_ns)
        .number(kDurationNanos, profile_.duration_ns)
        .number(kPeriod, std::max<std::uint64_t>(process.sample_bytes, 1))
        .packed(kComment, comments)
        .number(kDefaultSampleType, string_number(default_type(options.measure)));
    gzip_.write(numbers);
    field(kPeriodType, value_type("allocated", "bytes"));
  }

  void write_sample(const model::StackProfile& stack) {
    locations_.clear();
    for (std::uint32_t node = stack.node; node != 0 && locations_.size() < explain::kMostFrames;
         node = profile_.nodes[node].caller) {
      const std::uint32_t frame = profile_.nodes[node].frame;
      is_used_[frame] = true;
      locations_.push_back(location_of(frame));
    }
    if (locations_.empty()) {
      has_empty_stack_ = true;
      locations_.push_back(empty_stack_location());
    }
    std::array<std::uint64_t, kSampleTypes.size()> values{};
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::uint64_t value = kSampleTypes[i].amount(stack.totals).*kSampleTypes[i].figure;
      values[i] = std::min<std::uint64_t>(value, INT64_MAX);
    }
    std::string message;
    ProtobufWriter(message).packed(kSampleLocations, locations_).packed(kSampleValues, values);
    field(kSample, message);
  }

  void write_location(std::size_t number) {
    const model::ProfileFrame& frame = profile_.frames[number];
    Mapping& mapping = mappings_[frame.module];
    mapping.limit = std::max(mapping.limit, frame.address | (kPageBytes - 1));
    std::string message;
    ProtobufWriter writer(message);
    // Module 0 is no file: its addresses are in memory, and belong to no mapping.
    writer.number(kLocationId, location_of(number))
        .number(kLocationMapping, frame.module)
        .number(kAddress, frame.address);
    for (const model::SourceLine& line : frame.lines) {
      mapping.has_functions |= !line.function.empty();
      mapping.has_files |= !line.file.empty();
      mapping.has_lines |= line.line != 0;
      mapping.has_inlined |= line.inlined;
      writer.bytes(kLine,
                   line_message(functions_.number({&profile_.modules[frame.module], &frame, &line}),
                                line.line));
    }
    field(kLocation, message);
  }

  void write_empty_stack_location() {
    std::string message;
    ProtobufWriter(message)
        .number(kLocationId, empty_stack_location())
        .bytes(kLine, line_message(functions_.no_stack_number(), 0));
    field(kLocation, message);
  }

  static std::string line_message(std::uint32_t function, std::uint64_t line) {
    std::string message;
    ProtobufWriter(message)
        .number(kLineFunction, std::uint64_t{function} + 1)
        .number(kLineNumber, line);
    return message;
  }

  void write_functions() {
    const std::vector<ExportedFunction>& functions = functions_.functions();
    for (std::size_t i = 0; i < functions.size(); ++i) {
      const std::uint64_t name = string_number(functions[i].name);
      std::string message;
      ProtobufWriter(message)
          .number(kFunctionId, i + 1)
          .number(kName, name)
          .number(kSystemName, is_whole_without_brackets(functions[i].name) ? name : 0)
          .number(kFileName, string_number(functions[i].file));
      field(kFunction, message);
    }
  }

  /// The program's is the first, as the format wants it.
  void write_mappings() {
    const auto is_program = [this](std::size_t module) {
      return profile_.modules[module].path == profile_.process.executable;
    };
    for (const bool programs : {true, false}) {
      for (std::size_t i = 1; i < mappings_.size(); ++i) {
        if (mappings_[i].limit != 0 && is_program(i) == programs) write_mapping(i);
      }
    }
  }

  void write_mapping(std::size_t module) {
    const Mapping& mapping = mappings_[module];
    std::string message;
    ProtobufWriter(message)
        .number(kMappingId, module)
        .number(kMemoryLimit, mapping.limit)
        .number(kMappingFile, string_number(profile_.modules[module].path))
        .number(kBuildId, string_number(profile_.modules[module].build_id))
        .number(kHasFunctions, static_cast<std::uint64_t>(mapping.has_functions))
        .number(kHasFileNames, static_cast<std::uint64_t>(mapping.has_files))
        .number(kHasLineNumbers, static_cast<std::uint64_t>(mapping.has_lines))
        .number(kHasInlineFrames, static_cast<std::uint64_t>(mapping.has_inlined));
    field(kMapping, message);
  }

  // Numbers in the format begin with 1.
  static std::uint64_t location_of(std::size_t frame) { return std::uint64_t{frame} + 1; }
  std::uint64_t empty_stack_location() const { return location_of(profile_.frames.size()); }

  static constexpr std::uint64_t kPageBytes = 4096;

  GzipWriter& gzip_;
  const model::HeapProfile& profile_;
  FunctionTable functions_;
  std::vector<bool> is_used_;      // by frame
  std::vector<Mapping> mappings_;  // by module
  bool has_empty_stack_ = false;
  std::vector<std::uint64_t> locations_;                    // of the stack at hand
  std::unordered_map<std::string, std::uint64_t> numbers_;  // of strings
  std::vector<const std::string*> strings_;                 // by number
};

}  // namespace

void write_pprof(Output& output, const model::HeapProfile& profile, const ExportOptions& options) {
  GzipWriter gzip(output);
  PprofWriter(gzip, profile).write(options);
}

}  // namespace mini::views
