// Leaves a child behind that maps memory after its parent has ended, and says so in a file.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char** argv) {
  int ended[2];
  if (argc < 2 || pipe(ended) != 0) return 1;
  if (fork() == 0) {
    char byte;
    close(ended[1]);
    (void)!read(ended[0], &byte, 1);  // until the parent is gone
    void* page = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
    (void)!write(fd, page != MAP_FAILED ? "late" : "fail", 4);
    _exit(0);
  }
  return 2;
}
