// A library whose table of names is of the kind that was before DT_GNU_HASH.
int mini_in_a_sysv_library(void);
int mini_indirect_function(void);

int mini_in_a_sysv_library(void) {
  return 7;
}

static int one_way(void) {
  return 8;
}

static int (*choose_way(void))(void) {
  return one_way;
}

int mini_indirect_function(void) __attribute__((ifunc("choose_way")));
