// What other parts ask of what the library does once in a process.
#pragma once

namespace mini::api {

/// The report at exit goes to what standard error is now, unless that has been settled before.
void keep_report_file();

/// Registers the library's fork handlers, unless that has been done. Those of others have to come
/// later: then they run before ours in prepare, and may wait for who is about to allocate.
void watch_forks();

}  // namespace mini::api
