#include "lab/lesson_json.h"

#include "lab/registry.h"
#include "views/json_writer.h"

namespace mini::lab {
namespace {

using views::JsonWriter;

std::string_view form_name(Answer::Form form) {
  switch (form) {
    case Answer::Form::kCount:
      return "count";
    case Answer::Form::kBytes:
      return "bytes";
    case Answer::Form::kOffset:
      return "offset";
    case Answer::Form::kWord:
      break;
  }
  return "word";
}

void write_value(JsonWriter& json, const std::optional<Answer>& answer) {
  if (!answer) {
    json.null();
  } else if (answer->form == Answer::Form::kWord) {
    json.string(answer->word);
  } else {
    json.number(answer->number);
  }
}

void write_line(JsonWriter& json, const Line& line) {
  json.begin_object();
  json.key("what").string(line.prediction.what);
  json.key("form").string(form_name(line.prediction.answer.form));
  json.key("predicted");
  write_value(json, line.prediction.answer);
  json.key("because").string(line.prediction.because);
  json.key("observed");
  write_value(json, line.observed);
  json.key("holds").boolean(line.holds());
  json.end_object();
}

void write_head(JsonWriter& json, std::string_view version) {
  json.begin_object();
  json.key("type").string("lab");
  json.key("schema").number(1);
  json.key("heapspy").string(version);
}

}  // namespace

void write_list_json(std::string& out, std::string_view version) {
  JsonWriter json(out);
  write_head(json, version);
  json.key("experiments").begin_array();
  for (const Experiment* experiment : experiments()) {
    json.begin_object();
    json.key("id").string(experiment->id);
    json.key("title").string(experiment->title);
    json.end_object();
  }
  json.end_array().end_object();
  out += '\n';
}

void write_lesson_json(std::string& out, const Lesson& lesson, const Bench& bench,
                       std::string_view version) {
  const Experiment& experiment = *lesson.experiment;
  JsonWriter json(out);
  write_head(json, version);
  json.key("id").string(experiment.id);
  json.key("title").string(experiment.title);
  json.key("question").string(experiment.question);
  json.key("machine").begin_object();
  json.key("glibc_version").string(bench.machine.glibc_version);
  json.key("page_size_bytes").bytes(bench.machine.page_size);
  json.key("processors").number(bench.machine.processors);
  json.key("altered_by").begin_array();
  for (const std::string& variable : bench.machine.altered_by) json.string(variable);
  json.end_array().end_object();
  json.key("sources").begin_array();
  for (const std::string_view source : experiment.sources) json.string(bench.places.source(source));
  json.end_array();
  json.key("lines").begin_array();
  for (const Line& line : lesson.lines) write_line(json, line);
  json.end_array();
  json.key("holds").boolean(lesson.holds());
  json.key("exhibits").begin_array();
  for (const Exhibit& exhibit : lesson.exhibits) {
    json.begin_object();
    json.key("title").string(exhibit.title);
    json.key("text").string(exhibit.text);
    json.end_object();
  }
  json.end_array();
  json.key("explanation").string(experiment.explain(bench));
  json.end_object();
  out += '\n';
}

}  // namespace mini::lab
