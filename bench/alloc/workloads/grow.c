// grow VECTORS ELEMENTS: arrays that grow by realloc as elements are appended, many at a time or
// one to hundreds of MB. A vector grows by half; when it is full it is shrunk to fit and, in a
// while, read and freed. ELEMENTS is how many a vector has at the most; most have far fewer.
#include "work.h"

enum {
  kBurst = 16,
  kKept = 4
};  // elements appended at once; full vectors kept, as a share: 1 in 4

typedef struct {
  uint64_t* elements;
  size_t size;
  size_t capacity;
  size_t goal;
} Vector;

static void grow_to(Vector* vector, size_t capacity) {
  uint64_t* elements = realloc(vector->elements, capacity * sizeof *elements);
  if (elements == NULL) fail("realloc returned NULL");
  vector->elements = elements;
  vector->capacity = capacity;
}

static void append_burst(Vector* vector, uint64_t* random) {
  for (int i = 0; i < kBurst && vector->size < vector->goal; ++i) {
    if (vector->size == vector->capacity) {
      grow_to(vector, vector->capacity == 0 ? 4 : vector->capacity + vector->capacity / 2);
    }
    vector->elements[vector->size++] = *random + (uint64_t)i;
  }
  random_next(random);
}

static uint64_t finish(Vector* vector) {
  uint64_t sum = 0;
  for (size_t i = 0; i < vector->size; ++i) sum = sum * 31 + vector->elements[i];
  free(vector->elements);
  *vector = (Vector){0};
  return sum;
}

// Fills all vectors side by side; those that are full early leave room for the others to grow into.
static uint64_t fill(Vector* vectors, size_t count, const Sizes* sizes, uint64_t* random) {
  size_t growing = count;
  uint64_t sum = 0;
  for (size_t i = 0; i < count; ++i) vectors[i].goal = random_size(sizes, random);
  while (growing > 0) {
    for (size_t i = 0; i < count; ++i) {
      if (vectors[i].goal == 0 || vectors[i].size == vectors[i].goal) continue;
      append_burst(&vectors[i], random);
      if (vectors[i].size < vectors[i].goal) continue;
      --growing;
      grow_to(&vectors[i], vectors[i].size);
      if (i % kKept != 0) sum += finish(&vectors[i]);
    }
  }
  return sum;
}

int main(int argc, char** argv) {
  const size_t count = (size_t)argument(argc, argv, 1);
  const uint32_t elements = (uint32_t)argument(argc, argv, 2);
  const Sizes sizes = sizes_between(count == 1 ? elements : 8, elements);
  Vector* vectors = calloc(count, sizeof *vectors);
  if (vectors == NULL) fail("calloc returned NULL");

  uint64_t random = 1;
  uint64_t sum = 0;
  for (int round = 0; round < (count == 1 ? 1 : 3); ++round) {
    sum += fill(vectors, count, &sizes, &random);
    for (size_t i = 0; i < count; ++i) sum += finish(&vectors[i]);
  }
  free(vectors);
  report_sum("grow", sum);
  return 0;
}
