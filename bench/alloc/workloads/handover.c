// handover PRODUCERS CONSUMERS BATCHES: a pipeline whose stages run on threads of their own.
// Producers allocate messages in batches, as linked lists, and put them into a bounded queue;
// consumers read them, keep the last few batches as work in flight, and free them. No thread frees
// what it made.
#include "work.h"

enum { kQueue = 16, kInFlight = 64, kMessagesPerBatch = 400, kMaxThreads = 64 };

typedef struct Message {
  struct Message* next;
  uint32_t bytes;
  uint32_t number;
} Message;

static Message* queue[kQueue];
static size_t queue_begin;
static size_t queue_count;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER;
static Sizes sizes;
static long batches_per_producer;

static void put(Message* batch) {
  pthread_mutex_lock(&mutex);
  while (queue_count == kQueue) pthread_cond_wait(&not_full, &mutex);
  queue[(queue_begin + queue_count++) % kQueue] = batch;
  pthread_cond_signal(&not_empty);
  pthread_mutex_unlock(&mutex);
}

static Message* take(void) {
  pthread_mutex_lock(&mutex);
  while (queue_count == 0) pthread_cond_wait(&not_empty, &mutex);
  Message* batch = queue[queue_begin];
  queue_begin = (queue_begin + 1) % kQueue;
  --queue_count;
  pthread_cond_signal(&not_full);
  pthread_mutex_unlock(&mutex);
  return batch;
}

static Message* make_batch(uint64_t* random) {
  Message* batch = NULL;
  for (int i = 0; i < kMessagesPerBatch; ++i) {
    const uint32_t bytes = (uint32_t)random_size(&sizes, random);
    Message* message = malloc(bytes);
    if (message == NULL) fail("malloc returned NULL");
    const uint32_t number = (uint32_t)random_next(random);
    memset(message, (int)(number & 0xff), bytes);
    *message = (Message){batch, bytes, number};
    batch = message;
  }
  return batch;
}

typedef struct {
  int index;
  uint64_t sum;
} Stage;

static void* produce(void* data) {
  const Stage* stage = data;
  run_on_cpu(stage->index);
  uint64_t random = (uint64_t)stage->index + 1;
  for (long i = 0; i < batches_per_producer; ++i) put(make_batch(&random));
  return NULL;
}

static uint64_t free_batch(Message* batch) {
  uint64_t sum = 0;
  while (batch != NULL) {
    Message* next = batch->next;
    if (batch->bytes > sizeof *batch &&
        ((const unsigned char*)batch)[batch->bytes - 1] != (batch->number & 0xff)) {
      fail("a message was disturbed");
    }
    sum += (uint64_t)batch->number << 16 ^ batch->bytes;
    free(batch);
    batch = next;
  }
  return sum;
}

// Put into the queue once for each consumer, after everything else.
static Message end_mark;

static void* consume(void* data) {
  Stage* stage = data;
  run_on_cpu(stage->index + 1);
  Message* in_flight[kInFlight] = {NULL};
  uint64_t sum = 0;
  Message* batch;
  for (size_t i = 0; (batch = take()) != &end_mark; ++i) {
    sum += free_batch(in_flight[i % kInFlight]);
    in_flight[i % kInFlight] = batch;
  }
  for (size_t i = 0; i < kInFlight; ++i) sum += free_batch(in_flight[i]);
  stage->sum = sum;
  return NULL;
}

int main(int argc, char** argv) {
  const long producers = argument(argc, argv, 1);
  const long consumers = argument(argc, argv, 2);
  batches_per_producer = argument(argc, argv, 3) / producers;
  if (producers > kMaxThreads || consumers > kMaxThreads) fail("too many threads");
  sizes = sizes_between(sizeof(Message), 1024);

  pthread_t producing[kMaxThreads];
  pthread_t consuming[kMaxThreads];
  Stage producer_stages[kMaxThreads];
  Stage consumer_stages[kMaxThreads];
  for (int i = 0; i < consumers; ++i) {
    consumer_stages[i] = (Stage){i, 0};
    consuming[i] = thread_start(consume, &consumer_stages[i]);
  }
  for (int i = 0; i < producers; ++i) {
    producer_stages[i] = (Stage){i, 0};
    producing[i] = thread_start(produce, &producer_stages[i]);
  }
  for (long i = 0; i < producers; ++i) pthread_join(producing[i], NULL);
  for (long i = 0; i < consumers; ++i) put(&end_mark);
  uint64_t sum = 0;
  for (long i = 0; i < consumers; ++i) {
    pthread_join(consuming[i], NULL);
    sum += consumer_stages[i].sum;
  }
  report_sum("handover", sum);
  return 0;
}
