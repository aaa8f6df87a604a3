// A trace made by hand, with fixed addresses: what experiment 2 looks like, and harder things.
#pragma once

#include <string>
#include <vector>

#include "model/event.h"
#include "model/process.h"
#include "views/trace_view.h"

namespace mini::views {

struct SampleEvent {
  model::Event event;
  model::Process process;  // as of the event
  bool shown = true;
};

struct SampleStory {
  std::vector<SampleEvent> events;
  TraceSummary summary;
};

/// One process: exec, loading, the question and the growth of the heap, a failure, the end.
SampleStory heap_spy_story();

/// A parent and a child that take turns, a thread, a child killed by a signal.
SampleStory family_story();

/// File names, functions and notes full of control characters and bytes that are no UTF-8.
SampleStory hostile_story();

/// Reads back what was written to a file.
class Capture {
 public:
  Capture();
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture();
  int fd() const { return fd_; }
  std::string text() const;

 private:
  int fd_ = -1;
};

inline void play_into(const SampleStory& story, TraceView& view) {
  for (const SampleEvent& sample : story.events) {
    view.on_event(sample.event, sample.process, sample.shown);
  }
  view.on_end(story.summary);
}

}  // namespace mini::views
