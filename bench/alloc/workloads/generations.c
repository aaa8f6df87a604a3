// generations OBJECTS: lifetimes as a long-running program has them. Of ten objects nine die young,
// of the others nine in ten at middle age, and the last hundredth lives to the end, scattered among
// the places of the dead. Each object is filed under the moment of its death.
#include "work.h"

enum { kMoments = 1 << 20, kYoung = 500, kNeverShare = 100, kOldShare = 10 };

typedef struct Object {
  uint64_t word;  // as block_stamp writes it
  struct Object* next_to_die;
} Object;

static Object* dying_at[kMoments];  // a wheel: the slot of a moment is used again after kMoments
static Object* immortal;

static void file(Object** list, Object* object) {
  object->next_to_die = *list;
  *list = object;
}

static uint64_t free_all(Object** list) {
  uint64_t sum = 0;
  while (*list != NULL) {
    Object* object = *list;
    *list = object->next_to_die;
    sum += block_free(object);
  }
  return sum;
}

int main(int argc, char** argv) {
  const long objects = argument(argc, argv, 1);
  const Sizes sizes = sizes_between(24, 16384);
  uint64_t random = 1;
  uint64_t sum = 0;
  for (long moment = 0; moment < objects; ++moment) {
    sum += free_all(&dying_at[moment % kMoments]);
    const uint64_t dice = random_next(&random);
    Object* object = block_new(random_size(&sizes, &random), (uint32_t)dice);
    if (dice % kNeverShare == 0) {
      file(&immortal, object);
    } else {
      const uint32_t at_most = dice % kOldShare == 0 ? kMoments / 4 : kYoung;
      file(&dying_at[(moment + 1 + random_below(&random, at_most)) % kMoments], object);
    }
  }
  for (long i = 0; i < kMoments; ++i) sum += free_all(&dying_at[i]);
  sum += free_all(&immortal);
  report_sum("generations", sum);
  return 0;
}
