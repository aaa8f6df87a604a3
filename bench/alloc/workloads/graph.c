// graph EDGES: a graph that changes. A node has a label and an array of neighbours that grows by
// realloc; nodes are deleted and made anew, with edges to others, between walks over all of it.
#include "work.h"

enum { kNodes = 60000, kWalks = 8, kNodesPerDeath = 12 };

typedef struct {
  char* label;
  uint32_t* neighbours;
  uint32_t neighbours_count;
  uint32_t capacity;
} Node;

static Node* nodes[kNodes];

static void node_delete(uint32_t index) {
  Node* node = nodes[index];
  if (node == NULL) return;
  free(node->label);
  free(node->neighbours);
  free(node);
  nodes[index] = NULL;
}

static Node* node_at(uint32_t index) {
  if (nodes[index] != NULL) return nodes[index];
  Node* node = calloc(1, sizeof *node);
  char label[64];
  snprintf(label, sizeof label, "node %" PRIu32 " of the %s", index,
           index % 3 ? "graph" : "network");
  if (node == NULL || (node->label = strdup(label)) == NULL) fail("no memory");
  return nodes[index] = node;
}

static void add_edge(uint32_t from, uint32_t to) {
  Node* node = node_at(from);
  if (node->neighbours_count == node->capacity) {
    node->capacity = node->capacity == 0 ? 4 : node->capacity * 2;
    node->neighbours = realloc(node->neighbours, node->capacity * sizeof *node->neighbours);
    if (node->neighbours == NULL) fail("realloc returned NULL");
  }
  node->neighbours[node->neighbours_count++] = to;
}

static uint64_t walk(void) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < kNodes; ++i) {
    if (nodes[i] == NULL) continue;
    sum = sum * 31 + (unsigned char)nodes[i]->label[5];
    for (uint32_t j = 0; j < nodes[i]->neighbours_count; ++j) {
      const Node* other = nodes[nodes[i]->neighbours[j]];
      if (other != NULL) sum += other->neighbours_count;
    }
  }
  return sum;
}

int main(int argc, char** argv) {
  const long edges = argument(argc, argv, 1);
  uint64_t random = 1;
  uint64_t sum = 0;
  for (long i = 1; i <= edges; ++i) {
    // The square of a random part: some nodes have far more neighbours than others.
    const uint64_t part = random_below(&random, kNodes);
    const uint32_t to = random_below(&random, kNodes);
    add_edge((uint32_t)(part * part / kNodes), to);
    if (i % kNodesPerDeath == 0) node_delete(random_below(&random, kNodes));
    if (i % (edges / kWalks) == 0) sum += walk();
  }
  for (uint32_t i = 0; i < kNodes; ++i) node_delete(i);
  report_sum("graph", sum);
  return 0;
}
