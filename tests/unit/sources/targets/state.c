// Prints what a program inherits and can see of itself: descriptors, signals, limits, group.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print_line(const char* line) {
  static const char* const kKeys[] = {"SigPnd", "ShdPnd", "SigBlk",     "SigIgn",
                                      "SigCgt", "CapEff", "NoNewPrivs", "Uid",
                                      "Gid",    "Groups", "Threads"};
  for (size_t i = 0; i < sizeof kKeys / sizeof *kKeys; ++i) {
    if (strncmp(line, kKeys[i], strlen(kKeys[i])) == 0) fputs(line, stdout);
  }
}

int main(int argc, char** argv) {
  FILE* status = fopen("/proc/self/status", "r");
  char line[512];
  while (status && fgets(line, sizeof line, status)) print_line(line);
  if (status) fclose(status);
  DIR* fds = opendir("/proc/self/fd");
  int open_fds = 0;
  for (struct dirent* entry = readdir(fds); entry; entry = readdir(fds)) {
    if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(fds)) {
      open_fds = open_fds * 31 + atoi(entry->d_name) + 1;
    }
  }
  closedir(fds);
  printf("fds %d\n", open_fds);
  char* directory = getcwd(0, 0);
  printf("cwd %s pgrp %d sid %d args %d\n", directory, (int)getpgrp(), (int)getsid(0), argc);
  for (int i = 1; i < argc; ++i) puts(argv[i]);
  extern char** environ;
  int variables = 0;
  while (environ[variables]) ++variables;
  printf("environment %d\n", variables);
  return 0;
}
