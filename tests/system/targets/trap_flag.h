/* Single steps: SIGTRAP after each instruction. The trap flag is set by way of the stack, beneath
 * what the compiler may use below its pointer. */
#ifndef HEAPSPY_TESTS_TRAP_FLAG_H
#define HEAPSPY_TESTS_TRAP_FLAG_H

static void begin_steps(void) {
  __asm__ volatile(
      "lea -128(%%rsp), %%rsp\n pushfq\n orq $0x100, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp"
      :
      :
      : "memory", "cc");
}
static void end_steps(void) {
  __asm__ volatile(
      "lea -128(%%rsp), %%rsp\n pushfq\n andq $~0x100, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp"
      :
      :
      : "memory", "cc");
}

#endif
