// Cores that tests write byte by byte: what is sound is read, what lies is left out and counted.
#include "sources/core_file.h"

#include <csignal>
#include <cstring>
#include <elf.h>
#include <gtest/gtest.h>

namespace mini::sources {
namespace {

class CoreBuilder {
 public:
  CoreBuilder() { header_.e_phoff = sizeof header_; }

  void segment(std::uint64_t address, std::uint64_t memory_size, const std::string& contents) {
    Elf64_Phdr segment{};
    segment.p_type = PT_LOAD;
    segment.p_flags = PF_R | PF_W;
    segment.p_vaddr = address;
    segment.p_memsz = memory_size;
    segment.p_filesz = contents.size();
    add(segment, contents);
  }
  void notes(const std::string& contents) {
    Elf64_Phdr segment{};
    segment.p_type = PT_NOTE;
    segment.p_filesz = contents.size();
    add(segment, contents);
  }
  static std::string note(std::uint32_t type, const std::string& description) {
    const Elf64_Nhdr header{
        .n_namesz = 5, .n_descsz = static_cast<Elf64_Word>(description.size()), .n_type = type};
    std::string text(reinterpret_cast<const char*>(&header), sizeof header);
    text += std::string("CORE\0\0\0\0", 8) + description;
    text.resize((text.size() + 3) & ~std::size_t{3});
    return text;
  }

  Elf64_Ehdr& header() { return header_; }
  std::vector<Elf64_Phdr>& segments() { return segments_; }

  std::string image() {
    std::memcpy(header_.e_ident, ELFMAG, SELFMAG);
    header_.e_ident[EI_CLASS] = ELFCLASS64;
    header_.e_ident[EI_DATA] = ELFDATA2LSB;
    if (header_.e_type == 0) header_.e_type = ET_CORE;
    if (header_.e_machine == 0) {
#if defined(__aarch64__)
      header_.e_machine = EM_AARCH64;
#else
      header_.e_machine = EM_X86_64;
#endif
    }
    header_.e_phentsize = sizeof(Elf64_Phdr);
    if (header_.e_phnum == 0) header_.e_phnum = static_cast<Elf64_Half>(segments_.size());
    const std::uint64_t data = sizeof header_ + segments_.size() * sizeof(Elf64_Phdr);
    std::string image(reinterpret_cast<const char*>(&header_), sizeof header_);
    for (Elf64_Phdr segment : segments_) {
      segment.p_offset += data;
      image.append(reinterpret_cast<const char*>(&segment), sizeof segment);
    }
    return image + data_;
  }

 private:
  void add(Elf64_Phdr& segment, const std::string& contents) {
    segment.p_offset = data_.size();
    data_ += contents;
    segments_.push_back(segment);
  }

  Elf64_Ehdr header_{};
  std::vector<Elf64_Phdr> segments_;
  std::string data_;
};

Result<std::unique_ptr<CoreFile>> parse(std::string image) {
  const std::uint64_t size = image.size();
  return CoreFile::parse(
      [image = std::move(image)](std::uint64_t offset, std::span<std::byte> out) -> std::size_t {
        if (offset >= image.size()) return 0;
        const std::size_t count = std::min(out.size(), image.size() - offset);
        std::memcpy(out.data(), image.data() + offset, count);
        return count;
      },
      size);
}

std::string read(const CoreFile& core, std::uint64_t address, std::size_t size) {
  std::string text(size, '?');
  text.resize(core.read(Address{address}, std::as_writable_bytes(std::span(text))));
  return text;
}

TEST(CoreFileTest, MemoryIsWhereTheSegmentsSay) {
  CoreBuilder builder;
  builder.segment(0x2000, 4, "efgh");
  builder.segment(0x1000, 0x1000, std::string(0xffc, 'x') + "abcd");
  const auto core = parse(builder.image());
  ASSERT_TRUE(core.has_value()) << core.error().message;
  EXPECT_EQ(read(**core, 0x1ffc, 8), "abcdefgh");
  EXPECT_EQ(read(**core, 0x2002, 8), "gh");
  EXPECT_EQ(read(**core, 0x3000, 8), "");
  EXPECT_EQ(read(**core, UINT64_MAX - 2, 8), "");
}

TEST(CoreFileTest, ASegmentThatWasNotWrittenReadsAsNothing) {
  CoreBuilder builder;
  builder.segment(0x1000, 0x1000, "ab");
  const auto core = parse(builder.image());
  ASSERT_TRUE(core.has_value());
  EXPECT_EQ(read(**core, 0x1000, 4), "ab");
  EXPECT_EQ((*core)->cut_segments(), 0U);
}

TEST(CoreFileTest, ACutSegmentIsReadUpToTheCut) {
  CoreBuilder builder;
  builder.segment(0x1000, 8, "abcdefgh");
  std::string image = builder.image();
  image.resize(image.size() - 3);
  const auto core = parse(image);
  ASSERT_TRUE(core.has_value());
  EXPECT_EQ(read(**core, 0x1000, 8), "abcde");
  EXPECT_EQ((*core)->cut_segments(), 1U);
}

TEST(CoreFileTest, SegmentsThatCannotBeSoAreCounted) {
  CoreBuilder builder;
  builder.segment(0x1000, 0x1000, "ab");
  builder.segment(0x1800, 0x1000, "cd");          // where another one is
  builder.segment(UINT64_MAX - 1, 0x1000, "ef");  // past the end of all addresses
  builder.segment(0x9000, 1, "more than there is");
  const auto core = parse(builder.image());
  ASSERT_TRUE(core.has_value());
  EXPECT_EQ((*core)->segments().size(), 1U);
  EXPECT_EQ((*core)->bad_segments(), 3U);
}

TEST(CoreFileTest, EveryShorterFileIsAnErrorOrRead) {
  CoreBuilder builder;
  builder.notes(CoreBuilder::note(NT_PRSTATUS, std::string(336, '\1')));
  builder.segment(0x1000, 8, "abcdefgh");
  const std::string image = builder.image();
  for (std::size_t size = 0; size < image.size(); ++size) {
    const auto core = parse(image.substr(0, size));
    if (core) {
      EXPECT_LT(read(**core, 0x1000, 8).size(), 8U) << size;
    } else {
      EXPECT_FALSE(core.error().message.empty());
    }
  }
}

TEST(CoreFileTest, ThreadsFromTheirStatus) {
  std::string status(336, '\0');
  const std::int32_t tid = 4711;
  std::memcpy(status.data() + 32, &tid, sizeof tid);
  CoreBuilder builder;
  builder.notes(CoreBuilder::note(NT_PRSTATUS, status) + CoreBuilder::note(NT_PRSTATUS, "short"));
  builder.segment(0x1000, 8, "abcdefgh");
  const auto core = parse(builder.image());
  ASSERT_TRUE(core.has_value());
  ASSERT_EQ((*core)->threads().size(), 1U);
  EXPECT_EQ((*core)->threads()[0].id, 4711);
  EXPECT_FALSE((*core)->threads()[0].waits);
  EXPECT_FALSE((*core)->has_crashed());
}

TEST(CoreFileTest, TheSignalThatEndedIt) {
  std::string status(336, '\0');
  for (const int signal : {SIGABRT, SIGSEGV, SIGQUIT}) {  // of 16 bits, little-endian
    std::memcpy(status.data() + 12, &signal, 2);
    CoreBuilder builder;
    builder.notes(CoreBuilder::note(NT_PRSTATUS, status));
    builder.segment(0x1000, 8, "abcdefgh");
    const auto core = parse(builder.image());
    ASSERT_TRUE(core.has_value());
    EXPECT_EQ((*core)->has_crashed(), signal != SIGQUIT);
  }
}

TEST(CoreFileTest, WhoSentTheSignalThatEndedIt) {
  constexpr std::uint32_t kSignalNote = 0x53494749;
  constexpr std::int32_t kOwn = 4711;
  struct Case {
    std::int32_t code;
    std::int32_t sender;
    bool has_crashed;
  };
  for (const Case& one : {Case{SI_TKILL, kOwn, true}, Case{SI_USER, kOwn, true},
                          Case{SI_USER, 1, false}, Case{SI_TKILL, 1, false},
                          Case{SEGV_MAPERR, 1, true}}) {  // not a sender: half of an address
    std::string status(336, '\0');
    status[12] = SIGABRT;
    std::string process(136, '\0');
    std::memcpy(process.data() + 24, &kOwn, sizeof kOwn);
    std::string signal(128, '\0');
    std::memcpy(signal.data() + 8, &one.code, sizeof one.code);
    std::memcpy(signal.data() + 16, &one.sender, sizeof one.sender);
    CoreBuilder builder;
    builder.notes(CoreBuilder::note(kSignalNote, signal) + CoreBuilder::note(NT_PRSTATUS, status) +
                  CoreBuilder::note(NT_PRPSINFO, process));
    builder.segment(0x1000, 8, "abcdefgh");
    const auto core = parse(builder.image());
    ASSERT_TRUE(core.has_value());
    EXPECT_EQ((*core)->has_crashed(), one.has_crashed) << one.code << ' ' << one.sender;
    ASSERT_TRUE((*core)->end().has_value());
    EXPECT_EQ((*core)->end()->signal, SIGABRT);
    EXPECT_EQ((*core)->end()->sender.has_value(), !one.has_crashed);
  }
}

#if defined(__x86_64__)
TEST(CoreFileTest, AThreadThatWaitsInASystemCall) {
  std::string status(336, '\0');
  const std::uint64_t error = 0 - std::uint64_t{512};  // ERESTARTSYS
  std::memcpy(status.data() + 112 + 8 * 10, &error, sizeof error);
  CoreBuilder builder;
  builder.notes(CoreBuilder::note(NT_PRSTATUS, status));
  builder.segment(0x1000, 8, "abcdefgh");
  const auto core = parse(builder.image());
  ASSERT_TRUE(core.has_value());
  EXPECT_TRUE((*core)->threads()[0].waits);
}
#endif

TEST(CoreFileTest, FilesFromTheirNote) {
  constexpr std::uint32_t kFileNote = 0x46494c45;
  const std::uint64_t words[] = {2, 4096, 0x1000, 0x2000, 3, 0x5000, 0x4000, 0};
  std::string description(reinterpret_cast<const char*>(words), sizeof words);
  description += std::string("/lib/a\0/lib/b", 13);  // the second range is empty, and not ended
  CoreBuilder builder;
  builder.notes(CoreBuilder::note(kFileNote, description));
  builder.segment(0x1000, 8, "abcdefgh");
  const auto core = parse(builder.image());
  ASSERT_TRUE(core.has_value());
  ASSERT_EQ((*core)->files().size(), 1U);
  EXPECT_EQ((*core)->files()[0].path, "/lib/a");
  EXPECT_EQ((*core)->files()[0].file_offset, 3U * 4096);
}

TEST(CoreFileTest, ACountOfFilesThatIsTooLargeIsNotBelieved) {
  constexpr std::uint32_t kFileNote = 0x46494c45;
  const std::uint64_t words[] = {UINT64_MAX / 8, 4096};
  CoreBuilder builder;
  builder.notes(CoreBuilder::note(kFileNote, {reinterpret_cast<const char*>(words), sizeof words}));
  builder.segment(0x1000, 8, "abcdefgh");
  const auto core = parse(builder.image());
  ASSERT_TRUE(core.has_value());
  EXPECT_TRUE((*core)->files().empty());
}

TEST(CoreFileTest, SaysWhatAFileIsInstead) {
  const auto message = [](std::string image) {
    const auto core = parse(std::move(image));
    return core ? std::string() : core.error().message;
  };
  EXPECT_NE(message("hello").find("no ELF"), std::string::npos);
  EXPECT_NE(message("\x28\xb5\x2f\xfd and more").find("zstd -d"), std::string::npos);
  CoreBuilder program;
  program.segment(0x1000, 1, "a");
  program.header().e_type = ET_DYN;
  EXPECT_NE(message(program.image()).find("no core"), std::string::npos);
  CoreBuilder many;
  many.segment(0x1000, 1, "a");
  many.header().e_phnum = 60000;
  EXPECT_NE(message(many.image()).find("ends within"), std::string::npos);
}

}  // namespace
}  // namespace mini::sources
