// stages.html, the page of each staged allocator, the difference of each to the one before; and
// glossary.html.
#include <array>
#include <fmt/format.h>

#include "lab/glossary.h"
#include "lab/site/html.h"
#include "lab/site/line_diff.h"
#include "lab/site/site.h"

namespace mini::lab {
namespace {

constexpr std::array<std::string_view, 8> kStages = {
    "stage1_bump",       "stage2_header", "stage3_free_list", "stage4_splitting",
    "stage5_coalescing", "stage6_mmap",   "stage7_bins",      "stage8_threads"};

struct Stage {
  std::string file;  // "stage1_bump.c"
  std::string text;
  std::string idea;  // its first line, "Stage 1: bump. …", and what of that sentence follows
};

std::string stage_page(std::size_t index) {
  return fmt::format("stage-{}.html", index + 1);
}

std::string difference_page(std::size_t index) {
  return fmt::format("stage-{}-to-{}.html", index, index + 1);
}

// The opening comment's first paragraph.
std::string idea_of(std::string_view text) {
  std::string idea;
  for (const std::string_view line : split_lines(text)) {
    if (!line.starts_with("// ")) break;
    idea += idea.empty() ? "" : " ";
    idea += line.substr(3);
  }
  return idea;
}

Result<std::vector<Stage>> read_stages(const Bench& bench) {
  std::vector<Stage> stages;
  for (const std::string_view name : kStages) {
    const std::string file = fmt::format("{}.c", name);
    auto text = read_text(bench.places.source("stages/" + file));
    if (!text) return std::unexpected(text.error());
    std::string idea = idea_of(*text);
    stages.push_back({file, std::move(*text), std::move(idea)});
  }
  return stages;
}

SiteFile overview(const std::vector<Stage>& stages) {
  WebPage page;
  page.title = "Eight allocators";
  page.body = fmt::format(
      "<p>{}</p>\n<p>What all have in common, the names from <code>malloc</code> to "
      "<code>pvalloc</code>, the checks, alignment and forks, is in <a "
      "href=\"stage-family.html\">family.h</a>.</p>\n<table>\n",
      prose_html("What does it take to write a malloc? Here is the answer eight times. Each stage "
                 "is a file to read in one sitting and a library that real programs run on; each "
                 "adds one idea to the one before, so that the difference of two files is the "
                 "lesson."));
  for (std::size_t i = 0; i < stages.size(); ++i) {
    page.body += fmt::format(
        "<tr><td>{}</td><td><a href=\"{}\">source</a>{}</td></tr>\n", prose_html(stages[i].idea),
        stage_page(i),
        i == 0 ? "" : fmt::format("<br/><a href=\"{}\">what is new</a>", difference_page(i)));
  }
  page.body += "</table>\n";
  page.next = stage_page(0);
  return {"stages.html", page_html(page)};
}

SiteFile source_page(const std::vector<Stage>& stages, std::size_t i) {
  WebPage page;
  page.title = stages[i].file;
  page.previous = i == 0 ? "stages.html" : difference_page(i);
  page.next = i + 1 < stages.size() ? difference_page(i + 1) : "stages.html";
  page.body = fmt::format(
      "<p>{}</p>\n<p class=\"note\">Run a program on it: <code>LD_PRELOAD=libstage{}.so "
      "CMD</code></p>\n<pre>{}</pre>\n",
      prose_html(stages[i].idea), i + 1, escape_html(stages[i].text));
  return {stage_page(i), page_html(page)};
}

// A line break right behind <pre> is not shown: the first line may be empty.
std::string side_html(const std::vector<std::string_view>& lines, std::string_view kind) {
  std::string html = fmt::format("<pre class=\"{}\">\n", lines.empty() ? "none" : kind);
  for (const std::string_view line : lines) html += escape_html(line) + '\n';
  return html + "</pre>\n";
}

// Side by side; one column shows what is the same once: its second copy is `again`.
std::string hunks_html(const std::vector<DiffHunk>& hunks) {
  std::string html = "<div class=\"diff\">\n";
  for (const DiffHunk& hunk : hunks) {
    html += side_html(hunk.before, hunk.same ? "same" : "removed");
    html += side_html(hunk.after, hunk.same ? "again" : "added");
  }
  return html + "</div>\n";
}

SiteFile changes_page(const std::vector<Stage>& stages, std::size_t i) {
  WebPage page;
  page.title = fmt::format("From {} to {}", stages[i - 1].file, stages[i].file);
  page.previous = stage_page(i - 1);
  page.next = stage_page(i);
  page.wide = true;
  page.body = fmt::format(
      "<p>{}</p>\n<p class=\"note\">Left what goes, right what comes; where the window has no room "
      "for both, one after the other.</p>\n{}",
      prose_html(stages[i].idea), hunks_html(diff_lines(stages[i - 1].text, stages[i].text)));
  return {difference_page(i), page_html(page)};
}

}  // namespace

Result<std::vector<SiteFile>> stage_pages(const Bench& bench) {
  const auto stages = read_stages(bench);
  if (!stages) return std::unexpected(stages.error());
  const auto family = read_text(bench.places.source("stages/family.h"));
  if (!family) return std::unexpected(family.error());
  std::vector<SiteFile> files = {overview(*stages)};
  WebPage common{"family.h", fmt::format("<pre>{}</pre>\n", escape_html(*family)), "stages.html",
                 ""};
  files.push_back({"stage-family.html", page_html(common)});
  for (std::size_t i = 0; i < stages->size(); ++i) {
    files.push_back(source_page(*stages, i));
    if (i > 0) files.push_back(changes_page(*stages, i));
  }
  return files;
}

SiteFile glossary_page() {
  WebPage page;
  page.title = "Glossary";
  std::string_view section;
  for (const GlossaryEntry& entry : glossary()) {
    if (entry.section != section) {
      page.body += fmt::format("{}<h2>{}</h2>\n<dl>\n", section.empty() ? "" : "</dl>\n",
                               escape_html(entry.section));
      section = entry.section;
    }
    page.body += fmt::format("<dt id=\"{}\">{}</dt>\n<dd>{}</dd>\n", entry.id,
                             inline_html(entry.title), prose_html(entry.text));
  }
  if (!section.empty()) page.body += "</dl>\n";
  return {"glossary.html", page_html(page)};
}

}  // namespace mini::lab
