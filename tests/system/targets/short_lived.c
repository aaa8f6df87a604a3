// Maps 64 MiB, writes to all of it and unmaps it again: no call sees what it had. Prints its peak.
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

int main(void) {
  const size_t bytes = (size_t)64 << 20;
  char* block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) return 1;
  memset(block, 1, bytes);
  munmap(block, bytes);
  char line[256];
  FILE* status = fopen("/proc/self/status", "r");
  while (status != NULL && fgets(line, sizeof line, status) != NULL) {
    unsigned long kib = 0;
    if (sscanf(line, "VmHWM: %lu", &kib) == 1) printf("peak: %lu\n", kib);
  }
  return 0;
}
