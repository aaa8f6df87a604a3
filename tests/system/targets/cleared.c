/* Becomes and starts `true` in every way there is, each with an environment of its own making. With
   an argument it waits for a line of input before. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char name[] = "true", variable[] = "A=1";
static char* const arguments[] = {name, NULL};
static char* const variables[] = {variable, NULL};

static void become(int way) {
  switch (way) {
    case 0:
      execve("/bin/true", arguments, variables);
      break;
    case 1:
      execvpe("true", arguments, variables);
      break;
    case 2:
      execle("/bin/true", "true", NULL, variables);
      break;
    case 3:
      fexecve(open("/bin/true", O_RDONLY), arguments, variables);
      break;
    case 4:
      execveat(AT_FDCWD, "/bin/true", arguments, variables, 0);
      break;
    case 5:
      clearenv();
      execv("/bin/true", arguments);
      break;
    case 6:
      clearenv();
      execl("/bin/true", "true", NULL);
      break;
    case 7:
      setenv("LD_PRELOAD", "", 1);
      execvp("true", arguments);
      break;
    default:
      unsetenv("HEAPSPY_CHANNEL");
      execlp("true", "true", NULL);
      break;
  }
  _exit(1);
}

/* In a child: the environment stays as it is for the others. */
static void shells(void) {
  if (fork() != 0) return;
  clearenv();
  if (system("exec true") != 0) _exit(1);
  FILE* const output = popen("test \"it's $0\" = \"it's sh\" && exec true", "r");
  _exit(output == NULL || pclose(output) != 0);
}

int main(int count, char** words) {
  int status = 0;
  pid_t child = 0;
  if (count > 1 && words[1] != NULL) {
    printf("waits: %d\n", getpid());
    fflush(stdout);
    getchar();
  }
  for (int way = 0; way < 9; ++way) {
    child = fork();
    if (child == 0) become(way);
    if (waitpid(child, &status, 0) != child || status != 0) return 1;
  }
  child = vfork();
  if (child == 0) {
    execve("/bin/true", arguments, variables);
    _exit(1);
  }
  if (waitpid(child, &status, 0) != child || status != 0) return 1;
  if (posix_spawn(&child, "/bin/true", NULL, NULL, arguments, variables) != 0) return 1;
  if (waitpid(child, &status, 0) != child || status != 0) return 1;
  if (posix_spawnp(&child, "true", NULL, NULL, arguments, variables) != 0) return 1;
  if (waitpid(child, &status, 0) != child || status != 0) return 1;
  shells();
  if (wait(&status) < 0 || status != 0) return 1;
  puts("14");
  return 0;
}
