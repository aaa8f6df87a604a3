#include "sources/heap_profile_reader.h"

#include "recording/reader.h"
#include "sources/heap_profile_builder.h"

namespace mini::sources {
namespace {

class ReportingBuilder final : public HeapProfileBuilder {
 public:
  ReportingBuilder(model::TimeSpan span, std::size_t most_buckets, const ReadProgress& report)
      : HeapProfileBuilder(span, most_buckets), report_(report) {}

  bool progress(std::uint64_t read_bytes, std::uint64_t file_bytes) override {
    if (report_) report_(read_bytes, file_bytes);
    return true;
  }

 private:
  const ReadProgress& report_;
};

}  // namespace

Result<model::HeapProfile> read_heap_profile(const std::string& path, model::TimeSpan span,
                                             const ReadProgress& progress,
                                             std::size_t most_buckets) {
  ReportingBuilder builder(span, most_buckets, progress);
  const auto summary = recording::read_recording(path, builder);
  if (!summary) return std::unexpected(summary.error());
  return builder.finish(*summary);
}

}  // namespace mini::sources
