// index.html, and the page of each experiment.
#include <fmt/format.h>

#include "lab/registry.h"
#include "lab/site/html.h"
#include "lab/site/site.h"

namespace mini::lab {
namespace {

std::string_view mark(bool holds) {
  return holds ? "<span class=\"holds\">&#10003; as predicted</span>"
               : "<span class=\"differs\">&#10007; not as predicted</span>";
}

std::string figure(const Line& line, bool observed) {
  if (!observed) return escape_html(format_answer(line.prediction.answer));
  return line.observed ? escape_html(format_answer(*line.observed)) : "not seen";
}

std::string results_html(const Lesson& lesson) {
  std::string html =
      "<table class=\"results\">\n<thead><tr><th>Figure</th><th>Predicted</th><th>Observed</th>"
      "<th></th></tr></thead>\n<tbody>\n";
  for (const Line& line : lesson.lines) {
    html += fmt::format(
        "<tr><td>{}<small>{}</small></td>"
        "<td class=\"figure\" data-title=\"predicted\">{}</td>"
        "<td class=\"figure\" data-title=\"observed\">{}</td><td>{}</td></tr>\n",
        escape_html(line.prediction.what), prose_html(line.prediction.because), figure(line, false),
        figure(line, true),
        line.holds() ? "<span class=\"holds\">&#10003;</span>"
                     : "<span class=\"differs\">&#10007; differs</span>");
  }
  return html + "</tbody>\n</table>\n";
}

Result<std::string> sources_html(const Experiment& experiment, const Bench& bench) {
  std::string html;
  for (const std::string_view name : experiment.sources) {
    const auto text = read_text(bench.places.source(name));
    if (!text) return std::unexpected(text.error());
    html += fmt::format("<h2>The program</h2>\n<p class=\"path\">lab/{}</p>\n{}", escape_html(name),
                        source_html(*text));
  }
  if (!experiment.sources_note.empty()) {
    if (experiment.sources.empty()) html += "<h2>The program</h2>\n";
    html += fmt::format("<p>{}</p>\n", prose_html(experiment.sources_note));
  }
  return html;
}

// Commands are shown as such; other titles are words.
std::string exhibit_html(const Exhibit& exhibit) {
  const bool is_command = exhibit.title.find("heapspy ") != std::string::npos ||
                          exhibit.title.find("PID") != std::string::npos;
  const std::string title = escape_html(exhibit.title);
  return fmt::format("<p class=\"note\">{}</p>\n<pre>{}</pre>\n",
                     is_command ? fmt::format("<code>{}</code>", title) : title,
                     escape_html(exhibit.text));
}

std::string outcome_html(const SiteLesson& tried, const Bench& bench) {
  if (!tried.failure.empty()) {
    return fmt::format("<h2>It could not be carried out</h2>\n<p>{}</p>\n",
                       escape_html(tried.failure));
  }
  std::string html = fmt::format("<h2>Predicted and observed</h2>\n<p class=\"note\">{}</p>\n{}",
                                 escape_html(describe(bench.machine)), results_html(tried.lesson));
  if (tried.lesson.exhibits.empty()) return html;
  html += "<h2>What was seen</h2>\n";
  for (const Exhibit& exhibit : tried.lesson.exhibits) html += exhibit_html(exhibit);
  return html;
}

std::string page_of(const Experiment* experiment) {
  return experiment == nullptr ? "" : page_name(experiment->id);
}

}  // namespace

Result<SiteFile> lesson_page(const SiteLesson& tried, const Bench& bench) {
  const Experiment& experiment = *tried.lesson.experiment;
  const auto sources = sources_html(experiment, bench);
  if (!sources) return std::unexpected(sources.error());
  WebPage page;
  page.title = fmt::format("{} · {}", experiment.id, experiment.title);
  page.previous = page_of(neighbour(experiment, -1));
  page.next = page_of(neighbour(experiment, 1));
  page.body = fmt::format(
      "<p>{}</p>\n<p class=\"note\">On your own machine: <code>heapspy lab "
      "{}</code>; with <code>--ask</code> it asks for your prediction "
      "first.</p>\n{}{}<h2>Why</h2>\n{}",
      prose_html(experiment.question), experiment.id, *sources, outcome_html(tried, bench),
      paragraphs_html(experiment.explain(bench)));
  return SiteFile{page_name(experiment.id), page_html(page)};
}

SiteFile index_page(const std::vector<SiteLesson>& lessons, const Bench& bench) {
  WebPage page;
  page.title = "What malloc does, predicted and observed";
  page.body = fmt::format(
      "<p>{}</p>\n<p class=\"note\">This machine: {}, {} processors.</p>\n"
      "<h2>The experiments</h2>\n<table>\n",
      prose_html(
          "Each experiment asks a question, shows its program, and works out by arithmetic "
          "what will happen on this machine. Then the program ran, and heapspy's tracer "
          "and inspector saw what did happen. Read them in order: they lead from one move of "
          "the program break to an allocator with thread caches and arenas."),
      escape_html(describe(bench.machine)), bench.machine.processors);
  for (const SiteLesson& tried : lessons) {
    const Experiment& experiment = *tried.lesson.experiment;
    page.body += fmt::format("<tr><td>{}</td><td><a href=\"{}\">{}</a></td><td>{}</td></tr>\n",
                             experiment.id, page_name(experiment.id), escape_html(experiment.title),
                             mark(tried.holds()));
  }
  page.body +=
      "</table>\n<h2>Eight allocators</h2>\n<p>A malloc in eight stages, each with one "
      "idea more than the one before: <a href=\"stages.html\">their sources, and what "
      "changes from each to the next</a>.</p>\n";
  page.next = lessons.empty() ? "" : page_name(lessons.front().lesson.experiment->id);
  return {"index.html", page_html(page)};
}

}  // namespace mini::lab
