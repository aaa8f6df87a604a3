// What other parts ask of what the library does once in a process.
#pragma once

namespace mini::api {

/// The report at exit goes to what standard error is now, unless that has been settled before.
void keep_report_file();

}  // namespace mini::api
