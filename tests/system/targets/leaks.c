// Blocks that are never freed, each kept, or not, in another way: by a function of its own, so that
// a report tells them apart. How it ends is its argument: "return", "_exit", "quick", "thread",
// "main ends", "kill". "reserved" maps terabytes too, of which it uses the last page, and returns.
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct node {
  struct node* next;
  char rest[88];
};

static void* kept_in_global;
static void* kept_by_inner_pointer;
static _Thread_local void* kept_in_tls;
static int ready[2];

static void* in_global(void) {
  return malloc(1000);
}
static void* in_tls(void) {
  return malloc(1100);
}
static void* by_inner_pointer(void) {
  return malloc(1200);
}
static void* through_block(void) {
  return malloc(1300);
}
static void* in_thread_stack(void) {
  return malloc(1400);
}
static void* in_thread_register(void) {
  return malloc(1500);
}
static void* in_thread_tls(void) {
  return malloc(1600);
}
static void* in_thread_result(void) {
  return malloc(1700);
}
static void* lost_in_ended_thread(void) {
  return malloc(710);
}
static void* large_kept(void) {
  return malloc(3 << 20);
}
static void* large_lost(void) {
  return malloc(2 << 20);
}
static struct node* lost_head(void) {
  return malloc(sizeof(struct node));
}
static struct node* lost_behind(void) {
  return malloc(sizeof(struct node));
}
static struct node* lost_ring(void) {
  return malloc(sizeof(struct node));
}
static void* lost_in_freed(void) {
  return malloc(700);
}

static void* in_reserved(void) {
  return malloc(900);
}

static void fill(void* block, size_t bytes) {
  memset(block, 0x5a, bytes);
}

__attribute__((noinline)) static void keep(void) {
  kept_in_global = in_global();
  fill(kept_in_global, 1000);
  void** first = kept_in_global;
  *first = through_block();
  fill(*first, 1300);
  kept_in_tls = in_tls();
  kept_by_inner_pointer = (char*)by_inner_pointer() + 600;
  first[1] = large_kept();
}

__attribute__((noinline)) static void lose(void) {
  for (int i = 0; i < 10; ++i) {
    struct node* const head = lost_head();
    head->next = lost_behind();
    head->next->next = lost_behind();
    head->next->next->next = NULL;
  }
  struct node* const first = lost_ring();
  struct node* const second = lost_ring();
  first->next = second;
  second->next = first;
  fill(large_lost(), 2 << 20);
  // The freed block still says where the other one is.
  void** const freed = malloc(200);
  freed[10] = lost_in_freed();
  free(freed);
}

__attribute__((noinline)) static void reserve(void) {
  const size_t bytes = (size_t)8 << 40;
  char* const memory =
      mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) exit(5);
  void** const last_words = (void*)(memory + bytes - 64);
  last_words[0] = in_reserved();
}

// Writes over what the calls before left on the stack.
__attribute__((noinline)) static void wipe_stack(void) {
  volatile char words[64 << 10];
  for (size_t i = 0; i < sizeof words; ++i) words[i] = 0;
}

static void* on_stack(void* unused) {
  (void)unused;
  void* volatile kept[4] = {0};
  kept[2] = in_thread_stack();
  static _Thread_local void* in_own_tls;
  in_own_tls = in_thread_tls();
  wipe_stack();
  write(ready[1], "r", 1);
  while (kept[2] != NULL) pause();
  return in_own_tls;
}

// The address is in a register that calls preserve, and nowhere else.
static void* in_register(void* unused) {
  (void)unused;
#if defined(__x86_64__)
  register void* block __asm__("r12") = in_thread_register();
  wipe_stack();
  write(ready[1], "r", 1);
  while (1) {
    long result = 34;  // pause
    __asm__ volatile("syscall" : "+a"(result), "+r"(block) : : "rcx", "r11", "memory");
  }
#else
  void* volatile block = in_thread_register();
  write(ready[1], "r", 1);
  while (block != NULL) pause();
#endif
  return NULL;
}

// glibc keeps the stack of a thread that has ended, with what the thread left in its last pages:
// deep enough that those which get it next do not write over it.
static void* leaves_in_stack(void* unused) {
  (void)unused;
  void* volatile left[1024];
  left[0] = lost_in_ended_thread();
  return left[0] != NULL ? NULL : &ready;
}

// Nobody has joined it, and so somebody may yet.
static _Atomic int left_tid;

static void* leaves_result(void* unused) {
  (void)unused;
  left_tid = (int)syscall(SYS_gettid);
  return in_thread_result();
}

static void end_threads(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, leaves_result, NULL);
  while (left_tid == 0 || syscall(SYS_tgkill, getpid(), left_tid, 0) == 0) sched_yield();
  pthread_create(&thread, NULL, leaves_in_stack, NULL);
  pthread_join(thread, NULL);
}

static void* end_here(void* waits) {
  if (waits != NULL) usleep(100000);
  exit(4);
}

int main(int argc, char** argv) {
  const char* const how = argc > 1 ? argv[1] : "return";
  if (pipe(ready) != 0) return 1;
  keep();
  lose();
  if (strcmp(how, "reserved") == 0) reserve();
  wipe_stack();
  pthread_t thread;
  pthread_create(&thread, NULL, on_stack, NULL);
  pthread_create(&thread, NULL, in_register, NULL);
  char byte[2];
  for (int i = 0; i < 2; ++i) {
    if (read(ready[0], byte, 1) != 1) return 1;
  }
  end_threads();
  if (strcmp(how, "_exit") == 0) _exit(4);
  if (strcmp(how, "quick") == 0) quick_exit(4);
  if (strcmp(how, "kill") == 0) kill(getpid(), SIGKILL);
  if (strcmp(how, "thread") == 0) {
    pthread_create(&thread, NULL, end_here, NULL);
    pause();
  }
  if (strcmp(how, "main ends") == 0) {
    pthread_create(&thread, NULL, end_here, &ready);
    pthread_exit(NULL);
  }
  return 4;
}
