// Makes N system calls that have nothing to do with memory: what does being traced cost them?
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char** argv) {
  const long count = argc > 1 ? atol(argv[1]) : 500000;
  for (long i = 0; i < count; ++i) syscall(SYS_getppid);
  return 0;
}
