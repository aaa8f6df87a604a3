// heapspy: makes a program's memory visible.
#include "cli/app.h"

int main(int argc, char** argv) {
  return mini::cli::run(argc, argv);
}
